"""A request body as the bytes that its match key hashes: two bodies that mean the same have the same ones.

JSON by value (canonical.py), forms by sorted field, multipart by part without its boundary, all else as it is. Known key
shapes, and fields whose name says secret, are compared masked: a recording, which never holds a key, so equals the call
that carried one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from llm_simulator.cassettes.canonical import dump, edit, hide, load, texts
from llm_simulator.cassettes.jsonpath import Path, compile_path
from llm_simulator.cassettes.multipart import Part, parts_of
from llm_simulator.redact import MASKED, mask
from llm_simulator.redact.names import credential_parameter, secret_member
from llm_simulator.types import JSON, RawRequest, header

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SECRET = "\ud800secret"  # every masked secret, whatever its length
IGNORED = "\ud800ignored"  # text that an ignore rule's regex matched


@dataclass(frozen=True, slots=True)
class Volatile:
    """Text in a JSON body that a real client makes anew for each run although it does not change the answer."""

    name: str
    path: str  # how the request's path ends
    member: str  # of the top-level object, dotted
    pattern: re.Pattern[str]
    why: str

    def of(self, value: JSON) -> str:
        """The member's text; "" where there is none."""
        text: JSON = self._holder(value).get(self.member.rpartition(".")[2])
        return str(text) if isinstance(text, str) else ""

    def blur(self, value: JSON) -> None:
        """Takes the text out, in place."""
        if text := self.of(value):
            self._holder(value)[self.member.rpartition(".")[2]] = self.pattern.sub(IGNORED, text)

    def _holder(self, value: JSON) -> dict[str, JSON]:
        for name in self.member.split(".")[:-1]:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}


VOLATILE: tuple[Volatile, ...] = (
    Volatile(
        "claude-code-session",
        "/messages",
        "metadata.user_id",
        re.compile(rf'(?<=_session_){UUID}\Z|(?<="session_id":"){UUID}(?=")'),
        "Claude Code puts the id of the session, new for each run, into its user_id (a JSON text since 2.1.78)",
    ),
    Volatile(
        "codex-cache-key",
        "/responses",
        "prompt_cache_key",
        re.compile(rf"\A{UUID}\Z"),
        "Codex sends the id of the conversation, new for each run; it only routes to a prompt cache",
    ),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What to leave out of a body, compiled. `masked` are places whose value is known to be hidden in the recording."""

    drop: tuple[Path, ...] = ()
    blur: tuple[re.Pattern[str], ...] = ()
    masked: tuple[Path, ...] = ()

    def masking(self, paths: Iterable[str]) -> Rules:
        """These rules for a recording with masked paths."""
        return Rules(self.drop, self.blur, tuple(compile_path(path) for path in paths))

    def blurred(self, text: str) -> str:
        """A string value without the text that an ignore rule's regex matches."""
        for pattern in self.blur:
            text = pattern.sub(IGNORED, text)
        return text


def fold(text: str) -> str:
    """The text with each key-shaped piece, masked or not, as one token: a function of the text alone."""
    return MASKED.sub(SECRET, mask(text)) if text else text


def plain(raw: RawRequest) -> bytes:
    """The body with its content-encoding undone; as it is where that fails."""
    coding = header(raw.headers, "content-encoding")
    if not coding or not raw.body:
        return raw.body
    from llm_simulator.redact.coding import CodingError, decode

    try:
        return decode(raw.body, coding)
    except CodingError:
        return raw.body


def canonical(raw: RawRequest, rules: Rules) -> bytes:
    """The bytes to hash: a letter for the kind of body, then the body. Never raises."""
    data = plain(raw)
    if not data:
        return b""
    if any(path.steps == () for path in rules.masked):
        return b"*"  # "$": the whole body is masked
    kind = _kind(raw, data)
    try:
        return kind(raw, data, rules)
    except (ValueError, RecursionError):  # it is not what it says: then its bytes are all we know
        return _other(data, rules)


def parsed(raw: RawRequest) -> JSON:
    """The body as a JSON value to compare field by field: JSON, the fields of a form or multipart, else its text."""
    data = plain(raw)
    kind = _kind(raw, data)
    try:
        if kind is _json:
            return load(data)
        if kind is _urlencoded:
            return _grouped(_form(data))
        if kind is _multipart:
            return _grouped((part.name, _summary(part)) for part in parts_of(_type(raw), data))
    except (ValueError, RecursionError):
        pass
    return data.decode("utf-8", "backslashreplace") if data else None


def _summary(part: Part) -> str:
    return SECRET if secret_member(part.name) else part.summary()


def comparable(raw: RawRequest, rules: Rules) -> JSON:
    """What `parsed` gives, without what the rules leave out."""
    value = parsed(raw)
    _freshen(raw, value)
    return reduced(value, rules)


_Kind = Callable[[RawRequest, bytes, Rules], bytes]


def _kind(raw: RawRequest, data: bytes) -> _Kind:
    if data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _json  # whatever the content-type: curl -d sends JSON as a form
    kind = _type(raw).lower()
    if "json" in kind:
        return _json
    if kind.startswith("multipart/"):
        return _multipart
    return _urlencoded if "form-urlencoded" in kind else _plainly


def _type(raw: RawRequest) -> str:
    return header(raw.headers, "content-type")


def _json(raw: RawRequest, data: bytes, rules: Rules) -> bytes:
    value = load(data)
    _freshen(raw, value)
    return b"J" + dump(reduced(value, rules))


def _freshen(raw: RawRequest, value: JSON) -> None:
    for rule in VOLATILE:
        if raw.path.endswith(rule.path):
            rule.blur(value)


def reduced(value: JSON, rules: Rules) -> JSON:
    """A JSON value without what the rules leave out; changed in place where that is possible."""
    for path in rules.masked:
        value = path.hide(value)
    for path in rules.drop:
        value = path.drop(value)
    if rules.blur:
        value = edit(value, rules.blurred)
    keys, strings = texts(value)  # one pass says whether there is anything to do at all
    if any(map(secret_member, keys)):
        hide(value, secret_member, SECRET)
    whole = "\n".join((*keys, *strings))
    return edit(value, fold, keys=True) if fold(whole) != whole else value


def _urlencoded(raw: RawRequest, data: bytes, rules: Rules) -> bytes:
    return b"F" + dump(reduced(_grouped(_form(data)), rules))


def _form(data: bytes) -> list[tuple[str, str]]:
    text = data.decode("utf-8", "surrogateescape")
    fields = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="surrogateescape")
    return [(name, SECRET if credential_parameter(name.strip()) else value) for name, value in fields]


def _grouped(pairs: Iterable[tuple[str, JSON]]) -> JSON:
    """Fields as an object; those of one name stay together in their order."""
    fields: dict[str, list[JSON]] = {}
    for name, item in pairs:
        fields.setdefault(name, []).append(item)
    return {name: items[0] if len(items) == 1 else items for name, items in fields.items()}


def _multipart(raw: RawRequest, data: bytes, rules: Rules) -> bytes:
    """By part: name, filename, content-type and the digest of its content; a JSON part's content by value."""
    fields = [(part.name, [part.filename, part.kind, _part(part, rules)]) for part in parts_of(_type(raw), data)]
    value = _grouped(fields)
    for path in rules.masked:
        value = path.hide(value)
    for path in rules.drop:
        value = path.drop(value)
    return b"M" + dump(value)


def _part(part: Part, rules: Rules) -> str:
    if secret_member(part.name):
        return SECRET
    data = b"J" + dump(reduced(load(part.content), rules)) if "json" in part.kind else _other(part.content, rules)
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _plainly(raw: RawRequest, data: bytes, rules: Rules) -> bytes:
    return _other(data, rules)


def _other(data: bytes, rules: Rules) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return b"B" + fold(data.decode("latin-1")).encode("utf-8", "surrogatepass")
    return b"T" + fold(rules.blurred(text)).encode("utf-8", "surrogatepass")
