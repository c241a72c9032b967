"""From samples to profiles: groups, traces, what was learned besides, warnings."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.distributions import Constant
from llm_simulator.profiles.file import dump, loads
from llm_simulator.profiles.profile import ErrorRate, UsageRatio
from llm_simulator.recorder.calibration import collect, selection
from llm_simulator.recorder.calibration.groups import Calibrated, calibrate
from llm_simulator.recorder.calibration.samples import Sample
from llm_simulator.simulator.draws import Draw, Lot, Stratified


def stream(at: int, *, model: str = "m", **more: Any) -> Sample:
    """A stream of 2-token writes with gaps around 30 ms."""
    chance = np.random.default_rng(at)
    gaps = array("d", chance.lognormal(-3.5, 0.8, 20))
    ttft = float(chance.lognormal(-0.7, 0.4))
    values: dict[str, Any] = {
        "provider": "openai",
        "model": model,
        "output_tokens": 42,
        "ttft": ttft,
        "total": ttft + sum(gaps),
        "gaps": gaps,
        "sizes": array("l", [2] * 21),
        "cache": "miss",
        "source": "test",
    }
    return Sample(**(values | more))


def streams(n: int, **more: Any) -> Iterator[Sample]:
    return (stream(at, **more) for at in range(n))


def only(found: tuple[Calibrated, ...]) -> Calibrated:
    assert len(found) == 1
    return found[0]


def test_a_group_for_each_key_in_order() -> None:
    samples = [*streams(3, model="b"), *streams(2, model="a", stream=False, gaps=array("d"), sizes=array("l"))]
    first, second = calibrate(samples)
    assert dict(first.key) == {"provider": "openai", "model": "a", "stream": "false", "cache": "miss"}
    assert (first.n, second.n) == (2, 3)
    assert second.profile.name == "openai-b-stream-miss"
    assert (second.profile.provider, second.profile.models) == ("openai", ("b",))


def test_groups_by_prompt_and_by_any_column() -> None:
    samples = [stream(1, prompt_tokens=100, labels={"run": "x"}), stream(2, prompt_tokens=5000, labels={"run": "x"})]
    found = calibrate(samples, group_by=("run", "prompt-bin"))
    assert [dict(one.key) for one in found] == [
        {"run": "x", "prompt-bin": "0-255"},
        {"run": "x", "prompt-bin": "4096-16383"},
    ]
    assert found[1].profile.provenance is not None
    assert found[1].profile.provenance.conditions == "run x, prompt-bin 4096-16383"


def test_a_column_that_nobody_has() -> None:
    with pytest.raises(
        ConfigError, match=r"--group-by region: test has no such column; it has provider, model, stream"
    ):
        calibrate(streams(2), group_by=("region",))


def test_the_same_samples_give_the_same_profiles_and_files() -> None:
    first, second = calibrate(streams(60)), calibrate(streams(60))
    text = dump([only(first).profile])
    assert text == dump([only(second).profile])
    assert loads(text, "test")[0] == only(first).profile


def test_traces_keep_ranks_lengths_and_sequences() -> None:
    made = only(calibrate(streams(40))).profile
    assert made.traces is not None
    assert len(made.traces.items) == made.traces.n == 40
    assert sorted(trace.ttft_rank for trace in made.traces.items) == list(range(40))
    assert sorted(trace.rate_rank for trace in made.traces.items) == list(range(40))
    assert all(sum(trace.sizes) == trace.tokens == 42 and len(trace.gaps) == 20 for trace in made.traces.items)


def test_one_token_answers_are_traces_without_a_rate() -> None:
    short = (stream(at, output_tokens=1, total=0.4, ttft=0.4, gaps=array("d"), sizes=array("l")) for at in range(10))
    made = only(calibrate([*streams(30), *short])).profile
    assert made.traces is not None
    assert sum(trace.rate_rank < 0 for trace in made.traces.items) == 10


def test_a_large_recording_keeps_an_even_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "TRACES", 50)
    monkeypatch.setattr(selection, "TRACE_GAPS", 200)
    made = only(calibrate(streams(400)))
    traces = made.profile.traces
    assert traces is not None
    assert made.total is not None
    assert len(traces.items) == traces.n == 50
    assert sum(len(trace.gaps) for trace in traces.items) <= 200
    totals = _simulated(made, 1000)
    for rank in (0.5, 0.9, 0.95):
        assert float(np.quantile(totals, rank)) == pytest.approx(
            float(np.quantile(made.recorded["total"], rank)), rel=0.1
        )


def _simulated(made: Calibrated, times: int) -> list[float]:
    lot = Lot(0, "default", b"call")
    totals: list[float] = []
    for occurrence in range(times):
        draw = Draw(occurrence=occurrence)
        tokens = round(made.profile.length_of(Stratified(lot, draw, "latency")))
        totals.append(made.profile.outline(tokens, Stratified(lot, draw, "latency"))[1])
    return totals


def test_memory_is_bounded_by_keeping_fewer_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "KEPT", 100)
    monkeypatch.setattr(collect, "KEPT_GAPS", 1000)
    collector = collect.Collector(("model",))
    collector.take_all(sample for at in range(300) for sample in (stream(at, model="a"), stream(at, model="b")))
    kept = [group.writings for group in collector.groups.values()]
    assert sum(len(writing.gaps) for group in kept for writing in group) <= 1000
    assert all(group for group in kept)
    assert all(len(group.stalls) == 300 for group in collector.groups.values())


def test_failures_have_rates_and_are_no_latency() -> None:
    limited = [stream(at, status=429, condition="rate_limit_requests", ttft=9.0, total=9.0) for at in range(8)]
    gone = [stream(at, status=0, outcome="upstream-failed", ttft=None, total=None) for at in range(2)]
    made = only(calibrate([*streams(90), *limited, *gone]))
    assert made.n == 100
    assert dict(made.failures) == {0: 0.02, 429: 0.08}
    assert made.profile.errors == (ErrorRate(0, 0.02, ""), ErrorRate(429, 0.08, "rate_limit_requests"))
    assert made.ttft is not None
    assert made.ttft.n == 90
    assert max(made.recorded["ttft"]) < 9


def test_failures_belong_to_all_groups_that_they_may_be_of() -> None:
    refused = [stream(at, status=429, cache="", ttft=None, total=None) for at in range(10)]
    found = calibrate([*streams(60), *streams(30, cache="hit"), *refused])
    assert [one.key["cache"] for one in found] == ["hit", "miss"]
    assert [one.failures[429] for one in found] == [pytest.approx(0.1), pytest.approx(0.1)]
    assert [one.n for one in found] == [33, 67]


def test_the_group_of_what_is_unknown_comes_last() -> None:
    found = calibrate([*streams(3, cache=""), *streams(3), *streams(3, cache="hit")])
    assert [one.key["cache"] for one in found] == ["hit", "miss", ""]
    assert [one.profile.cache for one in found] == ["hit", "miss", "any"]


def test_one_kind_of_recording_stands_in_for_what_was_not_recorded() -> None:
    (alone,) = calibrate(streams(3))
    assert (alone.profile.name, alone.profile.stream, alone.profile.cache) == ("openai-m-stream-miss", None, "any")
    both = calibrate([*streams(3), *streams(3, cache="hit")])
    assert [(one.profile.stream, one.profile.cache) for one in both] == [(None, "hit"), (None, "miss")]
    whole = stream(1, stream=False, gaps=array("d"), sizes=array("l"), ttft=None)
    assert [one.profile.stream for one in calibrate([*streams(3), whole])] == [False, True]


def test_only_failures() -> None:
    made = only(calibrate([stream(1, status=500)]))
    assert made.ttft is None
    assert any("All 1 calls failed" in note for note in made.notes)


def test_token_ratios_are_medians() -> None:
    counted = [
        stream(at, prompt_ratio=ratio, completion_ratio=1.2) for at, ratio in enumerate((1.1, 1.0, 1.1, 1.2, 9.0))
    ]
    assert only(calibrate(counted)).profile.usage_ratio == UsageRatio(1.1, 1.2, 5)


def test_a_few_counts_say_nothing() -> None:
    assert only(calibrate(streams(4, prompt_ratio=1.1))).profile.usage_ratio is None


@pytest.mark.parametrize(
    ("n", "words"),
    [(10, "TTFT: only 10 values; record 30 or more for a fit"), (60, "TTFT: 60 values are too few to know")],
)
def test_warnings_where_there_is_too_little(n: int, words: str) -> None:
    assert any(words in note for note in only(calibrate(streams(n))).notes)


def test_a_ttft_that_grows_with_the_prompt_is_told() -> None:
    grown = [stream(at, prompt_tokens=at * 100, ttft=0.3 + 0.0002 * at * 100, total=90.0) for at in range(1, 60)]
    assert any("TTFT grows with the prompt, 200 ms per 1,000 tokens" in note for note in only(calibrate(grown)).notes)
    assert not any("TTFT grows" in note for note in only(calibrate(streams(60, prompt_tokens=500))).notes)


def test_totals_that_grow_with_their_tokens_are_split() -> None:
    chance = np.random.default_rng(4)
    lengths = chance.integers(10, 100, 300)
    totals = 0.5 * chance.lognormal(0, 0.2, 300) + 0.012 * (lengths - 1)
    whole = [
        Sample("p", "m", stream=False, output_tokens=int(n), total=float(t))
        for n, t in zip(lengths, totals, strict=True)
    ]
    made = only(calibrate(whole))
    assert made.profile.total is None
    assert isinstance(made.profile.rate, Constant)
    assert made.profile.rate.value == pytest.approx(0.012, rel=0.1)
    simulated = _simulated(made, 1000)
    for rank in (0.5, 0.9, 0.99):
        assert float(np.quantile(simulated, rank)) == pytest.approx(float(np.quantile(totals, rank)), rel=0.06)


def test_totals_that_do_not_are_one_distribution() -> None:
    chance = np.random.default_rng(4)
    whole = [Sample("p", "m", stream=False, output_tokens=20, total=float(t)) for t in chance.lognormal(0, 0.3, 100)]
    made = only(calibrate(whole))
    assert made.profile.total is not None
    assert made.total is not None
    assert made.profile.total == made.total.distribution


def test_embeddings_have_an_operation() -> None:
    calls = [Sample("p", "m", stream=False, kind="embedding", total=0.1 + at / 1000) for at in range(40)]
    made = only(calibrate(calls)).profile
    assert made.operations == ("embed*",)
    assert made.total is not None


def test_sizes_of_what_was_read_at_once() -> None:
    made = only(calibrate(streams(3, chunks=array("l", [121, 694, 1044])))).profile
    assert made.quality is not None
    assert made.quality["chunk_bytes"] == {"p50": 690, "p90": 1000, "p95": 1000, "p99": 1000}


def test_progress() -> None:
    taken, fitting = list[int](), list[tuple[int, int]]()
    calibrate(
        [*streams(2, model="a"), *streams(1, model="b")],
        progress=taken.append,
        fitting=lambda at, of: fitting.append((at, of)),
    )
    assert (taken, fitting) == ([3], [(1, 2), (2, 2)])
