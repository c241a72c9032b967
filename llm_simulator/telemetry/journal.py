"""A bounded journal of recent calls. An entry holds facts about a call, never its bodies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from llm_simulator.telemetry.drift import Drift
from llm_simulator.types import Call

UNSHOWN = ("report", "drift", "later", "asked", "ended")


@dataclass(slots=True)
class Entry:
    """One call. `at` is in seconds since the epoch, durations in seconds; `virtual_*` are undivided by `--speed`."""

    at: float
    method: str
    path: str
    provider: str
    model: str
    operation: str
    stream: bool
    status: int
    source: str
    session: str = ""
    exchange: int | None = None
    profile: str = ""
    ttft: float | None = None
    duration: float = 0.0
    virtual_ttft: float | None = None
    virtual_total: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None  # at list prices; None where they, or the tokens, are not known
    adapted: str = ""
    outcome: str = "complete"  # or client-gone, truncated, upstream-failed
    recorded: bool = False
    differs: str = ""  # verify mode: how status and shape of the upstream's answer differ from the recorded one's
    scenario: str = ""  # the scenario that decided, its rule that fitted, the fault that struck
    rule: str = ""
    fault: str = ""
    priority: int | None = None  # of the fault, where it was one of several
    note: str = ""  # e.g. why it missed or was refused
    report: str = ""  # of a miss, for a person; several lines, so not in the JSON
    drift: Drift | None = None  # verify mode: all that changed; it quotes answers, so not in the JSON
    later: Callable[[], None] | None = None  # what need not be known before the client has its answer
    ended: Callable[[], None] | None = None  # what is given back once the call is over: slots, tokens
    asked: Call | None = None  # where traces are made, until the observer has told; the journal never holds a body

    def settle(self) -> None:
        """Notes what was put off, and gives back what the call held."""
        later, self.later = self.later, None
        if later is not None:
            later()
        ended, self.ended = self.ended, None
        if ended is not None:
            ended()

    def ends(self, work: Callable[[], None]) -> None:
        """Has this done, too, once the call is over, however it ends; what came later is done first."""
        before = self.ended
        if before is None:
            self.ended = work
            return

        def both() -> None:
            work()
            before()

        self.ended = both

    def as_json(self) -> dict[str, Any]:
        """Only what is known: None and "" are left out."""
        named = {name: getattr(self, name) for name in self.__slots__ if name not in UNSHOWN}
        named["at"] = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        if self.cost_usd is not None:
            named["cost_usd"] = round(self.cost_usd, 8)
        return {name: value for name, value in named.items() if value is not None and value != ""}


def printable(text: str) -> str:
    """As text that UTF-8 can spell, whatever a client sent: a lone surrogate is escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class Journal:
    """The last `size` entries, oldest first, and how many there ever were."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self.total = 0

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.total += 1

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
