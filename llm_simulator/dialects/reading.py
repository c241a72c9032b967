"""The part of reading a request that every dialect shares: total, one JSON parse, a problem instead of an exception."""

from __future__ import annotations

from collections.abc import Collection
from json import JSONDecodeError, JSONDecoder
from typing import NoReturn

from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.types import JSON, Headers, RawRequest, header

BODY_LIMIT = 256 << 20
"""The most bytes that a request body may have once its content-encoding is undone: no bomb passes."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = JSONDecoder(parse_constant=_no_constant)


def json_object(raw: RawRequest) -> tuple[JSON, str]:
    """The parsed body and "", or what there is of it (None where it does not parse) and what is wrong, and where."""
    body, problem = json_value(raw)
    if not problem and not isinstance(body, dict):
        return body, f"the body is {kind(body)}, not a JSON object"
    return body, problem


def json_value(raw: RawRequest) -> tuple[JSON, str]:
    """As `json_object`, whatever the type of the value. An empty body is a problem too."""
    data = raw.body
    if not data:
        return None, "the body is empty"
    coding = header(raw.headers, "content-encoding")
    try:
        text = (decode(data, coding, BODY_LIMIT) if coding else data).decode()
        return _DECODER.decode(text.removeprefix("\ufeff")), ""
    except CodingError as error:
        return None, str(error)
    except UnicodeDecodeError as error:
        return None, f"the body is not UTF-8: {error.reason} at byte {error.start}"
    except JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        return None, f"the body is not JSON: {error.msg} at {where}"
    except RecursionError:
        return None, "the body is nested too deeply"
    except ValueError as error:  # NaN and Infinity, or a number of more than 4,300 digits
        return None, f"the body is not JSON: {error}"


def maybe_json(raw: RawRequest) -> tuple[JSON, str]:
    """As `json_value` for a body that need not be JSON: a problem only where its content-type promised JSON."""
    if not raw.body:
        return None, ""
    promised = "json" in header(raw.headers, "content-type").lower()
    if not promised and raw.body.lstrip()[:1] not in (b"{", b"["):
        return None, ""
    body, problem = json_value(raw)
    return body, problem if promised else ""


def kind(value: JSON) -> str:
    """A JSON value's type in words: "a JSON array", "null"."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a JSON string"
        case int() | float():
            return "a number"
        case list():
            return "a JSON array"
        case _:
            return "a JSON object"


def text_field(body: JSON, name: str) -> str:
    """A field of the body if it is text, else ""."""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def wants_stream(body: JSON) -> bool:
    """Whether the body says `"stream": true`."""
    return isinstance(body, dict) and body.get("stream") is True


def semantic(headers: Headers, names: Collection[str]) -> Headers:
    """The headers that change the answer, lower-cased and in order of name: part of the match key."""
    return tuple(sorted((key.lower(), value) for key, value in headers if key.lower() in names))
