"""What can be said of a request once and for all: equal requests are read, keyed and checked once. Bounded by bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import dataclass
from hashlib import blake2b
from types import EllipsisType

from llm_simulator import dialects
from llm_simulator.cassettes.key import Matcher
from llm_simulator.dialects.base import Dialect
from llm_simulator.proxy.door import Visit, enter
from llm_simulator.proxy.recent import Recent
from llm_simulator.proxy.sessions import session_of
from llm_simulator.types import Call, Condition, RawRequest, header

KEPT_BYTES = 8 << 20
SEEN_BYTES = 2 << 20
LARGEST = 64 << 10
"""Requests above this are read anew each time: they are rare and would push the others out."""
_ENTRY_BYTES = 4096  # what an entry costs beside the body, roughly: parsed JSON and headers
_SEEN_ENTRY_BYTES = 2048

RawHeaders = tuple[tuple[bytes, bytes], ...]


class Known:
    """A call with what follows from it alone."""

    __slots__ = (
        "_checked",
        "_identity",
        "_matcher",
        "_objection",
        "_problem",
        "_stranger",
        "accepted",
        "call",
        "dialect",
        "varies",
    )

    def __init__(self, raw: RawRequest, matcher: Matcher) -> None:
        self.call: Call = dialects.read(raw)
        self.dialect: Dialect = dialects.of(self.call)
        self.accepted = header(raw.headers, "accept-encoding")
        self._matcher = matcher
        self._identity = b""
        self._checked = False
        self._problem: Condition | None = None
        self._objection: Condition | EllipsisType | None = ...
        self.varies = b""  # the identity of all its occurrences, where each is answered otherwise
        self._stranger: tuple[bool, Condition | None] | None = None

    @property
    def identity(self) -> bytes:
        """The match key's digest: what makes two calls equal."""
        if not self._identity:
            self._identity = self._matcher.key(self.call).digest
        return self._identity

    def varied(self, occurrence: int) -> Known:
        """The same call, equal to none but its own occurrence: its simulated answer is another one each time."""
        other = copy(self)
        other.varies = self.identity
        other._identity = blake2b(b"%b %d" % (self.identity, occurrence), digest_size=len(self.identity)).digest()
        return other

    def unencoded(self) -> Known:
        """The same for a client that takes no content-encoding."""
        other = copy(self)
        other.accepted = ""
        return other

    def problem(self) -> Condition | None:
        """What is structurally wrong with the call."""
        if not self._checked:
            self._problem = self.dialect.check(self.call)
            self._checked = True
        return self._problem

    def objection(self) -> Condition | None:
        """What the provider itself would refuse: broken structure, and what else it does not take."""
        if self._objection is ...:
            self._objection = self.problem() or self.dialect.validate(self.call)
        return self._objection

    def stranger(
        self, models: Collection[str], *, strict: bool, hidden: Callable[[str, str], bool] | None = None
    ) -> Condition | None:
        """The refusal of a model that neither the provider nor `models` has, or that is `hidden`; what these are is the same
        for as long as it is remembered."""
        if self._stranger is None or self._stranger[0] is not strict:
            from llm_simulator.dialects.known_models import answered, unknown  # a replay does not ask

            call = self.call
            known = answered(call, models, strict) and not (hidden is not None and hidden(call.provider, call.model))
            self._stranger = strict, None if known else unknown(call, models, hidden)
        return self._stranger[1]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: the call it makes, what its sender told us, the session it belongs to."""

    known: Known
    visit: Visit
    session: str


class Reader:
    """Reads requests; the most recently used ones are remembered.

    By their bytes, so that a repeated request is not even parsed, and by what is left once the door has taken its own
    off, so that a call is keyed once whatever session or occurrence it comes with.
    """

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._seen: Recent[tuple[str, str, RawHeaders, bytes], Asked] = Recent(SEEN_BYTES)
        self._kept: Recent[RawRequest, Known] = Recent(KEPT_BYTES)

    def read(self, method: str, target: str, headers: RawHeaders, body: bytes) -> Asked:
        """The request, read.

        Raises:
            RequestError: the target or one of our own headers is malformed.
        """
        key = (method, target, headers, body)
        asked = self._seen.get(key)
        if asked is None:
            raw, visit = enter(method, target, headers, body)
            asked = Asked(self.known(raw), visit, session_of(visit.session, raw.headers))
            if len(body) <= LARGEST:
                self._seen.put(key, asked, _SEEN_ENTRY_BYTES + len(body))
        return asked

    def known(self, raw: RawRequest) -> Known:
        """What is known of the call that a request makes."""
        known = self._kept.get(raw)
        if known is None:
            known = Known(raw, self._matcher)
            if len(raw.body) <= LARGEST:
                self._kept.put(raw, known, _ENTRY_BYTES + 6 * len(raw.body))
        return known
