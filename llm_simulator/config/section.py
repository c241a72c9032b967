"""What every section of the configuration file has in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from llm_simulator.types import JSON


class Section(BaseModel):
    """A section that knows all its fields: a misspelt one is an error, not silence.

    `SHORT`: what may stand for the section as a whole, as JSON Schema; a `before` validator makes the long form of it.
    `{"like": FIELD}` is what that field of it takes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    SHORT: ClassVar[list[JSON]] = []

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(core_schema)
        if cls.SHORT:
            whole = handler.resolve_ref_schema(made)
            about: dict[str, Any] = {name: whole.pop(name) for name in ("title", "description") if name in whole}
            long, fields = dict(whole), whole["properties"]
            short = [fields[each["like"]] if "like" in each else each for each in cls.SHORT]
            whole.clear()
            whole.update({**about, "anyOf": [*short, long]})
        return made


class OneOrMore:
    """Annotates a list for which a single item may stand, in the published schema."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(core_schema)
        return {"anyOf": [made["items"], made]}
