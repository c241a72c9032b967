"""The match key: two calls have one key if and only if they mean the same to the provider, on every machine and run.

It is a function of the request and the rules alone, the same at record and at replay. It covers provider, method, path,
query without credentials, body (content.py) and the headers that change the answer. The API family is not hashed: it
follows from these, and may have been guessed where a client comes by a bare path. Whoever changes what a key is made of
changes `MATCHER_VERSION` as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote_from_bytes, unquote_plus, unquote_to_bytes

from llm_simulator.cassettes.content import Rules, canonical, fold
from llm_simulator.cassettes.jsonpath import compile_path
from llm_simulator.errors import ConfigError
from llm_simulator.redact.names import credential_parameter
from llm_simulator.types import Call, Headers, header

MATCHER_VERSION = 1

_PCHAR = "-._~!$&'()*+,;=:@"  # what a path segment may hold unescaped (RFC 3986, 3.3)
_CODED = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/-]")
_SLASHES = re.compile("/{2,}")
_LONG = 4096  # a longer body is remembered by its digest
_ENTRY = 600  # bytes that a remembered key takes besides its body


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What a user adds to the key or takes from it.

    `ignore`: JSON paths (`$.metadata.trace_id`) whose value is not compared, or `/regex/`: text that is not compared
    inside string values. `headers`: names of further headers that are compared. `host`: whether the host is.
    """

    ignore: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    host: bool = False

    def __or__(self, other: MatchRules) -> MatchRules:
        """Both: what either ignores is ignored, what either compares is compared."""
        ignore, headers = (*self.ignore, *other.ignore), (*self.headers, *other.headers)
        return MatchRules(ignore, headers, self.host or other.host)

    @property
    def fingerprint(self) -> str:
        """Names the matcher and these rules: stored keys are only good under the fingerprint they were made with."""
        rules = repr((sorted(set(self.ignore)), sorted({name.lower() for name in self.headers}), self.host))
        return f"{MATCHER_VERSION}:{hashlib.blake2b(rules.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


@dataclass(frozen=True, slots=True)
class MatchKey:
    """`core` is the key without the provider, `digest` the whole one; 16 bytes each."""

    core: bytes
    provider: str
    digest: bytes

    def under(self, provider: str) -> bytes:
        """The digest of the same call made to another provider."""
        return self.digest if provider == self.provider else _under(self.core, provider)


class Matcher:
    """Makes keys under one set of rules. Remembers keys by the raw request, in at most about `memory` bytes."""

    __slots__ = ("_bytes", "_headers", "_known", "_masking", "_memory", "_rules", "rules")

    def __init__(self, rules: MatchRules = MatchRules(), memory: int = 8 << 20) -> None:
        self.rules = rules
        self._rules = compile_rules(rules)
        self._headers = tuple(sorted({name.lower() for name in rules.headers}))
        self._masking: dict[tuple[str, ...], Rules] = {(): self._rules}
        self._known: dict[object, tuple[MatchKey, int]] = {}
        self._memory = memory
        self._bytes = 0

    def key(self, call: Call, masked: tuple[str, ...] = ()) -> MatchKey:
        """The key of a call; with `masked`, of the call as a recording with these masked paths would have it."""
        name = self._name(call, masked)
        found = self._known.pop(name, None)
        if found is None:
            found = self._make(call, masked), _ENTRY + min(len(call.raw.body), _LONG)
            self._bytes += found[1]
        self._known[name] = found  # last in line to be forgotten
        while self._bytes > self._memory:
            self._bytes -= self._known.pop(next(iter(self._known)))[1]
        return found[0]

    def explain(self, asked: Call, recorded: Call, masked: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The names of the rules that made two calls with equal keys equal; () where their requests are the same."""
        from llm_simulator.cassettes.explain import explain

        needed = [rule for rule in self.rules.ignore if self._needed(rule, asked, recorded, masked)]
        return explain(asked, recorded, masked, needed)

    def _needed(self, rule: str, asked: Call, recorded: Call, masked: tuple[str, ...]) -> bool:
        """Whether the calls are equal only because of this ignore rule."""
        fewer = Matcher(replace(self.rules, ignore=tuple(other for other in self.rules.ignore if other != rule)))
        return fewer.key(asked, masked).core != fewer.key(recorded, masked).core

    def _name(self, call: Call, masked: tuple[str, ...]) -> object:
        """What a key is remembered by: all that it can depend on, unread."""
        raw = call.raw
        body: object = raw.body
        if len(raw.body) > _LONG:
            body = hashlib.blake2b(raw.body, digest_size=16).digest()
        kind = () if raw.body[:1] in (b"{", b"") else _kind(raw.headers)
        host = raw.host if self.rules.host else ""
        wanted = self._wanted(raw.headers) if self._headers else ()
        return (raw.path, raw.query, body, raw.method, call.provider, call.semantic, kind, host, wanted, masked)

    def _wanted(self, headers: Headers) -> Headers:
        return tuple((name, value) for key, value in headers if (name := key.lower()) in self._headers)

    def compared(self, call: Call) -> tuple[tuple[str, str], ...]:
        """The headers that are part of the key, normalised."""
        return normal_headers((*call.semantic, *self._wanted(call.raw.headers)))

    def masking(self, masked: tuple[str, ...]) -> Rules:
        """The rules for a body whose recording has these masked paths."""
        rules = self._masking.get(masked)
        if rules is None:
            rules = self._masking[masked] = self._rules.masking(masked)
        return rules

    def _make(self, call: Call, masked: tuple[str, ...]) -> MatchKey:
        raw = call.raw
        fields = [raw.method.upper(), normal_path(raw.path), raw.host.lower() if self.rules.host else "", *masked]
        fields += ["", *pairs(normal_query(raw.query)), "", *pairs(self.compared(call))]
        core = _digest(fields, canonical(raw, self.masking(masked)))
        return MatchKey(core, call.provider, _under(core, call.provider))


def compile_rules(rules: MatchRules) -> Rules:
    """The body's part of the rules. Raises ConfigError, naming every one that cannot be read."""
    drop, blur, wrong = [], [], []
    for text in rules.ignore:
        try:
            if len(text) > 2 and text[0] == text[-1] == "/":
                blur.append(re.compile(text[1:-1]))
            else:
                drop.append(compile_path(text))
        except re.error as error:
            wrong.append(f"match.ignore: {text!r} is no regular expression ({error}); write it as /regex/")
        except ConfigError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigError("\n".join(wrong))
    return Rules(tuple(drop), tuple(blur))


@lru_cache(maxsize=512)
def normal_path(path: str) -> str:
    """The path in one form: single slashes, none at the end, nothing percent-encoded that need not be."""
    if _CODED.search(path):
        parts = path.encode("utf-8", "surrogatepass").split(b"/")
        path = "/".join(quote_from_bytes(unquote_to_bytes(part), safe=_PCHAR) for part in parts)
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return fold(path.rstrip("/") or "/")


@lru_cache(maxsize=512)
def normal_query(query: str) -> tuple[tuple[str, str], ...]:
    """Names and values without credentials, sorted by name; those of one name keep their order."""
    if not query:
        return ()
    fields = [_field(part) for part in query.split("&") if part]
    kept = [(name, fold(value)) for name, value in fields if not credential_parameter(name)]
    return tuple(sorted(kept, key=lambda field: field[0]))


def _field(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote_plus(name, errors="surrogateescape"), unquote_plus(value, errors="surrogateescape")


def normal_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Names with all their values joined (RFC 9110, 5.3). The order of beta flags means nothing."""
    joined: dict[str, list[str]] = {}
    for name, value in headers:
        joined.setdefault(name.lower(), []).extend(part.strip() for part in value.split(","))
    ordered = ((name, sorted(set(parts)) if name.endswith("-beta") else parts) for name, parts in joined.items())
    return tuple(sorted((name, fold(",".join(parts))) for name, parts in ordered))


def pairs(fields: Iterable[tuple[str, str]]) -> list[str]:
    """Fields as one list, name and value in turn."""
    return [text for field in fields for text in field]


def _kind(headers: Headers) -> tuple[str, str]:
    return header(headers, "content-type"), header(headers, "content-encoding")


def _digest(fields: list[str], body: bytes) -> bytes:
    """Of texts and bytes; each length is hashed too, so that no two lists look alike."""
    parts = [field.encode("utf-8", "surrogatepass") for field in fields]
    head = ",".join(str(len(part)) for part in parts)
    state = hashlib.blake2b(head.encode() + b";" + b"".join(parts), digest_size=16)
    state.update(body)
    return state.digest()


def _under(core: bytes, provider: str) -> bytes:
    return hashlib.blake2b(core + provider.encode("utf-8", "surrogatepass"), digest_size=16).digest()
