"""What can be said of a request once and for all: equal requests are read, keyed and checked once. Bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict

from llm_simulator import dialects
from llm_simulator.cassettes.key import Matcher
from llm_simulator.dialects.base import Dialect
from llm_simulator.types import Call, Condition, RawRequest

KEPT_BYTES = 8 << 20
LARGEST = 64 << 10
"""Requests above this are read anew each time: they are rare and would push the others out."""
_ENTRY_BYTES = 4096  # what an entry costs beside the body, roughly: parsed JSON and headers


class Known:
    """A call with what follows from it alone."""

    __slots__ = ("_checked", "_identity", "_matcher", "_problem", "call", "dialect")

    def __init__(self, raw: RawRequest, matcher: Matcher) -> None:
        self.call: Call = dialects.read(raw)
        self.dialect: Dialect = dialects.of(self.call)
        self._matcher = matcher
        self._identity = b""
        self._checked = False
        self._problem: Condition | None = None

    @property
    def identity(self) -> bytes:
        """The match key's digest: what makes two calls equal."""
        if not self._identity:
            self._identity = self._matcher.key(self.call).digest
        return self._identity

    def problem(self) -> Condition | None:
        """What is structurally wrong with the call."""
        if not self._checked:
            self._problem = self.dialect.check(self.call)
            self._checked = True
        return self._problem


class Reader:
    """Reads requests; the most recently used ones are remembered."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._kept: OrderedDict[RawRequest, Known] = OrderedDict()
        self._bytes = 0

    def read(self, raw: RawRequest) -> Known:
        known = self._kept.get(raw)
        if known is not None:
            self._kept.move_to_end(raw)
            return known
        known = Known(raw, self._matcher)
        if len(raw.body) <= LARGEST:
            self._keep(raw, known)
        return known

    def _keep(self, raw: RawRequest, known: Known) -> None:
        self._kept[raw] = known
        self._bytes += _ENTRY_BYTES + 6 * len(raw.body)
        while self._bytes > KEPT_BYTES:
            old, _ = self._kept.popitem(last=False)
            self._bytes -= _ENTRY_BYTES + 6 * len(old.body)
