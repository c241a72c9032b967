"""What the `profile` commands share: finding a profile by what the user wrote, its quantiles, tables of text.

Nothing of the calibration extra is imported here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import groupby
from pathlib import Path

import click

from llm_simulator.errors import ConfigError
from llm_simulator.profiles import Profile
from llm_simulator.profiles.distributions import Distribution
from llm_simulator.profiles.file import load
from llm_simulator.profiles.picking import SHIPPED
from llm_simulator.profiles.shipped import every
from llm_simulator.recorder.calibration.words import SPACE, duration, printable
from llm_simulator.simulator.draws import Draw, Lot, Stratified

RANKS = (0.5, 0.9, 0.95, 0.99)
LENGTHS = (100, 500)
"""Tokens of the answers whose totals are told."""
STREAMS, STREAM_TOKENS = 3, 150
DRAWS = 1000
"""Answers that stand for all, where a quantity has no distribution of its own."""
TITLES: Mapping[str, str] = {
    "ttft": "time to first token",
    "rate": "time per token",
    **{f"total{tokens}": f"total, {tokens} tokens" for tokens in LENGTHS},
    "total": "total, not streamed",
}
_EXTRA = ("numpy", "scipy", "matplotlib")

Table = dict[str, dict[float, float]]
"""Seconds by quantity (a key of TITLES) and rank."""


@dataclass(frozen=True, slots=True)
class Named:
    """A profile, what the user may call it, and for which provider it is ("": any, or as the profile says).

    `by` is the pattern that a model was found by, where the user named the model.
    """

    name: str
    profile: Profile
    provider: str = ""
    by: str = ""


@contextmanager
def extra(command: str) -> Generator[None]:
    """Around the import of what the calibration extra brings.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ConfigError(f"{command} needs {error.name}: pip install 'llm-simulator[calibrate]'") from error


@cache
def shipped() -> tuple[Named, ...]:
    """All profiles that come with the product, by file and in their order."""
    return tuple(
        Named(profile.name, profile, file if file not in ("default", "operations") else "") for file, profile in every()
    )


def found(spec: str) -> tuple[Named, ...]:
    """The profiles that `spec` names: NAME, PROVIDER/MODEL, FILE, or FILE::NAME.

    Raises:
        ConfigError: there is none of that name; the file cannot be read.
    """
    path, _, name = spec.partition("::")
    if name or Path(path).suffix in (".yaml", ".yml", ".json") or Path(path).is_file():
        return _of_file(path, name)
    named = [one for one in shipped() if one.name == spec]
    return tuple(named) if named else (_of_model(spec),)


def one(spec: str) -> Named:
    """The only profile that `spec` names.

    Raises:
        ConfigError: there is none, or the file has several.
    """
    several = found(spec)
    if len(several) != 1:
        names = ", ".join(each.name for each in several[:10])
        raise ConfigError(f"{spec}: has {len(several)} profiles; allowed is one of {names}")
    (only,) = several
    return only


def _of_file(path: str, name: str) -> tuple[Named, ...]:
    held = tuple(Named(f"{path}::{profile.name}", profile) for profile in load(path))
    if not name:
        return held
    chosen = tuple(named for named in held if named.profile.name == name)
    if not chosen:
        names = ", ".join(named.profile.name for named in held)
        raise ConfigError(f"{path}: got no profile {name!r}; it has {names}")
    return chosen


def _of_model(spec: str) -> Named:
    """The shipped profile that a model would get."""
    provider, _, model = spec.partition("/")
    if not model:
        near = _near(spec)
        hint = f"; near are {', '.join(near)}" if near else ""
        raise ConfigError(
            f"no profile {spec!r}{hint}; allowed are a shipped name (`profile list`), PROVIDER/MODEL, a file"
        )
    picked = SHIPPED.of(provider, model)
    return Named(spec, picked.profile, provider, picked.by)


def _near(name: str) -> list[str]:
    """Shipped names that are like `name`, or like it but for the provider before it."""
    names = [named.name for named in shipped()]
    tails = [each.partition("/")[2] for each in names]
    close = get_close_matches(name, {*names, *tails}, n=3)
    return [each for each, tail in zip(names, tails, strict=True) if each in close or tail in close][:5]


def quantiles(profile: Profile) -> Table:
    """What a client sees of a profile."""
    return {name: {rank: _at(values, rank) for rank in RANKS} for name, values in spread(profile).items()}


def spread(profile: Profile) -> dict[str, list[float]]:
    """The same as DRAWS ascending values of each quantity, evenly over the ranks."""
    told: dict[str, list[float]] = {}
    if profile.stream is not False and not profile.operations:
        told = _streamed(profile)
    if profile.total is not None or not told:
        told["total"] = _even(profile.total or profile.ttft)
    return told


def _streamed(profile: Profile) -> dict[str, list[float]]:
    totals = {tokens: drawn(profile, tokens) for tokens in LENGTHS}
    decode = sorted((total - ttft) / (LENGTHS[0] - 1) for ttft, total in totals[LENGTHS[0]])
    rates = _even(profile.rate) if profile.rate else decode
    ends = {f"total{tokens}": sorted(total for _, total in each) for tokens, each in totals.items()}
    return {"ttft": _even(profile.ttft), "rate": rates, **ends}


def _even(distribution: Distribution) -> list[float]:
    return [distribution.quantile((at + 0.5) / DRAWS) for at in range(DRAWS)]


def drawn(profile: Profile, tokens: int, count: int = DRAWS) -> list[tuple[float, float]]:
    """TTFT and total of `count` streamed answers of so many tokens; the same at every call."""
    lot = Lot(0, "profile", b"profile")
    return [profile.outline(tokens, Stratified(lot, Draw(0, k), "latency")) for k in range(count)]


def streams(profile: Profile) -> Iterator[tuple[list[float], list[int]]]:
    """A few answers of STREAM_TOKENS tokens as they would arrive: seconds of each write, and its tokens."""
    if profile.stream is False or profile.operations:
        return
    lot = Lot(0, "profile", b"profile")
    for k in range(STREAMS):
        timings = profile.generate_streaming_timings(STREAM_TOKENS, Stratified(lot, Draw(0, k), "latency"))
        writes = [(due, len(list(each))) for due, each in groupby(timings.dues)]
        yield [due for due, _ in writes], [size for _, size in writes]


def _at(ordered: Sequence[float], rank: float) -> float:
    """Straight between the middles of the strata that the values stand for."""
    place = min(max(rank * len(ordered) - 0.5, 0.0), len(ordered) - 1.0)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def milliseconds(table: Table) -> dict[str, dict[str, float]]:
    """For JSON: {"ttft": {"p50": 428.0, ...}, ...}."""
    return {
        f"{name}_ms": {f"p{rank * 100:g}": round(value * 1e3, 3) for rank, value in values.items()}
        for name, values in table.items()
    }


def brief(seconds: float) -> str:
    """A time for a terminal."""
    return duration(seconds).replace(SPACE, " ")


def lines(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> Iterator[str]:
    """A table as text: the first `left` columns to the left, the others to the right."""
    shown = [[printable(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads))]
    for row in shown:
        cells = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def echo(text: Iterator[str]) -> None:
    for line in text:
        click.echo(line)
