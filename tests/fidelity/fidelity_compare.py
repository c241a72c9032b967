"""Recorded against simulated: what agrees, what deviates, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import fidelity_headers as headers
from fidelity_corpus import Answered, Corpus, Recording, call_of, genuine, is_simulated, parts_of
from fidelity_known import (
    AGREES,
    ASIDE,
    CHANCE,
    CONTENT,
    FOREIGN,
    HEADERS,
    LACKING,
    LEFT_OUT,
    NEVER,
    OLDER,
    ON_PURPOSE,
    VARIES,
    WHOLE,
    Known,
    Occasion,
    order_of,
)
from fidelity_shape import Shape, shape_of

from llm_simulator.types import header


@dataclass(frozen=True, slots=True)
class Deviation:
    """One difference: `what` is key, type, kind, order of kinds, order of keys, layout, header, header format, status."""

    group: str
    what: str
    path: str
    detail: str
    reason: str


@dataclass(slots=True)
class Score:
    """Counts of one aspect: how many things were compared, agree, and deviate for an accepted reason.

    `aside` are those that cannot agree (see `ASIDE`). `varying` could: other recordings of the endpoint have it so.
    """

    of: int = 0
    agree: int = 0
    aside: int = 0
    varying: int = 0

    def add(self, other: Score) -> None:
        self.of += other.of
        self.agree += other.agree
        self.aside += other.aside
        self.varying += other.varying

    @property
    def share(self) -> float:
        return self.agree / self.of if self.of else 1.0

    @property
    def like_for_like(self) -> float:
        """Without what cannot agree."""
        return self.agree / (self.of - self.aside) if self.of > self.aside else 1.0

    @property
    def after_reasons(self) -> float:
        return (self.agree + self.aside + self.varying) / self.of if self.of else 1.0


@dataclass(slots=True)
class Result:
    """`scores` by group, then by aspect; `deviations` with how often and one source."""

    scores: dict[str, dict[str, Score]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Score)))
    deviations: Counter[Deviation] = field(default_factory=Counter)
    examples: dict[Deviation, str] = field(default_factory=dict)
    names: dict[str, tuple[list[int], list[int]]] = field(default_factory=lambda: defaultdict(lambda: ([], [])))

    def note(self, deviation: Deviation, source: str) -> None:
        self.deviations[deviation] += 1
        self.examples.setdefault(deviation, source)

    def total(self, aspect: str) -> Score:
        whole = Score()
        for scores in self.scores.values():
            whole.add(scores[aspect])
        return whole


def compare(corpus: Corpus, since: str = "") -> Result:
    """Every success that is simulated, recorded on the day `since` or later, against our answer to the same request."""
    compared = [
        item for item in corpus.recordings if is_simulated(item) and item.day >= since and not corpus.lacks(item)
    ]
    known: dict[str, Known] = defaultdict(Known)
    sent: dict[str, headers.Sent] = defaultdict(headers.Sent)
    shapes: list[Shape] = []
    for recording in compared:
        shape = shape_of(recording.body, header(recording.headers, "content-type"))
        shapes.append(shape)
        parts = parts_of(recording, genuine(recording))
        known[recording.group].note(shape, occasion_of(recording), parts, kept_headers(recording))
        sent[recording.provider].note(recording.headers)
        sent[recording.group].note(recording.headers)
    result = Result()
    for recording, shape in zip(compared, shapes, strict=True):
        _one(result, recording, corpus.simulate(recording), shape, known[recording.group], sent)
    return result


def kept_headers(recording: Recording) -> set[str]:
    """Names, only where the recorder kept the provider's: at least eight of them, among them the date."""
    found = headers.compared(name for name, _ in recording.headers)
    return found if len(found) >= 8 and "date" in found else set()


def occasion_of(recording: Recording) -> Occasion:
    return call_of(recording)[0].model, recording.day


def _one(
    result: Result, recording: Recording, answer: Answered, shape: Shape, known: Known, sent: dict[str, headers.Sent]
) -> None:
    score = result.scores[recording.group]["status"]
    score.of += 1
    if answer.status != recording.status:
        said = answer.body[:160].decode("utf-8", "replace")
        result.note(Deviation(recording.group, "status", str(answer.status), said, "refused"), recording.source)
        return
    score.agree += 1
    answer = Answered(answer.status, headers.joined(answer.headers), answer.body, answer.parts)
    ours = shape_of(answer.body, header(answer.headers, "content-type"))
    same = parts_of(recording, genuine(recording)) == answer.parts
    novel = answer.parts not in known.parts  # nothing recorded has such an answer
    _keys(result, recording, shape, ours, known, same, novel)
    _kinds(result, recording, shape, ours, known, same, novel)
    _orders(result, recording, shape, ours, known)
    _headers(result, recording, answer, known)
    _header_formats(result, recording, answer, sent[recording.provider])


def _keys(
    result: Result, recording: Recording, theirs: Shape, ours: Shape, known: Known, same: bool, novel: bool
) -> None:
    score = result.scores[recording.group]["keys"]
    for path in sorted(theirs.keys.keys() | ours.keys.keys()):
        score.of += 1
        reason, what, detail = _key(path, theirs, ours, known, occasion_of(recording))
        if reason not in ASIDE | {AGREES} and (novel or (not same and reason != NEVER)):
            reason = CONTENT
        _count(result, score, Deviation(recording.group, what, path, detail, reason), recording.source)


def _key(path: str, theirs: Shape, ours: Shape, known: Known, occasion: Occasion) -> tuple[str, str, str]:
    if path not in theirs.keys:
        top, within = _topmost(path, theirs)
        return _least(known, path, top, within, occasion), "key", "we have it"
    if path not in ours.keys:
        top, within = _topmost(path, ours)
        return known.why_lacking(top, within, occasion), "key", "we lack it"
    extra = ours.keys[path] - theirs.keys[path]
    lacking = theirs.keys[path] - ours.keys[path]
    if not extra and not lacking:
        return AGREES, "type", ""
    reasons = {known.why_extra(f"{path}:{kind}", path, occasion) for kind in extra}
    worst = next((reason for reason in (NEVER, LACKING, VARIES, OLDER, CHANCE) if reason in reasons), VARIES)
    return worst, "type", f"recorded {_types(theirs, path)}, ours {_types(ours, path)}"


def _least(known: Known, path: str, top: str, within: str, occasion: Occasion) -> str:
    """What is below a key that this recording has not is there for the key's reason, unless it was never recorded."""
    return NEVER if path not in known.on else known.why_extra(top, within, occasion)


def _topmost(path: str, ours: Shape) -> tuple[str, str]:
    """The outermost thing around `path` that we lack, and what is around that: all below is lacking for its reason."""
    parent = path[: path.rfind("[")] if path.endswith("]") else path.rpartition(".")[0]
    if path.startswith("<") and path.endswith(">"):
        return path, WHOLE
    if not parent or parent in ours.keys:
        return path, parent
    return _topmost(parent, ours)


def _types(shape: Shape, path: str) -> str:
    return "|".join(sorted(shape.keys[path]))


def _kinds(
    result: Result, recording: Recording, theirs: Shape, ours: Shape, known: Known, same: bool, novel: bool
) -> None:
    if not recording.stream:
        return
    occasion = occasion_of(recording)
    scores = result.scores[recording.group]
    for kind in sorted(set(theirs.kinds) | set(ours.kinds)):
        scores["kinds"].of += 1
        reason, detail = AGREES, ""
        if kind not in theirs.kinds:
            reason, detail = known.why_extra(f"kind {kind}", WHOLE, occasion), "we send it"
        elif kind not in ours.kinds:
            reason, detail = known.why_lacking(f"kind {kind}", WHOLE, occasion), "we do not send it"
        if reason not in ASIDE | {AGREES} and (novel or (not same and reason != NEVER)):
            reason = CONTENT
        _count(result, scores["kinds"], Deviation(recording.group, "kind", kind, detail, reason), recording.source)
    scores["order of kinds"].of += 1
    reason = AGREES
    if theirs.kinds != ours.kinds:
        reason = CONTENT if not same or novel else known.why_extra(order_of(ours), WHOLE, occasion)
    detail = f"recorded {' > '.join(theirs.kinds)}"
    found = Deviation(recording.group, "order of kinds", " > ".join(ours.kinds), detail, reason)
    _count(result, scores["order of kinds"], found, recording.source)


def _orders(result: Result, recording: Recording, theirs: Shape, ours: Shape, known: Known) -> None:
    scores = result.scores[recording.group]
    for path in sorted(theirs.orders.keys() & ours.orders.keys()):
        common = set(theirs.orders[path]) & set(ours.orders[path])
        order = [key for key in theirs.orders[path] if key in common]
        mine = [key for key in ours.orders[path] if key in common]
        scores["order of keys"].of += 1
        reason = AGREES if order == mine else known.why_ordered(path, mine)
        detail = f"recorded {', '.join(order)}; ours {', '.join(mine)}"
        found = Deviation(recording.group, "order of keys", path, detail if reason != AGREES else "", reason)
        _count(result, scores["order of keys"], found, recording.source)
    scores["layout"].of += 1
    reason = AGREES
    if theirs.layout != ours.layout:
        reason = known.why_extra(f"layout {ours.layout}", WHOLE, occasion_of(recording))
    found = Deviation(recording.group, "layout", ours.layout, f"recorded {theirs.layout}", reason)
    _count(result, scores["layout"], found, recording.source)


def _headers(result: Result, recording: Recording, answer: Answered, known: Known) -> None:
    score = result.scores[recording.group]["headers"]
    theirs = kept_headers(recording)
    ours = headers.compared(name for name, _ in answer.headers) | {"date"}  # the wire adds the date
    if not theirs:
        return
    result.names[recording.provider][0].append(len(theirs))
    result.names[recording.provider][1].append(len(ours))
    for name in sorted(theirs | ours):
        score.of += 1
        reason, detail = _header(name, theirs, ours, known, occasion_of(recording))
        _count(result, score, Deviation(recording.group, "header", name, detail, reason), recording.source)


def _header(name: str, theirs: set[str], ours: set[str], known: Known, occasion: Occasion) -> tuple[str, str]:
    if name in theirs and name in ours:
        return AGREES, ""
    seen = f"in {_percent(known, name)} of the recordings"
    if name in theirs:
        why = ON_PURPOSE if name in LEFT_OUT else known.why_lacking(f"header {name}", HEADERS, occasion)
        return why, f"we lack it; {seen}"
    return known.why_extra(f"header {name}", HEADERS, occasion), f"we send it; {seen}"


def _header_formats(result: Result, recording: Recording, answer: Answered, formats: headers.Sent) -> None:
    score = result.scores[recording.group]["header formats"]
    misfits = {name: (value, pattern) for name, value, pattern in formats.misfits(answer.headers)}
    names = {name.lower() for name, _ in answer.headers} & formats.formats.keys()
    for name in sorted(headers.compared(names)):
        score.of += 1
        value, pattern = misfits.get(name, ("", ""))
        reason, detail = (NEVER, f"recorded like {pattern}") if pattern else (AGREES, "")
        found = Deviation(recording.group, "header format", name, detail, reason)
        _count(result, score, found, f"{recording.source} (ours: {value})")


def _percent(known: Known, name: str) -> str:
    return f"{100 * known.on[f'header {name}'].total() / known.on[HEADERS].total():.0f} %"


def _count(result: Result, score: Score, deviation: Deviation, source: str) -> None:
    if deviation.reason == AGREES:
        score.agree += 1
        return
    if deviation.group.startswith("other "):
        deviation = replace(deviation, reason=FOREIGN)
    score.aside += deviation.reason in ASIDE
    score.varying += deviation.reason in (VARIES, ON_PURPOSE)
    result.note(deviation, source)
