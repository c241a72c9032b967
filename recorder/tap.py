"""Takes down one exchange while it streams past: nothing here ever raises into the stream, waits or blocks for long.

All times given are `time.monotonic_ns`; offsets count from when the request was sent on, connection set-up left out.
What is held is not redacted yet and never readable on disk (see `spill`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from llm_simulator.recorder.spill import Memory, Waiting
from llm_simulator.redact import Ahead
from llm_simulator.types import Call, Exchange, Headers, Message, Outcome

LARGEST = 256 << 20
"""The most bytes of one answer that are recorded; a longer one is dropped, counted and reported."""

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Tap:
    """The recording of one call: `exchange` has it all, `broken` says why it must not be stored ("" if it may).

    Args:
        call: what was asked; its raw request is what gets recorded.
        start_ns: when the request was sent on.
        memory: the bound that all taps share.
        session, recorded_at, recorder, matcher: go into the exchange as they are.
        ahead: is told of the answer as it comes, and redacts it as far as it can.
    """

    def __init__(
        self,
        call: Call,
        *,
        start_ns: int,
        memory: Memory,
        session: str = "",
        recorded_at: str = "",
        recorder: str = "",
        matcher: int = 0,
        largest: int = LARGEST,
        ahead: Ahead | None = None,
    ) -> None:
        self.ahead = ahead
        self._made: Exchange | None = None
        self._messages = False  # what is waiting are WebSocket messages: one of them may begin with any bytes
        self._call = call
        self._start = start_ns
        self.waiting = Waiting(memory)
        self._largest = largest
        self._session = session
        self._recorded_at = recorded_at
        self._recorder = recorder
        self._matcher = matcher
        self._status = 0
        self._reason = ""
        self._headers: Headers = ()
        self._head = 0
        self._connect = 0
        self._outcome = Outcome.TRUNCATED
        self.broken = ""

    @property
    def size(self) -> int:
        """Bytes of the answer's body so far."""
        return self.waiting.size

    def head(self, status: int, reason: str, headers: Headers, head_ns: int, connect_ns: int = 0) -> None:
        """The response head has arrived; `connect_ns`: how long TCP and TLS set-up took before the request went out."""
        self._status = status
        self._reason = reason
        self._headers = end_to_end(headers)
        self._connect = connect_ns
        self._head = self._offset(head_ns)
        ahead = self.ahead
        if ahead is not None:
            self._try(lambda: ahead.head(self._headers))

    def chunk(self, at_ns: int, data: bytes) -> None:
        """A piece of the body has arrived."""
        if self.broken:
            return
        if self.waiting.size + len(data) > self._largest:
            self._break(f"the answer is longer than {self._largest} bytes")
        else:
            self._try(lambda: self._take(at_ns, data))

    def _take(self, at_ns: int, data: bytes) -> None:
        self.waiting.add(self._offset(at_ns), data)
        if self.ahead is not None:
            self.ahead.feed(data)

    def message(self, who: str, opcode: int, data: bytes) -> None:
        """A WebSocket message was said now."""
        self._messages = True
        self.chunk(time.monotonic_ns(), (b"c" if who == "client" else b"s") + bytes((opcode,)) + data)

    def end(self, outcome: Outcome) -> None:
        """The exchange is over; without this it counts as truncated."""
        self._outcome = outcome
        self._made = None

    def attempt(self, step: Callable[[], None]) -> None:
        """A step of the recording that must not raise: where it does, the exchange is not recorded."""
        if not self.broken:
            self._try(step)

    def exchange(self) -> Exchange:
        """What was taken down, secrets included: for redaction and comparison, never for the disk."""
        if self._made is None or self.broken:
            self._made = self._make()
        return self._made

    def _make(self) -> Exchange:
        held: list[tuple[tuple[int, bytes], ...]] = []
        if not self.broken:
            self._try(lambda: held.append(self.waiting.chunks()))
        call = self._call
        return Exchange(
            request=call.raw,
            provider=call.provider,
            family=call.family,
            operation=call.operation,
            model=call.model,
            stream=call.stream,
            status=self._status,
            headers=self._headers,
            chunks=held[0] if held and not self._messages else (),
            reason=self._reason,
            outcome=Outcome.TRUNCATED if self.broken else self._outcome,
            session=self._session,
            recorded_at=self._recorded_at,
            connect_ns=self._connect,
            head_ns=self._head,
            recorder=self._recorder,
            matcher=self._matcher,
            messages=tuple(_message(*one) for one in held[0]) if held and self._messages else (),
        )

    def close(self) -> None:
        """Gives back what it holds. Happens by itself when the tap is forgotten."""
        self._made = None
        self.waiting.close()

    def __del__(self) -> None:
        self.close()

    def _offset(self, at_ns: int) -> int:
        return max(0, at_ns - self._start - self._connect)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # the law of this module; noted, counted and logged by the recorder
            self._break(f"{type(error).__name__}: {error}")

    def _break(self, why: str) -> None:
        self.broken = why
        self.waiting.close()


def _message(at_ns: int, held: bytes) -> Message:
    return Message("client" if held[:1] == b"c" else "server", held[1], held[2:], at_ns)


def end_to_end(headers: Headers) -> Headers:
    """Without the fields of one connection (RFC 9110, 7.6.1), those that `connection` lists included."""
    listed = ",".join(value for name, value in headers if name.lower() == "connection").lower().split(",")
    gone = _HOP_BY_HOP.union(name.strip() for name in listed)
    return tuple((name, value) for name, value in headers if name.lower() not in gone)
