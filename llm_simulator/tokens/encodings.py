"""Text to tokens as OpenAI's models cut it: exact for OpenAI and Azure, the common yardstick for everybody else.

Special tokens in a text ("<|endoftext|>") count as the ordinary text that they are to a client. An encoding is loaded
once per process, when first asked for or by `warm`; importing this module or naming an encoding loads nothing.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

ENCODINGS = ("o200k_base", "cl100k_base", "p50k_base", "r50k_base")

# First match wins; what matches nothing (other providers, models yet to come) is o200k_base.
_FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), encoding)
    for pattern, encoding in (
        (r"gpt-4o|gpt-4\.|gpt-oss|chatgpt", "o200k_base"),
        (r"gpt-4|gpt-3\.?5|text-embedding-(3|ada)|(davinci|babbage)(-002|:)", "cl100k_base"),
        (r"text-davinci-00[23]|code-(davinci|cushman)|davinci-codex|cushman-codex|text-davinci-edit-", "p50k_base"),
        (r"(text-(similarity-|search-)?)?(ada|babbage|curie|davinci)\b|gpt-?2", "r50k_base"),
    )
)
_OLD_CODE_SEARCH = re.compile(r"code-search-")


@lru_cache(maxsize=1024)
def encoding_name(model: str) -> str:
    """The tiktoken encoding of a model: "gpt-4o-2024-08-06", "ft:gpt-3.5-turbo:org::id", "gpt-35-turbo" (Azure),
    "openai/gpt-4.1" (a router's spelling). A model nobody knows, and the name of an encoding, have an answer too.
    """
    if model in ENCODINGS:
        return model
    base = model.rpartition("/")[2].removeprefix("ft:").lower()
    if _OLD_CODE_SEARCH.match(base):
        return "r50k_base"
    return next((encoding for family, encoding in _FAMILIES if family.match(base)), "o200k_base")


_loaded: dict[str, Encoding] = {}
_loading = Lock()


def _encoding(model: str) -> Encoding:
    name = encoding_name(model)
    encoding = _loaded.get(name)
    return encoding if encoding is not None else _load(name)


def _load(name: str) -> Encoding:
    with _loading:
        if name not in _loaded:
            from llm_simulator.tokens import ranks  # imports tiktoken: not before a token is needed

            _loaded[name] = ranks.build(name)
        return _loaded[name]


def loaded(model: str) -> bool:
    """Whether counting for a model would not have to load ranks first."""
    return encoding_name(model) in _loaded


def warm(model: str) -> None:
    """Load the ranks of a model's encoding now: 0.3 s for o200k_base, best in a thread and off the hot path."""
    _encoding(model)


# tiktoken's regular expressions give up, as a Rust panic, on runs of a million blanks: those are cut before.
_RUN = 100_000
_LONG_BLANKS = re.compile(rf"\s{{{_RUN}}}")


def encode(text: str, model: str) -> list[int]:
    """The tokens of `text`. Lone surrogates become U+FFFD, as in tiktoken."""
    encoding = _encoding(model)
    if len(text) <= _RUN:
        return encoding.encode_ordinary(text)
    return [token for piece in _tame(text) for token in encoding.encode_ordinary(piece)]


def _tame(text: str) -> Iterator[str]:
    start = 0
    for run in _LONG_BLANKS.finditer(text):
        yield text[start : run.end()]
        start = run.end()
    yield text[start:]


def decode(tokens: Sequence[int], model: str) -> str:
    """The text of `tokens`; bytes that are no UTF-8 become U+FFFD. Raises KeyError for a token that does not exist."""
    return _encoding(model).decode(tokens)


_LONE_SURROGATE = re.compile("([\ud800-\udfff])")


def split(text: str, model: str) -> tuple[str, ...]:
    """`text` in pieces of one token each; joined they are the text again, to the last code point.

    A token that ends inside a UTF-8 character is joined with those that complete it, so a piece may hold two or three.
    """
    if text.isascii():
        return tuple(piece.decode("ascii") for piece in _token_bytes(text, model))
    if _LONE_SURROGATE.search(text):
        parts = filter(None, _LONE_SURROGATE.split(text))
        return tuple(p for part in parts for p in ((part,) if _LONE_SURROGATE.match(part) else split(part, model)))
    return tuple(_whole_characters(_token_bytes(text, model)))


def _token_bytes(text: str, model: str) -> list[bytes]:
    return _encoding(model).decode_tokens_bytes(encode(text, model))


def _whole_characters(pieces: Sequence[bytes]) -> Iterator[str]:
    decoder = getincrementaldecoder("utf-8")()
    pending = ""
    for piece in pieces:
        pending += decoder.decode(piece)
        if not decoder.getstate()[0]:
            yield pending
            pending = ""


# Counts by content, in two generations: what was not asked for during a whole generation is forgotten. Lookups take no
# lock; a race costs a count, never a wrong one. A long text is known by its digest, so an entry is 0.6 kB at most.
_GENERATION = 8_192
_SHORT = 128
_young: dict[tuple[str, str | bytes], int] = {}
_old: dict[tuple[str, str | bytes], int] = {}


def count(text: str, model: str) -> int:
    """The number of tokens of `text` for a model (or an encoding, by name); cached by content."""
    key = encoding_name(model), text if len(text) <= _SHORT else _digest(text)
    known = _young.get(key)
    return known if known is not None else _remember(key, text)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _remember(key: tuple[str, str | bytes], text: str) -> int:
    global _young, _old
    known = _old.get(key)
    tokens = known if known is not None else len(encode(text, key[0]))
    if len(_young) >= _GENERATION:
        _young, _old = {}, _young
    _young[key] = tokens
    return tokens
