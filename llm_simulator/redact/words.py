"""The distinct words of a text, cut once for all rules: most texts have none that a rule cares for.

A word is a run of letters, digits, "-" and "_": what keys, their prefixes and the names beside them are made of.
"""

from __future__ import annotations

from llm_simulator.redact.names import named_assignment, secret_member

LONG = 14
"""The shortest word that a key of a known shape starts with."""

_HEAD = 26  # a shape's prefix stands within the first characters of its word, behind an escape at most
_SEPARATED = bytes(c if chr(c).isascii() and (chr(c).isalnum() or chr(c) in "-_") else 32 for c in range(256))
_ENDS = ("key", "ken", "ret", "ord", "swd", "ase", "ion", "ial", "als", "ing", "kie")
_LAST = frozenset(end for low in _ENDS for end in (low, low.upper(), low.capitalize(), low[0] + low[1:].upper()))
"""How the names of secrets end; a glance at three letters spares a look at most words."""

_COARSE = bytes(c if c in b"+/" else _SEPARATED[c] for c in range(256))
_LARGE = 100_000
_BLOB = 2048  # a longer run of base64 characters is base64: no key has its prefix in the middle of that


def _cut(data: bytes) -> set[str]:
    return set(data.translate(_SEPARATED).decode("ascii").split())


def _cut_large(data: bytes) -> set[str]:
    """The same, but images and the like stay in one piece: cutting them up costs most of all."""
    coarse = data.translate(_COARSE).split()
    blobs = {word.decode("ascii") for word in coarse if len(word) >= _BLOB}
    return _cut(b" ".join([word for word in coarse if len(word) < _BLOB])) | blobs


class Words:
    """The words of one text, and what they say about it.

    `heads` are the beginnings of all long words, one per line. `secret_names`: whether a word is a name that says
    secret, of a member or of what is assigned in text.
    """

    __slots__ = ("_words", "heads", "secret_names")

    def __init__(self, text: str) -> None:
        data = text.encode("latin-1") if text.isascii() else text.encode("utf-8", "surrogatepass")
        cut = self._words = _cut(data) if len(data) < _LARGE else _cut_large(data)
        self.heads = "\n".join([word[:_HEAD] for word in cut if len(word) >= LONG])
        self.secret_names = any([_names_secret(word) for word in cut if word[-3:] in _LAST])

    def text(self) -> str:
        """All words, one per line."""
        return "\n".join(self._words)


def _names_secret(word: str) -> bool:
    return secret_member(word) or named_assignment(word)
