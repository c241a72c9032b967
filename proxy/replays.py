"""Replayed answers, prepared once for all who get them; the most recently used ones are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llm_simulator.cassettes.cassette import Found
from llm_simulator.proxy import convert
from llm_simulator.proxy.answers import own_headers, with_headers
from llm_simulator.proxy.known import Known
from llm_simulator.proxy.recent import Recent
from llm_simulator.proxy.replay import Replayed, replay
from llm_simulator.types import Source, Usage, header

KEPT_BYTES = 16 << 20
_ENTRY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer, what its recording counts, and what had to be changed for its client."""

    replayed: Replayed
    usage: Usage | None
    adapted: str


class Replays:
    """Those of one scenario at one speed."""

    def __init__(self, scenario: str, speed: float) -> None:
        self._scenario = scenario
        self._speed = speed
        self._kept: Recent[tuple[int, str, bool], Prepared] = Recent(KEPT_BYTES)

    def of(self, known: Known, found: Found, adapted: bool) -> Prepared:
        """The answer for this call; `adapted`: it is recorded in the other form (streamed or not).

        Raises:
            CodingError: the recorded bytes are not of their own content-encoding and the client needs them decoded.
        """
        key = (found.id, known.accepted, adapted)
        prepared = self._kept.get(key)
        if prepared is None:
            prepared = self._made(known, found, adapted)
            if prepared.replayed.size <= KEPT_BYTES // 4:
                self._kept.put(key, prepared, prepared.replayed.size + _ENTRY_BYTES)
        return prepared

    def _made(self, known: Known, found: Found, adapted: bool) -> Prepared:
        exchange, call, dialect = found.exchange, known.call, known.dialect
        if adapted:
            replayed = convert.convert(exchange, call, dialect, speed=self._speed)
        else:
            replayed = replay(exchange, known.accepted, speed=self._speed)
        mine = own_headers(Source.CASSETTE, self._scenario, ("x-llm-simulator-exchange", str(found.id)))
        answer = replace(with_headers(replayed.answer, mine), kept=True)
        usage = convert.recorded_usage(exchange, dialect, call)
        note = header(answer.headers, "x-llm-simulator-adapted")
        return Prepared(Replayed(answer, replayed.ttft, replayed.total, replayed.size), usage, note)
