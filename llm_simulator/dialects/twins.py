"""The same call with another `stream` flag in its body, spelled as a client would have spelled it.

The match key reads the raw body: numbers must keep their spelling, so the object is cut and joined, never dumped anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from json.decoder import JSONDecoder

from llm_simulator.dialects.fields import as_object, skip, spelled
from llm_simulator.types import JSON, Call, header

_DECODER = JSONDecoder()


def with_stream(call: Call, flag: bool | None) -> Call:
    """`stream` set to `flag`, or left out (None). A compressed body comes out plain."""
    body = {name: value for name, value in as_object(call.body).items() if name != "stream"}
    if flag is not None:
        body["stream"] = flag
    if header(call.raw.headers, "content-encoding"):
        plain = tuple((name, value) for name, value in call.raw.headers if name.lower() != "content-encoding")
        raw = replace(call.raw, headers=plain, body=spelled(body).encode("utf-8", "surrogatepass"))
    else:
        raw = replace(call.raw, body=respell(call.raw.body, "stream", flag))
    return replace(call, body=body, raw=raw, stream=flag is True)


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, begin and end of each member of a valid JSON object; the end is where its value ends."""
    at = skip(text, 0)
    while text[at] != "}":
        begin = skip(text, at + 1)
        if text[begin] == "}":
            return
        name, colon = _DECODER.raw_decode(text, begin)
        _, end = _DECODER.raw_decode(text, skip(text, skip(text, colon) + 1))
        yield str(name), begin, end
        at = skip(text, end)


def respell(body: bytes, name: str, value: JSON) -> bytes:
    """A JSON object with its member `name` set to `value` (None: left out), every other member spelled as it was."""
    text = body.decode().removeprefix("\ufeff")
    spans = list(_members(text))
    kept = [text[begin:end] for key, begin, end in spans if key != name]
    if value is not None:
        kept.append(f"{json.dumps(name)}:{json.dumps(value)}")
    return ("{" + ",".join(kept) + "}").encode()
