"""Rate limits as a pure step: never more than limit and refill, all or none, and every told wait holds."""

from __future__ import annotations

import heapq
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.simulator import limits
from llm_simulator.simulator.limits import GRACE, WAITING, Bucket


class Key:
    """The limits of one key, played by one arrival schedule."""

    def __init__(self, **most: tuple[float, float]) -> None:
        self.most = most
        self.value: Any = None

    def buckets(self, **cost: float) -> list[Bucket]:
        return [Bucket(name, limit, period, cost.get(name, 1)) for name, (limit, period) in self.most.items()]

    def take(self, at: float, who: str, tries: int | None = None, **cost: float) -> Any:
        self.value, result = limits.step(self.value, limits.take(self.buckets(**cost), who, tries), at)
        return result

    def settle(self, at: float, **cost: float) -> Any:
        wanted = [bucket for bucket in self.buckets(**cost) if bucket.name in cost]
        self.value, result = limits.step(self.value, limits.settle(wanted), at)
        return result


def test_a_full_bucket_lets_a_burst_through_and_counts_down() -> None:
    key = Key(requests=(3, 60))
    results = [key.take(0, f"call {n}") for n in range(4)]
    assert [result["ok"] for result in results] == [True, True, True, False]
    assert [result["left"]["requests"] for result in results] == [2, 1, 0, 0]
    assert results[0]["full"]["requests"] == pytest.approx(20)
    assert (results[3]["wait"], results[3]["by"]) == (pytest.approx(20), "requests")


def test_it_refills_evenly_and_not_beyond_its_limit() -> None:
    key = Key(requests=(6, 60))
    for n in range(6):
        assert key.take(0, f"{n}")["ok"]
    assert key.take(10, "a")["ok"]
    assert not key.take(10, "b")["ok"]
    assert key.take(1000, "c")["left"]["requests"] == 5


def test_it_takes_from_all_buckets_or_from_none() -> None:
    key = Key(requests=(10, 60), tokens=(100, 60))
    assert key.take(0, "a", tokens=90)["ok"]
    refused = key.take(0, "b", tokens=50)
    assert (refused["ok"], refused["by"]) == (False, "tokens")
    assert refused["wait"] == pytest.approx(24)
    assert key.take(100, "c", tokens=1)["left"] == {"requests": 9, "tokens": 99}


def test_several_that_wait_are_told_times_one_after_the_other_and_each_holds() -> None:
    key = Key(requests=(1, 1))
    assert key.take(0, "first")["ok"]
    waits = {f"call {n}": key.take(0, f"call {n}")["wait"] for n in range(5)}
    assert list(waits.values()) == pytest.approx([1, 2, 3, 4, 5])
    for who, at in waits.items():
        assert key.take(at + GRACE / 2, who)["ok"], who


def test_equal_calls_of_several_clients_have_a_place_each() -> None:
    key = Key(requests=(1, 1))
    assert key.take(0, "same")["ok"]
    waits = [key.take(0, "same", 0)["wait"] for _ in range(3)]
    assert waits == pytest.approx([1, 2, 3])
    assert [key.take(wait, "same", 1)["ok"] for wait in waits] == [True, True, True]


def test_a_newcomer_does_not_take_the_place_of_who_waits() -> None:
    key = Key(requests=(1, 1))
    assert key.take(0, "first")["ok"]
    assert key.take(0, "waits")["wait"] == pytest.approx(1)
    assert key.take(1, "newcomer")["wait"] == pytest.approx(1)
    assert key.take(1, "waits")["ok"]


def test_who_comes_too_early_and_counts_his_tries_keeps_his_place() -> None:
    key = Key(requests=(1, 1))
    assert key.take(0, "first")["ok"]
    assert key.take(0, "a", 0)["wait"] == pytest.approx(1)
    assert key.take(0.4, "a", 1)["wait"] == pytest.approx(0.6)
    assert key.take(1, "a", 2)["ok"]


def test_who_counts_tries_anew_is_let_through_as_told_too() -> None:
    key = Key(requests=(1, 1))
    assert key.take(0, "first")["ok"]
    assert key.take(0, "a", 0)["wait"] == pytest.approx(1)
    assert key.take(1, "a", 0)["ok"]  # an application that asks again itself


def test_a_place_that_nobody_claims_lapses_and_is_given_to_the_next() -> None:
    key = Key(requests=(6, 60))
    for n in range(6):
        assert key.take(0, f"{n}")["ok"]
    for n in range(20):
        assert not key.take(0, f"never comes again {n}")["ok"]
    assert not key.take(10 + GRACE - 0.1, "new")["ok"]
    assert key.take(10 + GRACE + 0.1, "newer")["ok"]


def test_a_client_that_does_not_wait_gets_through_as_often_as_the_limit_says() -> None:
    key = Key(requests=(60, 60))
    through = sum(key.take(n / 50, f"{n}")["ok"] for n in range(50 * 120))  # 50 a second for two minutes, no retries
    assert 150 <= through <= 60 + 120


def test_the_line_is_bounded() -> None:
    key = Key(requests=(1, 1))
    waits = [key.take(0, f"{n}")["wait"] for n in range(WAITING + 50)]
    assert len(key.value["places"]) == WAITING
    assert min(waits[1:]) > 0


def test_a_call_that_is_more_than_the_limit_alone_is_told_that_waiting_does_not_help() -> None:
    key = Key(requests=(10, 60), tokens=(100, 60))
    refused = key.take(0, "large", tokens=101)
    assert (refused["ok"], refused["by"], refused["wait"]) == (False, "tokens", -1)
    assert refused["left"] == {"requests": 10, "tokens": 100}


def test_settling_gives_back_or_takes_more() -> None:
    key = Key(requests=(10, 60), tokens=(100, 60))
    key.take(0, "a", tokens=50)
    assert key.settle(0, tokens=-20)["left"]["tokens"] == 70
    assert key.settle(0, tokens=90)["left"]["tokens"] == 0
    assert key.take(0, "b", tokens=10)["wait"] == pytest.approx(18)  # it is 20 tokens below nothing


@pytest.mark.parametrize(("other", "left"), [(5.0, 2), (3.0, 0), (2.0, 0)])
def test_of_a_limit_that_was_changed_as_much_is_used_as_before(other: float, left: int) -> None:
    key = Key(requests=(3, 60))
    for n in range(2):
        key.take(0, f"{n}")
    key.most = {"requests": (other, 60.0)}
    result = key.take(0, "next")
    assert (result["ok"], result["left"]["requests"]) == (other > 2, left)


def test_forgetting_leaves_nothing() -> None:
    key = Key(requests=(1, 60))
    key.take(0, "a")
    assert limits.step(key.value, limits.FORGET, 0.0)[0] is None


ARRIVALS = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4)), min_size=1, max_size=40)


@given(ARRIVALS, st.integers(4, 8), st.floats(0.5, 4))
def test_obedient_clients_are_let_through_when_told_and_never_more_than_limit_and_refill(
    arrivals: list[tuple[float, int]], limit: int, rate: float
) -> None:
    """One arrival schedule: each comes, and once more when it is told to."""
    key = Key(tokens=(limit, limit / rate))
    due = [(at, 0, n, cost) for n, (at, cost) in enumerate(arrivals)]
    heapq.heapify(due)
    admitted: list[tuple[float, int]] = []
    while due:
        at, tries, n, cost = heapq.heappop(due)
        result = key.take(at, f"call {n}", tries, tokens=cost)
        if result["ok"]:
            admitted.append((at, cost))
            continue
        assert not tries, "it came when it was told to, and was refused"
        heapq.heappush(due, (at + result["wait"], 1, n, cost))
    assert len(admitted) == len(arrivals)
    for start, (begin, _) in enumerate(admitted):
        total = 0
        for at, cost in admitted[start:]:
            total += cost
            assert total <= limit + rate * (at - begin) + 1e-3


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=60))
def test_whatever_comes_what_is_let_through_directly_never_overdraws(calls: list[tuple[float, int, int]]) -> None:
    key = Key(requests=(5, 10), tokens=(12, 10))
    now = 0.0
    for wait, cost, who in calls:
        now += wait / 10
        before = key.value
        result = key.take(now, f"call {who}", tokens=cost)
        if result["ok"] and not (before and any(place[1] == f"call {who}" for place in before["places"])):
            assert min(key.value["levels"].values()) >= -1e-3
        assert result["wait"] >= 0


@given(st.floats(0, 1e9), st.floats(0, 1e6))
def test_what_was_told_is_true_at_any_time_of_the_clock(start: float, later: float) -> None:
    key = Key(requests=(3, 60))
    for n in range(3):
        assert key.take(start, f"{n}")["ok"]
    wait = key.take(start, "waits")["wait"]
    assert key.take(start + wait + min(later, GRACE / 2), "waits")["ok"]
