"""What every section of the configuration file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section that knows all its fields: a misspelt one is an error, not silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)
