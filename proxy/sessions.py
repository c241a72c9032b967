"""Who is calling, and how often the same call was made before (k of the determinism laws). Bounded in number."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import lru_cache

from llm_simulator.types import Headers

SESSIONS_LIMIT = 10_000
COUNTS_LIMIT = 200_000

_CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})


def session_of(explicit: str, headers: Headers) -> str:
    """The session of a request: named by the client, else its credential (as a digest: never the credential itself)."""
    if explicit:
        return explicit
    for name, value in headers:
        if name.lower() in _CREDENTIALS:
            return _digest(value)
    return ""


@lru_cache(maxsize=1024)
def _digest(credential: str) -> str:
    return "key-" + hashlib.blake2b(credential.encode("utf-8", "replace"), digest_size=6).hexdigest()


class Occurrences:
    """Counts earlier requests of one session with the same call and attempt."""

    def __init__(self, limit: int = COUNTS_LIMIT) -> None:
        self._counts: OrderedDict[tuple[str, bytes, int], int] = OrderedDict()
        self._limit = limit

    def next(self, session: str, identity: bytes, attempt: int) -> int:
        """How many came before this one, which is counted now."""
        key = (session, identity, attempt)
        before = self._counts.get(key, 0)
        self._counts[key] = before + 1
        self._counts.move_to_end(key)
        if len(self._counts) > self._limit:
            self._counts.popitem(last=False)
        return before

    def sessions(self) -> set[str]:
        """Those that anything was counted of."""
        return {session for session, _, _ in self._counts}

    def forget(self, sessions: frozenset[str]) -> None:
        """Counts them anew from now on."""
        for key in [key for key in self._counts if key[0] in sessions]:
            del self._counts[key]
