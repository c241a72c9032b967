"""What a miss tells: what was asked, the recordings that come nearest, where they differ, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from llm_simulator.cassettes.diff import Difference, differences, shown_text
from llm_simulator.cassettes.jsonpath import Steps, spell
from llm_simulator.cassettes.key import Matcher
from llm_simulator.types import JSON, Call

NEAREST = 3
SHOWN_FIELDS = 6
"""Differences shown for each of them."""

_FAR = 12.0  # a recording at this distance or beyond has another method, path or provider: no neighbour
_IGNORABLE = 6  # an ignore line with more paths than this would match anything


class Reason(Enum):
    """Why nothing was played; the text is for a person."""

    NOT_RECORDED = "not_recorded"  # similar calls are recorded, this one is not
    ALREADY_PLAYED = "already_played"  # every recording of it has been played (after_last: miss)
    TRUNCATED = "truncated"  # it is recorded, but the answer ended early
    NOTHING_SIMILAR = "nothing_similar"  # nothing like it is recorded

    @property
    def text(self) -> str:
        return _REASONS[self]


_REASONS = {
    Reason.NOT_RECORDED: "it is not recorded",
    Reason.ALREADY_PLAYED: "every recording of it has been played in this session, and after_last is miss",
    Reason.TRUNCATED: "its only recording ended early, and truncated recordings are not replayed",
    Reason.NOTHING_SIMILAR: "nothing like it is recorded",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """A call in one line."""

    method: str
    path: str
    provider: str
    operation: str
    model: str
    stream: bool

    @property
    def text(self) -> str:
        about = ", ".join(part for part in (self.provider, self.operation, self.model, "stream" * self.stream) if part)
        return f"{self.method} {self.path} ({about})"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A recording, its distance (0: the same), the first differences and how many more there are."""

    id: int
    summary: Summary
    session: str
    distance: float
    differences: tuple[Difference, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class MissReport:
    """Why a call was not answered from the cassette `where`, which holds `recordings` of them.

    `ignore` is the line of configuration under which the nearest recording would have matched ("" where there is none
    that ignores body fields only), `command` what would record the call ("" where the caller named none).
    """

    call: Summary
    reason: Reason
    where: str
    recordings: int
    nearest: tuple[Neighbour, ...] = ()
    ignore: str = ""
    command: str = ""

    def as_json(self) -> JSON:
        """For the error envelope: plain values, no secret, a few kilobytes at the most."""
        return {
            "reason": self.reason.value,
            "call": _as_json(self.call),
            "cassette": self.where,
            "recordings": self.recordings,
            "nearest": [_neighbour(near) for near in self.nearest],
            "ignore": self.ignore,
            "record": self.command,
        }

    def as_text(self) -> str:
        """For a terminal or a failed test: a headline, then one block for each neighbour, then what to do."""
        count = f"{self.recordings} recording{'s' * (self.recordings != 1)}"
        lines = [f"No recording for {self.call.text}: {self.reason.text}.", f"Cassette: {self.where}, {count}."]
        for near in self.nearest:
            lines += _block(near)
        if self.ignore:
            lines.append(f"The first would match with   {self.ignore}")
        if self.command:
            lines.append(f"To record this call:         {self.command}")
        return "\n".join(lines)


def _as_json(summary: Summary) -> JSON:
    return {name: getattr(summary, name) for name in ("method", "path", "provider", "operation", "model", "stream")}


def _neighbour(near: Neighbour) -> JSON:
    fields = [{"where": field.where, "asked": field.asked, "recorded": field.recorded} for field in near.differences]
    return {"id": near.id, **_as_json(near.summary), "session": near.session, "differences": fields, "more": near.more}


def _block(near: Neighbour) -> list[str]:
    session = f", session {near.session}" if near.session else ""
    lines = [f"  #{near.id}  {near.summary.text}{session}"]
    for field in near.differences:
        lines += [f"      {field.where}", f"        asked     {field.asked}", f"        recorded  {field.recorded}"]
    if near.more:
        lines.append(f"      and {near.more} more difference{'s' * (near.more != 1)}")
    return lines if near.differences else [*lines, "      (no difference)"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording to compare with: its id, the call it was made by, its session and masked paths."""

    id: int
    call: Call
    session: str = ""
    masked: tuple[str, ...] = ()


def summary(call: Call) -> Summary:
    """The line that describes a call; what looks like a key is hidden."""
    raw = call.raw
    method, path, model = (shown_text(fact) for fact in (raw.method, raw.path, call.model))
    return Summary(method, path, call.provider, call.operation, model, call.stream)


def nearest(matcher: Matcher, asked: Call, recordings: Sequence[Recorded]) -> tuple[tuple[Neighbour, ...], str]:
    """The three nearest recordings, nearest first, and the ignore line under which the first would match, or ""."""
    found: list[tuple[float, int, list[Difference], Recorded]] = []
    for at, recorded in enumerate(recordings):
        fields = differences(matcher, asked, recorded.call, recorded.masked)
        found.append((_distance(asked, recorded.call, fields), at, fields, recorded))
    found.sort(key=lambda one: one[:2])
    kept = [one for one in found[:NEAREST] if one[0] < _FAR]
    line = _ignore(matcher, asked, kept[0][3], kept[0][2]) if kept else ""
    return tuple(_near(distance, fields, recorded) for distance, _, fields, recorded in kept), line


def _near(distance: float, fields: list[Difference], recorded: Recorded) -> Neighbour:
    first = tuple(fields[:SHOWN_FIELDS])
    return Neighbour(
        recorded.id, summary(recorded.call), shown_text(recorded.session), distance, first, len(fields) - len(first)
    )


def _distance(asked: Call, recorded: Call, fields: Sequence[Difference]) -> float:
    """Other operation and model first, then how much differs; many small differences count less and less."""
    kind = 4.0 * (asked.operation != recorded.operation) + 1.0 * (asked.model != recorded.model)
    line = sum(field.weight for field in fields if field.steps is None)
    body = sum(field.weight for field in fields if field.steps is not None)
    return kind + line + 6.0 * body / (body + 6.0)


def _ignore(matcher: Matcher, asked: Call, recorded: Recorded, fields: Sequence[Difference]) -> str:
    """Only a line that was tried: the keys are equal under it."""
    places = {_place(field) for field in fields}
    if not places or len(places) > _IGNORABLE or None in places or () in places:
        return ""
    paths = tuple(spell(place) for place in sorted((place for place in places if place), key=str))
    rules = replace(matcher.rules, ignore=(*matcher.rules.ignore, *paths))
    wider = Matcher(rules)
    masked = recorded.masked
    if wider.key(asked, masked).core != wider.key(recorded.call, masked).core:
        return ""
    return f"match: {{ignore: {json.dumps(list(rules.ignore), ensure_ascii=False)}}}"


def _place(field: Difference) -> Steps | None:
    """What to ignore for a difference: an element that only one side has means the whole list."""
    steps = field.steps
    return steps[:-1] if steps and field.absent and isinstance(steps[-1], int) else steps
