"""Simulated answers that nobody waits for (speed 0), kept whole: an equal call gets the same bytes, and times of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_simulator.proxy.known import Known
from llm_simulator.proxy.recent import Recent
from llm_simulator.simulator.draws import Draw, Lot, Stratified
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Chunk, Headers, Source

if TYPE_CHECKING:
    from llm_simulator.simulator.engine import Simulated

KEPT_BYTES = 8 << 20
LARGEST = 64 << 10
_ENTRY_BYTES, _CHUNK_BYTES = 1024, 100


@dataclass(frozen=True, slots=True)
class Repeat:
    """A call's answer but for its times. `headers` are those before the times (`proxy/saying.py`)."""

    made: Simulated
    headers: Headers
    chunks: tuple[Chunk, ...]
    lot: Lot

    def answer(self, draw: Draw, entry: Entry) -> Answer:
        """The answer to this occurrence; notes in `entry` what it is."""
        made = self.made
        assert made.timing is not None
        ttft, total = made.timing(Stratified(self.lot, draw, "latency"))
        note(entry, made, ttft, total)
        return Answer(
            made.answer.status,
            (*self.headers, *spelled_times(ttft, total)),
            self.chunks,
            source=Source.SIMULATOR,
            kept=True,
        )


class Repeats:
    """The most recently used ones. What follows from more than the call itself is not among them."""

    def __init__(self) -> None:
        self._kept: Recent[Known, Repeat] = Recent(KEPT_BYTES)

    def of(self, known: Known) -> Repeat | None:
        return self._kept.get(known)

    def keep(self, known: Known, made: Simulated, headers: Headers, lot: Lot) -> None:
        """Keeps an answer that is all there and was made for a wire that does not wait."""
        chunks = made.answer.chunks
        plain = made.timing is not None and not made.warnings and made.answer.status < 400
        if not plain or known.varies or not isinstance(chunks, tuple) or self._kept.get(known) is not None:
            return
        size = sum(len(chunk.data) + _CHUNK_BYTES for chunk in chunks)
        if size <= LARGEST and (made.timed is None or not (made.timed.errors or made.timed.load)):
            self._kept.put(known, Repeat(made, headers, chunks, lot), size + _ENTRY_BYTES)


def note(entry: Entry, made: Simulated, ttft: float, total: float) -> None:
    """What the journal says of a simulated answer with these times."""
    entry.virtual_ttft, entry.virtual_total, entry.profile = ttft, total, made.profile
    if made.usage is not None:
        entry.prompt_tokens, entry.completion_tokens = made.usage.prompt, made.usage.completion


def spelled_times(ttft: float, total: float) -> Headers:
    """Last, since they alone differ between equal calls: the wire remembers how the fields before were spelled."""
    return ("x-llm-simulator-ttft-ms", f"{ttft * 1e3:.3f}"), ("x-llm-simulator-total-ms", f"{total * 1e3:.3f}")
