"""What becomes of a call: a pure function of the mode and of what is known about the call.

A new mode or a new kind of decision is a type error in here until it has its place in the table (`assert_never`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, assert_never

from llm_simulator.types import Condition, Mode

F = TypeVar("F")
"""What a recording is to the caller: nothing here looks into it."""


@dataclass(frozen=True, slots=True)
class Replay(Generic[F]):
    """Send the recording."""

    found: F


@dataclass(frozen=True, slots=True)
class Simulate:
    """Let the engine answer; `profile` names a latency profile, "" is the one picked by provider and model."""

    profile: str = ""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error in the provider's envelope: the request is wrong or cannot be simulated."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Forward(Generic[F]):
    """Ask the upstream; `record` its answer, `compare` it with a recording where there is one."""

    record: bool = False
    compare: F | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing is recorded, and nothing else is allowed to answer."""


Decision = Replay[F] | Simulate | Refuse | Forward[F] | Miss


def decide(
    mode: Mode,
    *,
    found: F | None,
    simulable: bool,
    problem: Callable[[], Condition | None],
    profile: str = "",
) -> Decision[F]:
    """The decision for one call.

    `found` is its recording, `simulable` whether its dialect can answer the operation. `problem` says what is
    structurally wrong with the call and is asked only where the simulator would answer: a recorded 400 replays, a wrong
    request that is to be recorded goes upstream.
    """
    match mode:
        case Mode.REPLAY:
            return Replay(found) if found is not None else Miss()
        case Mode.AUTO:
            return Replay(found) if found is not None else _simulate(simulable, problem, profile)
        case Mode.SIMULATE:
            return _simulate(simulable, problem, profile)
        case Mode.RECORD:
            return Forward(record=True)
        case Mode.RECORD_MISSING:
            return Replay(found) if found is not None else Forward(record=True)
        case Mode.VERIFY:
            return Forward(compare=found) if found is not None else Miss()
        case Mode.PASSTHROUGH:
            return Forward()
        case _:
            assert_never(mode)


def _simulate(simulable: bool, problem: Callable[[], Condition | None], profile: str) -> Simulate | Refuse:
    wrong = problem()
    if wrong is not None:
        return Refuse(wrong)
    if not simulable:
        return Refuse(NOT_SIMULATED)
    return Simulate(profile)


NOT_SIMULATED = Condition(
    "not_simulated",
    501,
    "This operation is recorded and replayed, but not simulated. Record it, or use an endpoint that is simulated.",
    code="not_simulated",
    type="not_simulated",
    retry=False,
)
"""For a dialect that cannot answer the operation and has not said so better itself (`Dialect.check`)."""
