"""The table of the modes: what is found, what is not, what cannot be simulated."""

from __future__ import annotations

from itertools import product

import pytest

from llm_simulator.simulator.decide import (
    NOT_SIMULATED,
    Decision,
    Forward,
    Miss,
    Refuse,
    Replay,
    Simulate,
    decide,
)
from llm_simulator.types import Condition, Mode

FOUND = "a recording"
BROKEN = Condition("missing_parameter", 400, "messages is missing")

TABLE: dict[Mode, tuple[Decision[str], Decision[str]]] = {  # found, not found; of a sound call that can be simulated
    Mode.REPLAY: (Replay(FOUND), Miss()),
    Mode.AUTO: (Replay(FOUND), Simulate()),
    Mode.SIMULATE: (Simulate(), Simulate()),
    Mode.RECORD: (Forward(record=True), Forward(record=True)),
    Mode.RECORD_MISSING: (Replay(FOUND), Forward(record=True)),
    Mode.VERIFY: (Forward(compare=FOUND), Miss()),
    Mode.PASSTHROUGH: (Forward(), Forward()),
}


def test_every_mode_is_in_the_table() -> None:
    assert set(TABLE) == set(Mode)


@pytest.mark.parametrize(("mode", "found"), list(product(Mode, (FOUND, None))))
def test_a_sound_call(mode: Mode, found: str | None) -> None:
    expected = TABLE[mode][0 if found else 1]
    assert decide(mode, found=found, simulable=True, problem=lambda: None) == expected


@pytest.mark.parametrize(("mode", "found"), list(product(Mode, (FOUND, None))))
def test_a_broken_call_is_refused_only_where_the_simulator_would_answer(mode: Mode, found: str | None) -> None:
    expected = TABLE[mode][0 if found else 1]
    if expected == Simulate():
        expected = Refuse(BROKEN)
    assert decide(mode, found=found, simulable=True, problem=lambda: BROKEN) == expected


@pytest.mark.parametrize(("mode", "found"), list(product(Mode, (FOUND, None))))
def test_what_cannot_be_simulated_is_refused_there(mode: Mode, found: str | None) -> None:
    expected = TABLE[mode][0 if found else 1]
    if expected == Simulate():
        expected = Refuse(NOT_SIMULATED)
    assert decide(mode, found=found, simulable=False, problem=lambda: None) == expected


def test_the_dialect_says_better_what_it_cannot_simulate() -> None:
    decision: Decision[str] = decide(Mode.SIMULATE, found=None, simulable=False, problem=lambda: BROKEN)
    assert decision == Refuse(BROKEN)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode not in (Mode.AUTO, Mode.SIMULATE)])
def test_nobody_else_looks_for_problems(mode: Mode) -> None:
    def asked() -> Condition | None:
        raise AssertionError("the call was checked")

    for found in (FOUND, None):
        decide(mode, found=found, simulable=True, problem=asked)


def test_a_profile_is_passed_on() -> None:
    decision: Decision[str] = decide(Mode.SIMULATE, found=None, simulable=True, problem=lambda: None, profile="mine")
    assert decision == Simulate("mine")


def test_a_falsy_recording_is_a_recording() -> None:
    assert decide(Mode.REPLAY, found=0, simulable=True, problem=lambda: None) == Replay(0)
