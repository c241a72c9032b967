"""Two calls compared field by field, as the match key sees them: what it ignores is no difference; no secret shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from llm_simulator.cassettes.canonical import ANY, dump
from llm_simulator.cassettes.content import IGNORED, SECRET, comparable, fold
from llm_simulator.cassettes.jsonpath import Steps, spell
from llm_simulator.cassettes.key import Matcher, normal_path, normal_query
from llm_simulator.types import JSON, Call

SHOWN = 80
"""How much of a value is shown, in characters."""

_LIMIT = 200  # differences counted; two calls that differ in more are no neighbours
_BEFORE = 24  # characters kept before the place where two long texts begin to differ
_DEPTH = 64  # what lies deeper is compared as one value
_ABSENT = object()
_WEIGHTS = {"method": 8.0, "path": 6.0, "provider": 4.0, "host": 1.0}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: where ("path", "query alt", "header openai-beta", or a JSON path of the body) and both values, short.

    A side that does not have the field shows "(absent)". `steps` is the place in a JSON body, None elsewhere. `weight`
    says how much the two differ there.
    """

    where: str
    asked: str
    recorded: str
    steps: Steps | None = None
    absent: bool = False
    weight: float = 1.0


def differences(matcher: Matcher, asked: Call, recorded: Call, masked: tuple[str, ...] = ()) -> list[Difference]:
    """All differences (at most 200), request line first. `masked` are the recording's masked paths."""
    return [
        *_line(matcher, asked, recorded),
        *_fields(matcher, asked, recorded),
        *_bodies(matcher, asked, recorded, masked),
    ]


def _line(matcher: Matcher, asked: Call, recorded: Call) -> Iterator[Difference]:
    a, b = asked.raw, recorded.raw
    sides = {"method": (a.method.upper(), b.method.upper()), "path": (normal_path(a.path), normal_path(b.path))}
    if a.host:
        sides["provider"] = asked.provider, recorded.provider
    if matcher.rules.host:
        sides["host"] = a.host, b.host
    for name, (left, right) in sides.items():
        if left != right:
            yield _difference(name, left, right, weight=_WEIGHTS[name])


def _fields(matcher: Matcher, asked: Call, recorded: Call) -> Iterator[Difference]:
    groups = (
        ("query", normal_query(asked.raw.query), normal_query(recorded.raw.query)),
        ("header", matcher.compared(asked), matcher.compared(recorded)),
    )
    for kind, left, right in groups:
        mine, theirs = _joined(left), _joined(right)
        for name in sorted(mine.keys() | theirs.keys()):
            if mine.get(name) != theirs.get(name):
                yield _difference(f"{kind} {name}", mine.get(name, _ABSENT), theirs.get(name, _ABSENT))


def _joined(fields: tuple[tuple[str, str], ...]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in fields:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _bodies(matcher: Matcher, asked: Call, recorded: Call, masked: tuple[str, ...]) -> list[Difference]:
    rules = matcher.masking(masked)
    try:
        left, right = comparable(asked.raw, rules), comparable(recorded.raw, rules)
        if isinstance(left, (dict, list)) and isinstance(right, (dict, list)):
            return list(islice(_compare(left, right, ()), _LIMIT))
        return [] if _same(left, right) else [_difference("body", left, right)]
    except RecursionError:
        return [_difference("body", "nested too deeply to compare", f"{len(recorded.raw.body)} bytes")]


def _compare(left: JSON, right: JSON, steps: Steps) -> Iterator[Difference]:
    if len(steps) >= _DEPTH or ANY in (left, right):
        if not _same(left, right):
            yield _difference(spell(steps), left, right, steps)
    elif isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            yield from _compare(left.get(name, _ABSENT), right.get(name, _ABSENT), (*steps, name))
    elif isinstance(left, list) and isinstance(right, list):
        for at in range(max(len(left), len(right))):
            yield from _compare(_element(left, at), _element(right, at), (*steps, at))
    elif not _same(left, right):
        yield _difference(spell(steps), left, right, steps)


def _element(side: list[JSON], at: int) -> JSON:
    return side[at] if at < len(side) else _ABSENT


def _same(left: object, right: object) -> bool:
    if isinstance(left, (dict, list)) and isinstance(right, (dict, list)):
        return dump(left) == dump(right)
    return type(left) is type(right) and (left == right or (left != left and right != right))  # NaN


def _difference(where: str, left: object, right: object, steps: Steps | None = None, weight: float = 1.0) -> Difference:
    mine, theirs = _text(left), _text(right)
    common = _common(mine, theirs)
    likeness = common / max(len(mine), len(theirs), 1)
    absent = left is _ABSENT or right is _ABSENT
    weight *= 1.0 - likeness / 2
    return Difference(shown_text(where), _short(mine, common), _short(theirs, common), steps, absent, weight)


def _text(value: object) -> str:
    return "(absent)" if value is _ABSENT else shown_text(dump(value).decode("utf-8", "surrogatepass"))


def shown_text(text: str) -> str:
    """Text for a person and for JSON: no secret, no marker of ours, nothing that UTF-8 cannot spell."""
    text = fold(text).replace(SECRET, "<secret>").replace(IGNORED, "<ignored>")
    return text.replace(dump(ANY).decode("utf-8", "surrogatepass"), "<ignored>").encode("utf-8", "replace").decode()


def _common(left: str, right: str) -> int:
    """How many characters two texts have in common at their start, found by halves."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _short(text: str, common: int) -> str:
    """The part of a long text around the place where it begins to differ from the other one."""
    if len(text) <= SHOWN:
        return text
    start = max(0, min(common - _BEFORE, len(text) - SHOWN))
    end = start + SHOWN
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
