"""The comparison as tables: shares per provider and aspect, and every deviation by the room that can mend it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from fidelity_compare import Deviation, Result, Score
from fidelity_known import ASIDE, EXPLAINED

ASPECTS = ("status", "keys", "kinds", "order of kinds", "order of keys", "layout", "headers", "header formats")


def table(result: Result) -> Iterator[str]:
    """Per provider: the share that agrees; that of what can agree; that with all that deviates for an accepted reason."""
    yield f"{'provider':12}" + "".join(f"{aspect:>26}" for aspect in ASPECTS)
    for provider, scores in [*sorted(by_provider(result).items()), ("all", _all(result))]:
        yield f"{provider:12}" + "".join(f"{_cell(scores.get(aspect, Score())):>26}" for aspect in ASPECTS)
    yield ""
    yield from reasons(result)
    yield ""
    yield "headers per answer (mean; hop-by-hop, body and cookie headers left out)"
    for provider, (theirs, ours) in sorted(result.names.items()):
        yield f"  {provider:12} recorded {_mean(theirs):5.1f}   ours {_mean(ours):5.1f}   of {len(theirs)} exchanges"


def reasons(result: Result) -> Iterator[str]:
    """How many keys and kinds of events deviate for each reason, and whether it is set aside from "like for like"."""
    counts = {what: Counter[str]() for what in ("keys", "kinds")}
    for deviation, count in result.deviations.items():
        if deviation.what in ("key", "type", "kind"):
            counts["kinds" if deviation.what == "kind" else "keys"][deviation.reason] += count
    for what, found in counts.items():
        score = result.total(what)
        yield f"{what}: {score.of} compared, {score.agree} agree; of the others"
        for reason, count in found.most_common():
            yield f"  {count:6}  {'set aside' if reason in ASIDE else 'counted  '}  {reason}"


def _cell(score: Score) -> str:
    return f"{score.share:7.1%} {score.like_for_like:7.1%} {score.after_reasons:7.1%}" if score.of else ""


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def by_provider(result: Result) -> dict[str, dict[str, Score]]:
    found: dict[str, dict[str, Score]] = defaultdict(lambda: defaultdict(Score))
    for group, scores in result.scores.items():
        for aspect, score in scores.items():
            found[group.split(" ")[0]][aspect].add(score)
    return found


def _all(result: Result) -> dict[str, Score]:
    return {aspect: result.total(aspect) for aspect in ASPECTS}


def deviations(result: Result, *, explained: bool) -> Iterator[str]:
    """Every deviation with how often, where and why; those with an accepted reason only where asked for."""
    chosen = {d: n for d, n in result.deviations.items() if explained or d.reason not in EXPLAINED}
    for group in sorted({deviation.group for deviation in chosen}):
        yield f"\n### {group}"
        of = result.scores[group]["status"].of
        yield from _lines(_topmost({d: n for d, n in chosen.items() if d.group == group}), of, result)


def _topmost(found: dict[Deviation, int]) -> dict[Deviation, int]:
    """Without the keys below a key that is there in one only, too."""
    lone = {(d.path, d.detail) for d in found if d.what == "key"}
    return {d: n for d, n in found.items() if d.what != "key" or not _below(d, lone)}


def _below(deviation: Deviation, lone: set[tuple[str, str]]) -> bool:
    cuts = [place for place, letter in enumerate(deviation.path) if letter in ".[" and place]
    return any((deviation.path[:place], deviation.detail) in lone for place in cuts)


def _lines(found: dict[Deviation, int], of: int, result: Result) -> Iterator[str]:
    for deviation, count in sorted(found.items(), key=lambda item: (item[0].what, -item[1], item[0].path)):
        where = re.sub(r"\S+/", "", result.examples[deviation])
        detail = f": {deviation.detail}" if deviation.detail else ""
        path = deviation.path or "."
        yield f"- {deviation.what} `{path}`{detail} ({count} of {of}; {deviation.reason}; e.g. {where})"


def as_json(result: Result) -> Any:
    return {
        "shares": {
            provider: {
                aspect: {
                    "of": score.of,
                    "agree": score.share,
                    "like for like": score.like_for_like,
                    "with reasons": score.after_reasons,
                }
                for aspect, score in scores.items()
            }
            for provider, scores in [*by_provider(result).items(), ("all", _all(result))]
        },
        "headers": {
            provider: {"recorded": _mean(theirs), "ours": _mean(ours), "exchanges": len(theirs)}
            for provider, (theirs, ours) in result.names.items()
        },
        "deviations": [
            {"group": d.group, "what": d.what, "path": d.path, "detail": d.detail, "reason": d.reason, "count": count}
            for d, count in result.deviations.most_common()
        ],
    }


def rooms(result: Result) -> dict[str, Iterable[str]]:
    """Groups of endpoints by who mends them."""
    found: dict[str, list[str]] = defaultdict(list)
    for group in result.scores:
        found[_room(group)].append(group)
    return dict(found)


def _room(group: str) -> str:
    provider = group.split(" ")[0]
    if provider in ("anthropic", "gemini", "vertex", "cohere"):
        return "ACG"
    if "chat/completions" in group:
        return "GEN"
    return "RESP" if "/responses" in group or "/completions" in group else "OAI2"
