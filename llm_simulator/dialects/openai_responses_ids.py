"""Ids and sealed texts of the Responses API, as its recorded ones are made up.

Source: recorded traffic of 2026.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_256

from llm_simulator.dialects.ids import HEX, code

_FRAME, _DATA, _TOKEN_BYTES = 57, 666, 4.4  # bytes of encrypted reasoning: Fernet's own, other data, a token of thought


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of one response: all share a beginning, then hold the second that they were made in, and some of their own."""

    seed: str
    created: int

    def make(self, prefix: str, purpose: str, after: int = 0) -> str:
        """`prefix` and 50 hex digits; `after` is in seconds since the response began."""
        shared = _shared(self.seed)
        own = code(self.seed, purpose, 20, HEX)
        return f"{prefix}_0{shared[:15]}00{self.created + after:08x}{own[:4]}81{shared[15:]}{own[4:]}"


@lru_cache(maxsize=64)
def _shared(seed: str) -> str:
    return code(seed, "shared", 17, HEX)


def encrypted(ids: Ids, purpose: str, tokens: int) -> str:
    """What reasoning looks like to the client: a Fernet token, as long as so many tokens of thought would make it."""
    blocks = max(1, round((_DATA + _TOKEN_BYTES * tokens) / 16))
    sealed = shake_256(f"{purpose}\0{ids.seed}".encode()).digest(16 * blocks + _FRAME - 9)
    return urlsafe_b64encode(b"\x80" + ids.created.to_bytes(8, "big") + sealed).decode()
