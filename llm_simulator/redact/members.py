"""Secrets known by the name beside them in a body: JSON members (nested JSON text too), form and multipart fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from llm_simulator.redact.names import credential_parameter, secret_member
from llm_simulator.redact.placeholder import Span
from llm_simulator.redact.words import Words

_MEMBER = re.compile(
    r'(?<!\\)(?P<q>\\*)"(?P<name>[A-Za-z0-9_.-]{0,60}(?:[eE][yY]|(?i:token|secret|password|passwd|passphrase|authorization'
    r'|credentials?|connection[_-]?string|assertion|cookie)))(?P=q)"\s*(?:\\+[nrt]\s*)*:\s*(?:\\+[nrt]\s*)*(?P=q)"',
    re.ASCII,
)
_QUOTE = re.compile(r'(?<!\\)(\\*)"|\0')
_FIELD = re.compile(r"(?:^|&)([^=&]+)=([^&]*)")
_PART = re.compile(
    r'(?i:content-disposition):\s*form-data;[^\r\n]*?\bname="?([^";\r\n]+)"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)(?=\r?\n--|\Z)',
    re.DOTALL,
)


def find_members(text: str, cut: Words) -> Iterator[Span]:
    """Text values of JSON members whose name says secret, at any depth of JSON inside JSON strings."""
    if not cut.secret_names:
        return
    for match in _MEMBER.finditer(text):
        if secret_member(match["name"]):
            yield Span(match.end(), _end(text, match.end(), len(match["q"])), f'member "{match["name"]}"')


def _end(text: str, start: int, quoted: int) -> int:
    """Where the string that starts here ends; its quotes have `quoted` backslashes, 2^depth - 1 (RFC 8259, 7).

    A quote of fewer ends an outer string; one of more belongs to the value or to JSON inside it.
    """
    for match in _QUOTE.finditer(text, start):
        if match[1] is None:
            return match.start()
        slashes = len(match[1])
        if slashes < quoted:
            return match.start()
        if slashes % (2 * (quoted + 1)) == quoted:
            return match.end() - 1 - quoted
    return len(text)


def find_fields(text: str) -> Iterator[Span]:
    """Values of the credential fields of an `application/x-www-form-urlencoded` body."""
    for match in _FIELD.finditer(text):
        name = unquote_plus(match[1].strip())
        if credential_parameter(name):
            yield Span(match.start(2), match.start(2) + len(match[2].rstrip()), f'field "{name}"')


def find_parts(text: str) -> Iterator[Span]:
    """Values of the credential fields of a `multipart/form-data` body (RFC 7578)."""
    if "form-data" not in text:
        return
    for match in _PART.finditer(text):
        if secret_member(match[1]):
            yield Span(*match.span(2), f'field "{match[1]}"')
