"""What the calls of a session leave behind for later ones: files, batches, stored responses. Bounded; knows no time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from llm_simulator.errors import SimulatorError
from llm_simulator.types import JSON

SESSION_BYTES = 64 << 20
TOTAL_BYTES = 512 << 20
SESSIONS_LIMIT = 10_000
_OBJECT_BYTES = 64  # what an object or a value in it costs beside its text


class ShelfFullError(SimulatorError):
    """A session keeps more than it may. 413: trying again would not help."""

    status = 413


class MemoryShelf:
    """The objects of one session, in order of creation (`dialects.base.Shelf`)."""

    def __init__(
        self, limit: int = SESSION_BYTES, changed: Callable[[str, str, JSON], None] = lambda kind, identity, value: None
    ) -> None:
        """`changed` is told of every object that is put, or removed (value None)."""
        self._kinds: dict[str, dict[str, tuple[JSON, int]]] = {}
        self._limit = limit
        self._changed = changed
        self.bytes = 0

    def get(self, kind: str, identity: str) -> JSON:
        found = self._kinds.get(kind, {}).get(identity)
        return found[0] if found else None

    def put(self, kind: str, identity: str, value: JSON) -> None:
        self.learn(kind, identity, value)
        self._changed(kind, identity, value)

    def learn(self, kind: str, identity: str, value: JSON) -> None:
        """Puts, or with None removes, what was changed elsewhere.

        Raises:
            ShelfFullError: the session keeps too much.
        """
        if value is None:
            self._take(kind, identity)
            return
        objects = self._kinds.setdefault(kind, {})
        before = objects[identity][1] if identity in objects else 0
        size = _size(value)
        if self.bytes + size - before > self._limit:
            raise ShelfFullError(
                f"this session keeps {self.bytes} bytes; {kind} {identity} of {size} bytes would be more than the "
                f"{self._limit} allowed: delete what is not needed, or use another session"
            )
        objects[identity] = (value, size)
        self.bytes += size - before

    def remove(self, kind: str, identity: str) -> bool:
        there = self._take(kind, identity)
        if there:
            self._changed(kind, identity, None)
        return there

    def _take(self, kind: str, identity: str) -> bool:
        gone = self._kinds.get(kind, {}).pop(identity, None)
        if gone is None:
            return False
        self.bytes -= gone[1]
        return True

    def everything(self) -> Iterator[tuple[str, str, JSON]]:
        """(kind, id, object)."""
        for kind, objects in self._kinds.items():
            yield from ((kind, identity, value) for identity, (value, _) in objects.items())

    def all(self, kind: str) -> tuple[tuple[str, JSON], ...]:
        return tuple((identity, value) for identity, (value, _) in self._kinds.get(kind, {}).items())


class Shelves:
    """A shelf per session; the sessions that were not used for longest go when there are too many or they keep too much.

    Several workers each have all of them: `changed` is told of each change (session, kind, id, value) that is made here, and
    once `settle` returns, all know of those.
    """

    def __init__(self, sessions: int = SESSIONS_LIMIT, total: int = TOTAL_BYTES) -> None:
        self._shelves: OrderedDict[str, MemoryShelf] = OrderedDict()
        self._sessions = sessions
        self._total = total
        self.changed: Callable[[str, str, str, JSON], None] | None = None
        self.settle: Callable[[], Awaitable[None]] | None = None

    def of(self, session: str) -> MemoryShelf:
        """The session's shelf: the same one as long as it is kept."""
        shelf = self._shelves.get(session)
        if shelf is None:
            self._trim()
            made = MemoryShelf() if self.changed is None else MemoryShelf(changed=partial(self.changed, session))
            shelf = self._shelves[session] = made
        self._shelves.move_to_end(session)
        return shelf

    def sessions(self) -> tuple[str, ...]:
        """Those that have one."""
        return tuple(self._shelves)

    def forget(self, sessions: frozenset[str]) -> None:
        """Nothing is left of these."""
        for session in sessions:
            self._shelves.pop(session, None)

    def _trim(self) -> None:
        while self._shelves and (
            len(self._shelves) >= self._sessions or sum(shelf.bytes for shelf in self._shelves.values()) > self._total
        ):
            self._shelves.popitem(last=False)


def _size(value: JSON) -> int:
    """About the bytes of an object in memory. Not recursive: objects may be nested deeply."""
    total, rest = 0, [value]
    while rest:
        item = rest.pop()
        total += _OBJECT_BYTES
        if isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, dict):
            rest.extend(item.values())
            total += sum(map(len, item))
        elif isinstance(item, list | tuple):
            rest.extend(item)
    return total
