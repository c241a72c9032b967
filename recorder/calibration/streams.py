"""A recorded exchange as a sample: when its text came, how many tokens it was, what became of it."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from llm_simulator import dialects
from llm_simulator.cassettes.body import is_sse
from llm_simulator.dialects.base import Dialect
from llm_simulator.recorder.calibration.said import Said, said
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.recorder.calibration.writes import writes_of
from llm_simulator.recorder.token_truth import compared
from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.types import JSON, Call, Exchange, Outcome, Usage, header

COUNTED = 100
"""Answers of one model that we count ourselves, too; more would not change the ratio."""
_BYTES = 4  # of a token, where nothing counts them


class Reader:
    """Makes samples of exchanges. It remembers only how many texts of each model it has counted."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()

    def sample(self, exchange: Exchange, source: str) -> Sample | None:
        """The sample, or None for what is no call of a model (a list, a file, an unknown path, a WebSocket)."""
        if exchange.family == "opaque" or exchange.messages or exchange.request.method != "POST":
            return None
        call = dialects.read(exchange.request)
        dialect = dialects.of(call)
        if call.operation not in dialect.generates and not _embeds(call.operation):
            return None
        sample = _facts(exchange, call, source)
        if sample.failed:
            return replace(sample, total=None, condition=_condition(exchange))
        streamed = _streamed(exchange)
        usage = _usage(dialect, exchange, call, streamed)
        sample = _timed(_numbered(sample, usage), exchange, usage, streamed)
        return sample if usage is None else self._counted_by_us(sample, exchange)

    def _counted_by_us(self, sample: Sample, exchange: Exchange) -> Sample:
        """With the provider's token counts over ours, of the first COUNTED answers of a model."""
        key = (sample.provider, sample.model)
        if self._counted[key] >= COUNTED:
            return sample
        self._counted[key] += 1
        ratios = {"prompt": 0.0, "completion": 0.0}
        for one in compared(exchange):
            ratios[one.kind.partition(",")[0]] = one.theirs / one.ours if one.ours else 0.0
        return replace(sample, prompt_ratio=ratios["prompt"], completion_ratio=ratios["completion"])


def _embeds(operation: str) -> bool:
    return "embed" in operation


def _facts(exchange: Exchange, call: Call, source: str) -> Sample:
    last = exchange.chunks[-1][0] if exchange.chunks else exchange.head_ns
    complete = exchange.outcome is Outcome.COMPLETE
    return Sample(
        provider=call.provider,
        model=call.model,
        stream=call.stream,
        total=last * 1e-9 if last and complete else None,
        status=exchange.status,
        outcome=exchange.outcome.value,
        at=_instant(exchange.recorded_at),
        chunks=array("l", (len(data) for _, data in exchange.chunks)) if call.stream else array("l"),
        source=source,
        family=call.family,
        kind="embedding" if _embeds(call.operation) else "chat",
    )


def _instant(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _streamed(exchange: Exchange) -> Said | None:
    """Events or lines, as its content type says; None for a whole body."""
    kind = header(exchange.headers, "content-type").lower()
    lined = "ndjson" in kind or "jsonl" in kind or "stream+json" in kind
    if not lined and not is_sse(exchange.headers):
        return None
    return said(exchange.chunks, header(exchange.headers, "content-encoding"), lined)


def _usage(dialect: Dialect, exchange: Exchange, call: Call, streamed: Said | None) -> Usage | None:
    if streamed is not None:  # a stream without its text is read in a tenth of the time
        usage = dialect.usage(exchange.status, exchange.headers, streamed.counted, call)
        if usage is not None or not streamed.counted:
            return usage
    try:
        body = decode(exchange.body, header(exchange.headers, "content-encoding"))
    except CodingError:
        return None
    return dialect.usage(exchange.status, exchange.headers, body, call)


def _numbered(sample: Sample, usage: Usage | None) -> Sample:
    if usage is None:
        return sample
    cache = "hit" if usage.cached else "miss"
    return replace(
        sample, cache=cache, prompt_tokens=usage.prompt, cached_tokens=usage.cached, output_tokens=usage.completion
    )


def _timed(sample: Sample, exchange: Exchange, usage: Usage | None, streamed: Said | None) -> Sample:
    """With TTFT and writes, as far as the recording has times: a foreign one knows at best those of head and end."""
    if streamed is None:
        return sample
    texts = [arrival for arrival in streamed.arrivals if arrival.pieces]
    sample = replace(sample, output_tokens=_visible(sample.output_tokens, usage, streamed))
    if "imported" in exchange.marks:
        return replace(sample, ttft=exchange.head_ns * 1e-9 if exchange.head_ns and sample.total else None)
    if not texts or not streamed.arrivals[-1].at:
        return sample
    gaps, sizes = writes_of(streamed.arrivals, sample.output_tokens)
    if sample.outcome != Outcome.COMPLETE.value:  # its client left: how long it would have taken nobody knows
        sample = replace(sample, output_tokens=0, total=None)
    return replace(sample, ttft=texts[0].at, gaps=gaps, sizes=sizes)


def _visible(completion: int, usage: Usage | None, streamed: Said) -> int:
    """Tokens that were streamed: thought that only its count shows came before the first of them."""
    pieces = sum(arrival.pieces for arrival in streamed.arrivals)
    estimated = sum(arrival.size for arrival in streamed.arrivals) / _BYTES
    if not completion:
        return max(pieces, round(estimated)) if usage is None else 0
    shown = completion - (usage.reasoning if usage is not None else 0)
    return shown if shown > 0 and abs(shown - estimated) < abs(completion - estimated) else completion


def _condition(exchange: Exchange) -> str:
    """What a failure calls itself: the error's code, else its type, else how it ended."""
    try:
        found = json.loads(decode(exchange.body, header(exchange.headers, "content-encoding")))
    except (CodingError, ValueError, RecursionError):
        return exchange.outcome.value if exchange.outcome is not Outcome.COMPLETE else ""
    error: JSON = found.get("error", found) if isinstance(found, Mapping) else None
    if not isinstance(error, Mapping):
        return ""
    named = (error.get(name) for name in ("code", "type", "status"))
    return next((name for name in named if isinstance(name, str) and name), "")[:80]
