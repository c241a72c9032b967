"""Known shapes of keys: a function of the text alone, so that record and replay agree whatever the environment.

A shape is specific enough not to hit ordinary text, ids or base64: it starts at a boundary and has a prefix, a check or
a name beside it. Keys without a shape (32 hex, 40 letters) are masked only where a name says what they are.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from llm_simulator.redact.names import credential_parameter, named_assignment
from llm_simulator.redact.placeholder import Span, cover, fresh
from llm_simulator.redact.words import Words

PASSES = 6
"""A placeholder may complete the shape around it: masking repeats until nothing is left. Two passes do, in practice."""


@dataclass(frozen=True)
class _Shape:
    """`pattern` is tried where `literal` and one of `also` are in the text; group `value` or 1 is the secret, or all."""

    kind: str
    literal: str
    source: str
    check: Callable[[re.Match[str]], bool] | None = None
    also: tuple[str, ...] = ("",)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.source, re.ASCII)

    def find(self, text: str) -> Iterator[Span]:
        group = "value" if "value" in self.pattern.groupindex else 1 if self.pattern.groups else 0
        for match in self.pattern.finditer(text):
            if self.check is None or self.check(match):
                yield Span(*match.span(group), self.kind)


def _edge(before: str, literal: str = "") -> str:
    """A boundary in front of `literal`: no character of `before` or behind an escape (`\\n`, `\\u003d`), not inside one."""
    at = re.escape(literal)
    half = "\\\\" if literal[:1] in _ESCAPES else ""
    return rf"(?:(?<![%{half}{before}]{at})|(?<=\\[bfnrt]{at})|(?<=%[0-9A-Fa-f]{{2}}{at})|(?<=\\u[0-9A-Fa-f]{{4}}{at}))"


def _token(kind: str, literal: str, tail: str, before: str = "A-Za-z0-9_-") -> _Shape:
    """A key that starts with `literal` at a boundary. The literal comes first: the search for it is fast."""
    return _Shape(kind, literal, re.escape(literal) + _edge(before, literal) + tail)


_ESCAPES = ("", *"bfnrtu")
_WORD = "[A-Za-z0-9_-]"
_OPENAI = (
    rf"(?:(?:proj|svcacct|admin|None|ant|or|lf)-{_WORD}{{8,}}"
    rf"|[A-Za-z0-9]{{20,}}{_WORD}*|(?=[a-z_-]*[0-9A-Z]){_WORD}{{20,}})"
)
_NOT_BASE64 = "A-Za-z0-9_+/-"  # these prefixes may come up inside a base64 text

_TOKENS = (
    _token("openai-style key", "sk-", _OPENAI),
    _token("openai session", "sess-", "[A-Za-z0-9]{32,}"),
    _token("openai client secret", "ek_", "[A-Za-z0-9]{20,}"),
    _token("google api key", "AIza", rf"{_WORD}{{30,}}(?![+/=])", _NOT_BASE64),
    _token("google oauth secret", "GOCSPX-", rf"{_WORD}{{20,}}"),
    _token("aws key id", "AKIA", "[A-Z0-9]{16}(?![A-Za-z0-9+/=])", _NOT_BASE64),
    _token("aws key id", "ASIA", "[A-Z0-9]{16}(?![A-Za-z0-9+/=])", _NOT_BASE64),
    _token("aws bedrock key", "ABSK", "[A-Za-z0-9+/]{60,}={0,2}", _NOT_BASE64),
    _token("aws bedrock key", "bedrock-api-key-", "[A-Za-z0-9+/]{30,}={0,2}"),
    _token("groq key", "gsk_", "[A-Za-z0-9]{20,}"),
    _token("xai key", "xai-", "[A-Za-z0-9]{20,}"),
    _token("hugging face token", "hf_", "[A-Za-z0-9]{20,}"),
    _token("replicate token", "r8_", "[A-Za-z0-9]{20,}"),
    _token("perplexity key", "pplx-", "[A-Za-z0-9]{20,}"),
    _token("fireworks key", "fw_", "[A-Za-z0-9]{20,}"),
    _token("cerebras key", "csk-", "[A-Za-z0-9]{20,}"),
    _token("together key", "tgp_v1_", rf"{_WORD}{{20,}}"),
    _token("nvidia key", "nvapi-", rf"{_WORD}{{20,}}"),
    _token("voyage key", "pa-", rf"(?=[A-Za-z_-]*[0-9]){_WORD}{{40,}}"),
    _token("langsmith key", "lsv2_", rf"{_WORD}{{20,}}"),
    _token("tavily key", "tvly-", rf"{_WORD}{{16,}}"),
    _token("stripe key", "sk_live_", "[A-Za-z0-9]{16,}"),
    _token("stripe key", "rk_live_", "[A-Za-z0-9]{16,}"),
    _token("github token", "ghp_", "[A-Za-z0-9]{30,}"),
    _token("github token", "gho_", "[A-Za-z0-9]{30,}"),
    _token("github token", "ghs_", "[A-Za-z0-9]{30,}"),
    _token("github token", "ghu_", "[A-Za-z0-9]{30,}"),
    _token("github token", "ghr_", "[A-Za-z0-9]{30,}"),
    _token("github token", "github_pat_", "[A-Za-z0-9_]{20,}"),
    _token("gitlab token", "glpat-", rf"{_WORD}{{20,}}"),
    _token("slack token", "xox", "[abeoprs]-[A-Za-z0-9-]{10,}"),
    _token("npm token", "npm_", "[A-Za-z0-9]{36}"),
    _token("json web token", "eyJ", rf"{_WORD}{{10,}}\.{_WORD}{{10,}}\.{_WORD}{{10,}}"),
)

PREFIXES = tuple(dict.fromkeys(shape.literal for shape in _TOKENS))
"""What keys of known shapes start with."""


def _is_basic(match: re.Match[str]) -> bool:
    """RFC 7617: base64 of user:password. The words after "Basic" in a sentence are not."""
    value = match.group(1)
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return False
    return b":" in plain and plain.isascii() and plain.decode("ascii").isprintable()


_SIGNATURES = frozenset({"sig", "signature", "x-amz-signature", "x-goog-signature"})
"""Of a signed link in a text. It opens one resource for an hour or two, and without it the link that a client was given
(a generated image, a batch's result) is not the recorded one. In a request's own query it is masked like any other."""


def _is_parameter(match: re.Match[str]) -> bool:
    name = unquote(match.group("name"))
    return name.lower() not in _SIGNATURES and credential_parameter(name)


_NAME_BEFORE = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{2,60})\\*[\"']?\s*$", re.ASCII)
_DIGIT = re.compile(r"[0-9]")


def _is_assigned(match: re.Match[str]) -> bool:
    if _DIGIT.search(match["value"]) is None:
        return False
    name = _NAME_BEFORE.search(match.string, max(0, match.start() - 80), match.start())
    return name is not None and named_assignment(name[1])


_FREE = (
    _token("google access token", "ya29.", rf"{_WORD}{{16,}}[A-Za-z0-9_.-]*", "A-Za-z0-9"),
    _token("google refresh token", "1//0", rf"{_WORD}{{30,}}", "A-Za-z0-9+/"),
    _Shape(
        "azure key",
        "JQQJ99",
        _edge("A-Za-z0-9+/") + "[A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{16,32}(?![A-Za-z0-9+/=])",
    ),
    _Shape("bearer token", "earer", r"[Bb]earer(?: |%20|\+)((?=[A-Za-z_~+/=.-]*[0-9])[A-Za-z0-9._~+/=-]{16,})"),
    _Shape("bearer token", "EARER", r"BEARER(?: |%20|\+)((?=[A-Za-z_~+/=.-]*[0-9])[A-Za-z0-9._~+/=-]{16,})"),
    _Shape("basic credentials", "asic ", r"[Bb]asic ([A-Za-z0-9+/]{8,}={0,2})", _is_basic),
    _Shape(
        "private key",
        "PRIVATE KEY",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:(?!-----BEGIN)[^\"\0]){0,20000}?-----END (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\r\n\\]*)",
    ),
    _Shape(
        "password in a url", "@", r"://[A-Za-z0-9._~%+-]{0,64}:([A-Za-z0-9._~%!$&()*+,;=-]{3,256})@(?=[A-Za-z0-9\[])"
    ),
    _Shape(
        "credential in a url",
        "=",
        r"(?:[?&]|\\u0026)(?P<name>[A-Za-z][A-Za-z0-9_.-]{1,40})=(?P<value>(?=[A-Za-z_.~+/%*-]*[0-9])[A-Za-z0-9._~+/%:=*-]{16,})",
        _is_parameter,
        ("?", "&", "\\u0026"),
    ),
)

_ASSIGNED = _Shape(
    "assigned secret",
    "",
    r"[=:]\s{0,2}(?:\\{0,7}[\"'])?(?P<value>[A-Za-z0-9+/_.-]{32,}={0,2})",
    _is_assigned,
)


def find_shapes(text: str, cut: Words) -> Iterator[Span]:
    """Every key of a known shape in the text (`cut`: its words); spans may overlap or be masked (see `fresh`)."""
    for shape in _TOKENS:
        if shape.literal in cut.heads:
            yield from shape.find(text)
    for shape in _FREE:
        if shape.literal in text and any(more in text for more in shape.also):
            yield from shape.find(text)
    if cut.secret_names:
        yield from _ASSIGNED.find(text)


def mask(text: str) -> str:
    """The text with a placeholder over every key of a known shape: a function of the text alone, idempotent."""
    for _ in range(PASSES):
        spans = fresh(text, find_shapes(text, Words(text)))
        if not spans:
            break
        text = cover(text, spans)
    return text
