"""How simulated answers sound, as the configuration file says it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_simulator.config.section import Section
from llm_simulator.simulator.style import Style


class StyleSection(Section):
    """How simulated answers sound (`simulator/style.py`)."""

    text: Literal["markov", "lorem", "echo", "fixed", "template"] = Field(
        default="markov", description="sentences, lorem ipsum, the user's last words, or a content of one's own"
    )
    content: str = Field(
        default="", description="the text of fixed, the template of template ({user}, {model}, {text})"
    )
    call_tools: bool = Field(default=False, description="call a tool where the request leaves it open")
    calls: Annotated[int, Field(ge=1, le=16)] = Field(default=1, description="tool calls at once")
    preface: bool = Field(default=False, description="a sentence before tool calls")
    refusal: str = Field(default="", description="what every answer refuses with")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Raises:
        ValueError: a text is missing, or the template has an unknown placeholder.
        """
        Style(**self.model_dump())
        return self
