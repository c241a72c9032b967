"""Server-sent events (WHATWG HTML, 9.2): read leniently, written the way the providers write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE = re.compile(r"\r\n|\n|\r")  # not str.splitlines, which also splits inside JSON at U+2028

DONE = b"data: [DONE]\n\n"


def events(text: str) -> Iterator[tuple[str, str]]:
    """The (event, data) of each event that has data; no comments; a last event without its blank line counts."""
    name, data = "", list[str]()
    for line in _LINE.split(text.removeprefix("\ufeff")):
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "", []
        elif line[0] != ":":
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
    if data:
        yield name, "\n".join(data)


def is_stream(text: str) -> bool:
    """Whether a body is made of events, whatever its content-type says."""
    return text.lstrip("\ufeff\r\n ").startswith(("data:", "event:", "id:", "retry:", ":"))
