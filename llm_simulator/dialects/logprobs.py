"""Log probabilities of the tokens of a simulated answer: plausible, summing to less than 1, a function of the answer's seed.

A piece of text is one entry, as it is one delta of a stream; where it took several tokens, they share the entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.ids import digest

MOST = 20  # of top_logprobs, as the API has it
_OTHERS = (
    " the",
    " a",
    " and",
    ",",
    ".",
    " of",
    " to",
    " in",
    " is",
    " that",
    " for",
    " it",
    "The",
    " with",
    " as",
    " on",
    " be",
    "\n",
    " by",
    " an",
    " or",
    "I",
    " at",
)
_SURE = 0.35  # the least probability of the token that was taken


def entries(pieces: Sequence[str], seed: str, top: int) -> list[Object]:
    """One entry for each piece, with the `top` most probable tokens in its place."""
    return [entry(piece, seed, place, top) for place, piece in enumerate(pieces)]


def entry(piece: str, seed: str, place: int, top: int) -> Object:
    drawn = digest(seed, f"logprob {place}")
    doubt = int.from_bytes(drawn[:4], "big") / 2**32
    probability = 1.0 - (1.0 - _SURE) * doubt**3
    return {**_told(piece, probability), "top_logprobs": _top(piece, probability, drawn, min(top, MOST))}


def _top(piece: str, probability: float, drawn: bytes, top: int) -> list[Object]:
    """The taken token and the others that share what it leaves, each half as probable as the one before."""
    start = drawn[5] % len(_OTHERS)
    others = [name for name in (*_OTHERS[start:], *_OTHERS[:start]) if name != piece]
    left = 0.98 * (1.0 - probability)  # the rest is all the tokens that are not told
    shares = [left * 0.5 ** (rank + 1) for rank in range(max(top - 1, 0))]
    told = [(piece, probability), *zip(others, shares, strict=False)][:top]
    return [_told(name, share) for name, share in sorted(told, key=lambda pair: -pair[1])]


def _told(token: str, probability: float) -> Object:
    spelled = token.encode("utf-8", "surrogatepass")
    return {"token": token, "logprob": round(math.log(max(probability, 1e-12)), 8), "bytes": list(spelled)}


def token_id(token: str) -> int:
    """A number of a vocabulary of our own: that of the provider is not public."""
    return int.from_bytes(digest(token, "token id")[:4], "big") % 255_000 + 1000


def wanted(body: Object) -> int | None:
    """How many alternatives a chat request asks for; None where it asks for no log probabilities."""
    if body.get("logprobs") is not True:
        return None
    top = body.get("top_logprobs")
    return top if isinstance(top, int) and not isinstance(top, bool) and top > 0 else 0
