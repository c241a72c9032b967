"""How answers are to sound: what a scenario or the configuration may ask of the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

TEXTS = ("markov", "lorem", "echo", "fixed", "template")
PLACEHOLDERS = ("model", "user", "system", "turns", "prompt_tokens", "text")
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Style:
    """What a scenario may ask for.

    `text` is one of TEXTS: sentences of the corpus, lorem ipsum, the user's last words, `content` as it stands, or
    `content` with its placeholders filled ({user}, {model}, ...; {text} is generated prose, {{ a brace).
    `call_tools` makes tool_choice "auto" call a tool until one has answered; `calls` is how many are made at once where
    the request allows it, `preface` says a sentence before them. `refusal` is what every answer refuses with ("" answers).

    Raises:
        ValueError: `text` is unknown, `content` is missing or has an unknown placeholder, `calls` is not 1 to 16.
    """

    text: str = "markov"
    content: str = ""
    call_tools: bool = False
    calls: int = 1
    preface: bool = False
    refusal: str = ""

    def __post_init__(self) -> None:
        if self.text not in TEXTS:
            raise ValueError(f"text: {self.text!r} is unknown; allowed are {', '.join(TEXTS)}")
        if self.text in ("fixed", "template") and not self.content:
            raise ValueError(f"content: text {self.text!r} needs one")
        if not 1 <= self.calls <= 16:
            raise ValueError(f"calls: {self.calls} is not allowed; 1 to 16 are")
        for found in _FIELD.finditer(self.content if self.text == "template" else ""):
            if found[1] is not None and found[1] not in PLACEHOLDERS:
                raise ValueError(f"content: {found[0]} is unknown; allowed are {{{'}, {'.join(PLACEHOLDERS)}}}")


PLAIN = Style()


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders replaced; what is put in is not looked at again."""
    return _FIELD.sub(lambda found: values[found[1]] if found[1] is not None else found[0][0], template)
