"""`llm-simulator profile check PROFILE --against CASSETTE`: has the provider become slower than the profile says?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from llm_simulator.cli.options import JSON_OPTION, complete_files
from llm_simulator.cli.profiles import TITLES, Named, brief, drawn, echo, extra, found, lines
from llm_simulator.errors import CassetteError, ConfigError
from llm_simulator.profiles import Profile

if TYPE_CHECKING:
    from llm_simulator.recorder.calibration.drift import Draws, Measured, Recorded
    from llm_simulator.recorder.calibration.samples import Sample

_QUANTITIES = {**TITLES, "cached": "first token, cached prompt"}
_SAME = {"vertex": "gemini"}


@click.command("check")
@click.argument("spec", metavar="PROFILE", shell_complete=complete_files)
@click.option(
    "--against",
    "cassettes",
    required=True,
    multiple=True,
    metavar="C",
    shell_complete=complete_files,
    help="recent recordings: a cassette, or anything else that `calibrate` reads (may be repeated)",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 10),
    default=0.1,
    show_default=True,
    help="a difference up to this share is no drift",
)
@click.option("--faster", is_flag=True, help="exit with 1 where the provider has become faster, too")
@JSON_OPTION
def check_command(spec: str, cassettes: tuple[str, ...], tolerance: float, faster: bool, as_json: bool) -> None:
    """Has a provider become slower than its profile? Exits with 1 if the provider has become slower, with 2 if it cannot tell.

    A quantile has drifted where chance does not explain it (its confidence interval leaves the profile's quantile, and
    the interval that this one was known to) and the difference is more than the tolerance.
    """
    with extra("profile check"):
        from llm_simulator.recorder.calibration.drift import Verdict, compared
        from llm_simulator.recorder.calibration.reading import read
    taken = _Taken(found(spec))
    try:
        for sample in read(cassettes, complain=lambda problem: click.echo(problem, err=True)):
            taken.add(sample)
    except CassetteError as error:
        raise ConfigError(str(error)) from error  # exit code 2: 1 says that it is slower
    measured = compared(taken.recorded, _draws, tolerance)
    verdicts = {each.verdict for each in measured}
    if verdicts <= {Verdict.UNKNOWN}:
        raise ConfigError(f"{spec} --against {', '.join(cassettes)}: {taken.why_none()}")
    drifted = Verdict.SLOWER in verdicts or (faster and Verdict.FASTER in verdicts)
    if as_json:
        told = {"profile": spec, "against": list(cassettes), "drift": drifted, **taken.counts(), "tolerance": tolerance}
        click.echo(json.dumps({**told, "measured": list(map(_json, measured))}, indent=2, ensure_ascii=False))
    else:
        echo(_text(measured, taken))
    if drifted:
        sys.exit(1)


class _Taken:
    """Samples by the first profile that is for them."""

    def __init__(self, named: Sequence[Named]) -> None:
        from llm_simulator.recorder.calibration.drift import Recorded

        self._named = named
        self._recorded = [Recorded(each.profile) for each in named]
        self.failed = self.others = self.taken = 0

    def add(self, sample: Sample) -> None:
        if sample.failed:
            self.failed += 1
            return
        for named, recorded in zip(self._named, self._recorded, strict=True):
            if _for(named, sample):
                recorded.add(sample)
                self.taken += 1
                return
        self.others += 1

    @property
    def recorded(self) -> list[Recorded]:
        return [each for each in self._recorded if each.values]

    def counts(self) -> dict[str, int]:
        return {"calls": self.taken, "failed": self.failed, "other_calls": self.others}

    def why_none(self) -> str:
        timed = max((len(values) for each in self._recorded for values in each.values.values()), default=0)
        return (
            f"too few calls to compare: {self.taken} are for the profile and {timed} of them have times, {self.failed} "
            f"failed, {self.others} are other providers' or models'; 10 or more with times are needed"
        )


def _for(named: Named, sample: Sample) -> bool:
    """Whether a profile would have been taken for this call."""
    profile = named.profile
    provider = _SAME.get(sample.provider, sample.provider)
    family = "" if sample.family == "*" else sample.family
    operation = "embeddings" if sample.kind == "embedding" else ""
    wide = not family and profile.family != "*"  # a table of measurements tells no wire format
    return (
        named.provider in ("", provider, sample.provider)
        and profile.fits(
            sample.provider, operation, profile.family if wide else family, sample.stream, sample.cache == "hit"
        )
        and bool(profile.pattern_of(sample.model.lower()))
    )


def _draws(profile: Profile) -> Draws:
    def totals(tokens: int, count: int) -> list[float]:
        return [total for _, total in drawn(profile, tokens, count)]

    return totals


def _json(each: Measured) -> dict[str, Any]:
    quantiles = {
        f"p{one.rank * 100:g}": {
            "profile_ms": round(one.profile * 1e3, 3),
            "recorded_ms": round(one.recorded * 1e3, 3),
            "interval_ms": [round(one.low * 1e3, 3), round(one.high * 1e3, 3) if isfinite(one.high) else None],
            "verdict": one.verdict.value,
        }
        for one in each.quantiles
    }
    return {
        "profile": each.profile,
        "quantity": each.quantity,
        "n": each.n,
        "verdict": each.verdict.value,
        "quantiles": quantiles,
    }


def _text(measured: Sequence[Measured], taken: _Taken) -> Iterator[str]:
    heads = ("", "", "profile", "recorded", "interval", "difference", "")
    rows = [row for each in measured for row in _rows(each)]
    yield from lines(heads, rows, left=2)
    yield ""
    for each in measured:
        yield f"{each.profile}, {_QUANTITIES[each.quantity]} (n = {each.n:,}): {_sentence(each)}"
    rest = f"{taken.failed} failed" * bool(taken.failed), f"{taken.others} are for no profile here" * bool(taken.others)
    yield ", ".join(filter(None, (f"{taken.taken} calls compared", *rest)))


def _rows(each: Measured) -> Iterator[tuple[str, ...]]:
    for place, one in enumerate(each.quantiles):
        yield (
            "" if place else f"{each.profile}: {_QUANTITIES[each.quantity]}",
            f"p{one.rank * 100:g}",
            brief(one.profile),
            brief(one.recorded),
            f"{brief(one.low)} - {brief(one.high)}" if isfinite(one.high) else f"from {brief(one.low)}",
            f"{one.recorded / one.profile - 1:+.0%}".replace("-0%", "+0%") if one.profile else "-",
            one.verdict.value,
        )


def _sentence(each: Measured) -> str:
    by_verdict: dict[str, list[str]] = {}
    for one in each.quantiles:
        by_verdict.setdefault(one.verdict.value, []).append(f"p{one.rank * 100:g}")
    drifted = [f"{word} at {', '.join(by_verdict[word])}" for word in ("slower", "faster") if word in by_verdict]
    if drifted:
        return "; ".join(drifted)
    return "too few calls to tell" if "too few" in by_verdict else "as the profile says"
