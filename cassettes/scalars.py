"""Strings as YAML scalars that every YAML 1.1 and 1.2 reader gives back exactly.

PyYAML's own emitter gives up block style at a trailing space or a tab and wraps long lines: no use for diffs.
"""

from __future__ import annotations

import base64
import re

UNSHOWN = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What a block scalar cannot hold: controls, the line breaks of YAML 1.1 (CR, NEL, LS, PS), BOM, lone surrogates."""

_PLAIN = re.compile(r"[A-Za-z/](?:[\w./+;=, @*()-]*[\w/+=*)-])?|[0-9]+", re.ASCII)
_WORDS = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n"])
_QUOTED = re.compile('["\\\\\n\t]|' + UNSHOWN.pattern)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LINE = re.compile(r"^(?=[^\n])", re.M)
_WIDE = 100  # the most that a plain scalar or a mapping key is long


def scalar(text: str) -> str:
    """`text` on one line: as it stands where no reader can take it for something else, else in double quotes.

    A lone surrogate, which no YAML can hold, makes it `{base64: ...}` of the UTF-8 with surrogates.
    """
    if len(text) <= _WIDE and _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if _SURROGATE.search(text):
        return f"{{base64: {base64.b64encode(text.encode('utf-8', 'surrogatepass')).decode()}}}"
    return quoted(text)


def quoted(text: str) -> str:
    """`text` without lone surrogates in double quotes, on one line."""
    return f'"{_QUOTED.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    wide = f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
    return _SHORT.get(character, wide)


def block(text: str, indent: int) -> str:
    """`text` without lone surrogates as a literal block whose lines start at column `indent`, else in double quotes.

    It stands after `name: ` of a mapping that is indented by `indent` - 2; the result has no newline at its end.
    """
    if text.isspace() or not text or UNSHOWN.search(text):
        return quoted(text)
    depth = "2" if text[0] in " \n\t" else ""
    ending = "-" if text[-1] != "\n" else "+" if text[-2:] == "\n\n" else ""
    lines = _LINE.sub(" " * indent, text)
    return f"|{depth}{ending}\n{lines.removesuffix(chr(10))}"


def pair(name: str, value: str) -> str:
    """An entry of a list of (name, value): `name: value`, or `[name, value]` where the name is no good mapping key."""
    key = scalar(name)
    if len(key) > _WIDE or key[0] == "{":
        return f"[{_flow(name)}, {_flow(value)}]"
    return f"{key}: {scalar(value)}"


def _flow(text: str) -> str:
    """`text` as an element of a flow sequence, where a comma would end a plain scalar."""
    return scalar(text) if _SURROGATE.search(text) else quoted(text)
