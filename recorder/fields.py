"""The fields that every foreign format has (URL, headers, status, text, time), read strictly or refused by name."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llm_simulator.recorder.interaction import Body, FieldError, shown
from llm_simulator.types import JSON, Headers, RawRequest

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_URL = re.compile(
    r"(?P<scheme>https?)://(?:[^/?#@]*@)?(?P<host>\[[0-9a-f:.]+\]|[^/?#:@\[\]\s]+)(?::(?P<port>\d{1,5})?)?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_UNWIRED = re.compile(r"[^!-~]+")  # what no URL has on the wire
_BROKEN = re.compile(r"[\r\n\0]")
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"(?:localhost|127\.[\d.]+|\[::1\]|0\.0\.0\.0)(?::\d+)?", re.IGNORECASE)


def mapping(value: JSON, field: str) -> Mapping[str, JSON]:
    if isinstance(value, Mapping):
        return value
    raise FieldError(field, shown(value), "a mapping")


def text(value: JSON, field: str) -> str:
    """Text; whole numbers and true/false count as what stood there, binary as UTF-8."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case bytes():
            return utf8(value, field)
        case _:
            raise FieldError(field, shown(value), "text")


def utf8(value: bytes, field: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise FieldError(field, f"binary that is not UTF-8 at byte {error.start}", "text") from None


def optional(value: JSON, field: str) -> str:
    return "" if value is None else text(value, field)


def status(value: JSON, field: str) -> int:
    """An HTTP status, 100 to 999, as a number or as digits."""
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value) else value
    if isinstance(number, int) and not isinstance(number, bool) and 100 <= number <= 999:
        return number
    raise FieldError(field, shown(value), "a whole number from 100 to 999")


def reason(value: JSON, field: str) -> str:
    """A status phrase on one line; "" where the file has none (HTTP/2 sends none)."""
    phrase = optional(value, field).strip()
    if phrase.isprintable():
        return phrase
    raise FieldError(field, shown(phrase), "one line of text")


def method(value: JSON, field: str) -> str:
    name = text(value, field).removeprefix(":").upper()  # Ruby writes symbols as ":get" or "get"
    if _TOKEN.fullmatch(name):
        return name
    raise FieldError(field, shown(value), "an HTTP method")


def headers(value: JSON, field: str) -> Headers:
    """Headers out of a mapping (name to value or values) or a list of pairs; HTTP/2 pseudo headers are left out."""
    if value is None:
        return ()
    return tuple(
        (name, _value(item, f"{field}.{name}")) for name, item in _pairs(value, field) if not name.startswith(":")
    )


def _pairs(value: JSON, field: str) -> Iterator[tuple[str, JSON]]:
    if isinstance(value, Mapping):
        for key, held in value.items():
            name = _name(key, field)
            for item in held if isinstance(held, list | tuple) else (held,):
                yield name, item
        return
    if not isinstance(value, list):
        raise FieldError(field, shown(value), "a mapping of names to values")
    for pair in value:
        match pair:
            case [key, held]:
                yield _name(key, field), held
            case {"name": key, "value": held}:
                yield _name(key, field), held
            case _:
                raise FieldError(field, shown(pair), "pairs of a name and a value")


def _name(key: JSON, field: str) -> str:
    name = text(key, field)
    if _TOKEN.fullmatch(name.removeprefix(":")):
        return name
    raise FieldError(field, f"the name {shown(name)}", "header names of letters, digits and !#$%&'*+-.^_`|~")


def _value(item: JSON, field: str) -> str:
    """One value as latin-1 text: what lies beyond latin-1 went over the wire as UTF-8."""
    value = "" if item is None else item.decode("latin-1") if isinstance(item, bytes) else text(item, field)
    if _BROKEN.search(value):
        raise FieldError(field, "a value with a line break or NUL", "one line")
    value = value.strip(" \t")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return encode(value, field).decode("latin-1")
    return value


def request(verb: str, url: JSON, field: str, fields: Headers, body: bytes) -> RawRequest:
    """A request from an absolute URL: scheme and host in lower case, no default port, credentials and fragment gone."""
    given = text(url, field)
    found = _URL.fullmatch(given.strip())
    if found is None or int(found["port"] or 0) > 65535:
        raise FieldError(field, shown(_without_query(given)), "an absolute http or https URL")
    scheme = found["scheme"].lower()
    host = found["host"].lower()
    if found["port"] and int(found["port"]) != _PORTS[scheme]:
        host = f"{host}:{int(found['port'])}"
    path, query = _wired(found["path"] or "/"), _wired(found["query"] or "")
    return RawRequest(verb, path, host, scheme, query, fields, body)


def scheme_of(host: str) -> str:
    """The scheme of a host whose recording does not say: plain HTTP on this machine, TLS elsewhere."""
    return "http" if _LOOPBACK.fullmatch(host) else "https"


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _wired(part: str) -> str:
    """Spaces and characters beyond ASCII as a client percent-encodes them."""
    return _UNWIRED.sub(lambda found: "".join(f"%{byte:02X}" for byte in encode(found[0], "url")), part)


def encode(value: str, field: str) -> bytes:
    """UTF-8; a surrogate pair (written by an old Python or JavaScript) is the one character that it means."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        pass
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16").encode()
    except UnicodeDecodeError:
        raise FieldError(field, "half a surrogate pair", "text that UTF-8 can hold") from None


def body(value: JSON, field: str) -> Body:
    """A body that is text, binary, nothing, or a list of such pieces (an iterator was sent)."""
    match value:
        case None:
            return Body()
        case str():
            return Body(encode(value, field), plain=True)
        case bytes():
            return Body(value)
        case list() | tuple() if all(isinstance(piece, str | bytes) for piece in value):
            pieces = [piece if isinstance(piece, bytes) else encode(piece, field) for piece in value]
            return Body(b"".join(pieces), plain=not any(isinstance(piece, bytes) for piece in value))
        case _:
            raise FieldError(field, shown(value), "text, binary or nothing (quote what is meant as text)")


def unbase64(value: JSON, field: str) -> bytes:
    """Strict base64, white space aside: a damaged body is refused, never cut short."""
    packed = "".join(text(value, field).split())
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FieldError(field, f"text that is no base64 ({error})", "base64") from None


def dumped(value: JSON, field: str) -> Body:
    """Parsed JSON as compact text; the bytes of the wire are lost, its values are not."""
    try:
        return Body(encode(json.dumps(value, ensure_ascii=False, separators=(",", ":")), field), True, True)
    except FieldError:
        return Body(json.dumps(value, separators=(",", ":")).encode(), True, True)
    except (TypeError, ValueError, RecursionError) as error:
        raise FieldError(field, f"values that are no JSON ({error})", "JSON values") from None


def instant(value: JSON) -> str:
    """A point in time as RFC 3339 in UTC, from RFC 3339, an ISO variant or an HTTP date; "" where it cannot be read."""
    if not isinstance(value, str) or not value.strip():
        return ""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            found = parsedate_to_datetime(value.strip())
        except ValueError:
            return ""
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    try:
        return found.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return ""
