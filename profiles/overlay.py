"""What a configuration says of the latency of some calls: what it gives replaces that of the profile they would have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_simulator.profiles.parse import RATES, parsed
from llm_simulator.profiles.profile import Profile
from llm_simulator.types import JSON

FIELDS = (
    "ttft",
    *RATES,
    "total",
    "speed_sigma",
    "writes",
    "length",
    "prompt_slope",
    "cache_hit",
    "load",
    "usage_ratio",
)
"""What a latency may say, by the names of a profile file; docs/latency.md tells of each."""
_PLACE = re.compile(r"^latency: profiles\[0\]\.?([^:]*): (.*)$", re.DOTALL)
_STEP = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Overlay:
    """`name` is what answers call the profile; `given` are fields of `Profile` with their values."""

    name: str
    given: Mapping[str, Any]

    def over(self, base: Profile) -> Profile:
        """The profile with what is given. What was measured together with a replaced time does not outlive it."""
        gone: dict[str, Any] = {}
        if "ttft" in self.given:
            gone = {"cache_hit": None, "prompt_slope": None, "traces": None, "total": None}
        if "rate" in self.given:
            gone |= {"speed_sigma": 0.0, "traces": None, "total": None}
        return replace(base, **{**gone, **self.given, "name": self.name})


def overlay(name: str, latency: Mapping[str, JSON]) -> tuple[Overlay, list[tuple[tuple[str | int, ...], str]]]:
    """What `latency` (fields of a profile file) gives, and what is wrong with it: (place in it, what and what is allowed)."""
    document: dict[str, JSON] = {**latency, "name": "latency", "models": ["*"]}
    if not {"ttft", "total"} & latency.keys():
        document["ttft"] = 0
    rates = [field for field in RATES if field in latency]
    if not rates:
        document["rate"] = 0
    problems: list[str] = []
    made = parsed({"profiles": [document]}, "latency", problems)
    if not made:
        return Overlay(name, {}), [_placed(problem) for problem in problems]
    profile, given = made[0], {field for field in latency if field not in RATES}
    if rates:
        given.add("rate")
    if "itl" in rates or "writes" in given:
        given.add("writes")  # they hold the time between tokens, where it is absolute
    return Overlay(name, {field: getattr(profile, field) for field in FIELDS if field in given}), []


def _placed(problem: str) -> tuple[tuple[str | int, ...], str]:
    found = _PLACE.match(problem)
    if found is None:
        return (), problem
    steps = _STEP.findall(found[1])
    said = found[2].partition("; ")[2] if found[2].startswith("got ") else ""  # whoever asks tells what he got
    return tuple(int(step) if step.isdigit() else step for step in steps), said or found[2]
