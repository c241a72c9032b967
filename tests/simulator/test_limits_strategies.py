"""When a fault strikes: windows of equal calls, of a session's calls, of seconds."""

from __future__ import annotations

import pytest

from llm_simulator.config.load import from_mapping
from llm_simulator.errors import ConfigError
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.faults import Burst
from llm_simulator.simulator.scenario import choose
from llm_simulator.simulator.scenario_when import Situation
from llm_simulator.types import Call, RawRequest

CALL = Call("openai", "openai.chat", "chat", RawRequest("POST", "/v1/chat/completions"))
LOT = Lot(0, "s", b"call")


def at(place: float, by: str) -> Situation:
    if by == "clock":
        return Situation(CALL, b"call", elapsed=place)
    return Situation(CALL, b"call", Draw(0, int(place)) if by == "occurrence" else Draw(), calls=int(place))


@pytest.mark.parametrize("by", ["occurrence", "calls", "clock"])
def test_a_burst_strikes_in_the_first_part_of_each_window(by: str) -> None:
    burst = Burst(2, 5, by, 3)
    assert [place for place in range(15) if burst.holds(at(place, by))] == [3, 4, 8, 9, 13, 14]


def test_by_the_clock_a_window_is_of_seconds() -> None:
    burst = Burst(0.5, 2, "clock")
    assert [burst.holds(at(place, "clock")) for place in (0, 0.4, 0.5, 1.9, 2.0, 2.6)] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(("by", "bursts"), [("calls", True), ("clock", True), ("occurrence", False)])
def test_it_comes_out_of_a_configuration_and_says_whether_it_depends_on_the_past(by: str, bursts: bool) -> None:
    fault = {"kind": "rate_limit", "burst": {"length": 1, "every": 3, "by": by}}
    given = {"scenarios": {"s": {"rules": [{"then": {"faults": [fault]}}]}}}
    scenario = from_mapping(given).scenarios["s"]
    struck = [choose(scenario, at(place, by), LOT).fault is not None for place in range(6)]
    assert struck == [True, False, False, True, False, False]
    assert choose(scenario, at(0, by), LOT).bursts is bursts


def test_a_window_without_an_end_is_a_mistake() -> None:
    fault = {"kind": "rate_limit", "burst": {"length": 5, "every": 5}}
    with pytest.raises(ConfigError, match="would never end"):
        from_mapping({"scenarios": {"s": {"rules": [{"then": {"faults": [fault]}}]}}})
