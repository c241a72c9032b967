"""When a dead worker is replaced, what several workers cannot do, and how their numbers are added up."""

from __future__ import annotations

import pytest

from llm_simulator.config.checks import check
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.workers import MOST_FAILURES, Restarts
from llm_simulator.telemetry.figures import added, counters
from llm_simulator.telemetry.metrics import Metrics
from llm_simulator.types import Mode


def test_one_that_served_is_replaced_at_once() -> None:
    restarts = Restarts()
    assert [restarts.after(60.0) for _ in range(20)] == [0.0] * 20


def test_one_that_dies_at_once_is_given_up_after_a_while() -> None:
    restarts = Restarts()
    waits = [restarts.after(lived) for lived in [None, 0.1] * MOST_FAILURES][:MOST_FAILURES]
    assert waits == [0.1, 0.2, 0.4, 0.8, None]


def test_a_good_one_makes_the_failures_forgotten() -> None:
    restarts = Restarts()
    waits = [restarts.after(lived) for lived in (None, None, 5.0, None)]
    assert waits == [0.1, 0.2, 0.0, 0.1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(workers=0), "workers is 0"),
        (Settings(workers=2, mode=Mode.RECORD, cassette="a.yaml"), "'a.yaml' is a text cassette"),
        (Settings(workers=2, mode=Mode.RECORD_MISSING, cassette="folder"), "'folder' is a text cassette"),
    ],
    ids=["none", "yaml", "folder"],
)
def test_what_several_workers_cannot_do(settings: Settings, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(settings)


@pytest.mark.parametrize("cassette", ["a.db", "postgresql+asyncpg://localhost/a"])
def test_several_workers_may_record_into_a_database(cassette: str) -> None:
    check(Settings(workers=2, mode=Mode.RECORD, cassette=cassette))


def test_numbers_of_workers_are_added_up() -> None:
    workers = Metrics(), Metrics()
    for metrics in workers:
        metrics.count("llm_things", "Things.", {"kind": "a"}, by=2)
        metrics.gauge("llm_open", "Open.", lambda: 3.0)
    workers[0].count("llm_things", "Things.", {"kind": "b"})
    one, two = (metrics.others.figures() for metrics in workers)
    merged = Metrics()
    merged.gather = lambda: added((one, counters(two)))  # the second one is dead
    text = merged.text().decode()
    assert 'llm_things_total{kind="a"} 4.0' in text
    assert 'llm_things_total{kind="b"} 1.0' in text
    assert "llm_open 3.0" in text
