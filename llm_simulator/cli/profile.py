"""`llm-simulator profile ...`: look at latency profiles, compare them, and tell whether a provider has become slower."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from llm_simulator.cli.options import JSON_OPTION, complete_files
from llm_simulator.cli.profile_check import check_command
from llm_simulator.cli.profiles import (
    RANKS,
    TITLES,
    Named,
    brief,
    echo,
    extra,
    found,
    lines,
    milliseconds,
    one,
    quantiles,
    shipped,
    spread,
    streams,
)
from llm_simulator.errors import ConfigError
from llm_simulator.profiles import Profile
from llm_simulator.profiles.distributions import Distribution
from llm_simulator.profiles.file import json_schema, spelled_profile

PLOTTED = 6
"""Profiles in one plot: as many line styles can be told apart."""


@click.group("profile")
def command() -> None:
    """Look at latency profiles, compare them, and check whether a provider has become slower.

    A profile is named by its NAME (`profile list`), by PROVIDER/MODEL (the one that this model would get), by a FILE of
    `calibrate`, or by FILE::NAME.
    """


command.add_command(check_command)


@command.command("list")
@click.argument("paths", nargs=-1, metavar="[FILE...]", shell_complete=complete_files)
@click.option("--provider", metavar="P", help="only those for this provider")
@JSON_OPTION
def list_command(paths: tuple[str, ...], provider: str | None, as_json: bool) -> None:
    """List the profiles of FILEs. Without any: those that come with the product, in the order in which they are tried."""
    named = [each for path in paths for each in found(path)] if paths else list(shipped())
    if provider:
        named = [each for each in named if provider in (each.provider, each.profile.provider)]
    if as_json:
        for each in named:
            click.echo(json.dumps(_summary(each), ensure_ascii=False))
        return
    heads = ("profile", "for", "ttft p50", "p95", "per token p50", "p95", "n", "date")
    echo(lines(heads, [_row(each) for each in named], left=2))


def _row(named: Named) -> tuple[str, ...]:
    profile = named.profile
    ttft = [brief((profile.total or profile.ttft).quantile(rank)) for rank in (0.5, 0.95)]
    streams = profile.rate is not None and profile.stream is not False and not profile.operations
    rate = [brief(profile.rate.quantile(rank)) if profile.rate and streams else "-" for rank in (0.5, 0.95)]
    return (named.name, _cut(_for(named)), *ttft, *rate, *_measured(profile))


_COUNTED = re.compile(r"n = (\d[\d,]*\d|\d)|(\d[\d,]*) (?:probes|packet captures|streams|requests|calls|answers)")
_DATED = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")


def _measured(profile: Profile) -> tuple[str, str]:
    """How many answers and when, as the provenance says or what the source says of the TTFT."""
    given = profile.provenance
    if given:
        return f"{given.n:,}" if given.n else "-", given.date or "-"
    parts = profile.source.split("; ")
    told = next((part for part in parts if part.startswith(("ttft", "all", "total"))), profile.source)
    counted, dates = _COUNTED.search(told), _DATED.findall(told)
    return (counted[1] or counted[2]) if counted else "-", dates[-1] if dates else "-"


def _cut(text: str, most: int = 48) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _for(named: Named) -> str:
    """What calls a profile is for, in words."""
    profile = named.profile
    provider = named.provider or (profile.provider if profile.provider != "*" else "")
    limits = [
        *([f"family {profile.family}"] if profile.family != "*" else []),
        *profile.operations,
        *([] if profile.stream is None else ["stream" if profile.stream else "no stream"]),
        *([f"cache {profile.cache}"] if profile.cache != "any" else []),
    ]
    return ", ".join((f"{provider} {' '.join(profile.models)}".strip(), *limits))


def _summary(named: Named) -> dict[str, Any]:
    """Without the recorded responses: a page of numbers at most."""
    told = {name: value for name, value in spelled_profile(named.profile).items() if name != "traces"}
    traces = named.profile.traces
    return {
        "id": named.name,
        "provider_file": named.provider or None,
        **told,
        "traces": len(traces.items) if traces else 0,
        "quantiles": milliseconds(quantiles(named.profile)),
    }


@command.command("show")
@click.argument("spec", metavar="PROFILE", shell_complete=complete_files)
@JSON_OPTION
def show_command(spec: str, as_json: bool) -> None:
    """Show what a profile says. For which calls it is, where it is from, how fast it is; of a FILE all that it has."""
    named = found(spec)
    if as_json:
        told = [{**_summary(each), **({"picked_by": each.by} if each.by else {})} for each in named]
        click.echo(json.dumps({"profiles": told}, indent=2, ensure_ascii=False))
        return
    for place, each in enumerate(named):
        if place:
            click.echo()
        echo(_shown(each))


def _shown(named: Named) -> Iterator[str]:
    profile = named.profile
    yield named.name if named.name.endswith(profile.name) else f"{named.name} gets {profile.name}"
    if named.by:
        yield f"  picked by      the pattern {named.by}: nothing was measured of this very model"
    yield f"  for            {_for(named)}"
    if profile.source:
        yield f"  source         {profile.source}"
    yield from _provenance(profile)
    yield f"  first token    {described(profile.ttft)}"
    yield f"  per token      {described(profile.rate) if profile.rate else 'by absolute gaps'}"
    yield f"  writes         {_writes(profile)}"
    yield f"  length         {described(profile.length)}; p50 {profile.length.quantile(0.5):,.0f} tokens"
    yield from _further(profile)
    yield from _quality(profile)
    yield ""
    table = quantiles(profile)
    rows = [(TITLES[name], *(brief(values[rank]) for rank in RANKS)) for name, values in table.items()]
    yield from (f"  {line}" for line in lines(("", "p50", "p90", "p95", "p99"), rows))


def described(distribution: Distribution) -> str:
    """The family; what it is made of is told by the quantiles."""
    return distribution.name.replace("_", " ")


def _provenance(profile: Profile) -> Iterator[str]:
    given = profile.provenance
    if given:
        n = f"n = {given.n:,}" if given.n else ""
        yield f"  measured       {', '.join(filter(None, (given.source, given.date, n, given.conditions)))}"


def _writes(profile: Profile) -> str:
    traces = profile.traces
    if traces is not None and traces.shaped:
        return f"as in {len(traces.items)} recorded responses"
    shares = [
        after - before for before, after in zip((0.0, *profile.writes.shares), profile.writes.shares, strict=False)
    ]
    return ", ".join(f"{size}: {share:.0%}" for size, share in zip(profile.writes.sizes, shares, strict=True)) + (
        " of the writes have so many tokens"
    )


def _further(profile: Profile) -> Iterator[str]:
    """What is off unless a profile says it."""
    if profile.prompt_slope:
        slope = profile.prompt_slope
        yield f"  prompt         {slope.seconds * 1e3:g} ms more for each token above {slope.reference:,}"
    if profile.cache_hit:
        yield f"  cached prompt  p50 {brief(profile.cache_hit.quantile(0.5))} to the first token"
    if profile.load:
        yield f"  load           {profile.load.slots or 'any number of'} slots, slowdown {profile.load.slowdown:g}"
    if profile.errors:
        yield f"  failures       {', '.join(f'{error.status}: {error.rate:.2%}' for error in profile.errors)}"
    if profile.usage_ratio:
        ratio = profile.usage_ratio
        yield f"  tokens         {ratio.completion:.3g} per tiktoken token (prompt {ratio.prompt:.3g}, n = {ratio.n:,})"


def _quality(profile: Profile) -> Iterator[str]:
    """How far each fit is from its recording; the words are those of `calibrate`."""
    for name, told in (profile.quality or {}).items():
        if isinstance(told, Mapping) and told.get("errors"):
            low = ", low confidence" if told.get("low_confidence") else ""
            yield f"  fit of {name:<8}{told.get('chosen', '')}, at most {max(told['errors'].values()):.1%} off{low}"


@command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of profile files, by which an editor completes them.

    The first line of a file of `calibrate` names it: llm-simulator profile schema > llm-simulator-profiles.schema.json
    beside the file.
    """
    click.echo(json.dumps(json_schema(), indent=2))


@command.command("compare")
@click.argument("a", metavar="A", shell_complete=complete_files)
@click.argument("b", metavar="B", shell_complete=complete_files)
@JSON_OPTION
def compare_command(a: str, b: str, as_json: bool) -> None:
    """Compare the quantiles of two profiles. Time to first token, time per token, totals of 100 and 500 tokens."""
    left, right = one(a), one(b)
    first, second = quantiles(left.profile), quantiles(right.profile)
    both = [name for name in first if name in second]
    if not both:
        kinds = " and ".join(f"{each.name} is for {_for(each)}" for each in (left, right))
        raise ConfigError(f"{a} and {b}: nothing to compare; {kinds}")
    ratios = {name: {rank: _ratio(second[name][rank], first[name][rank]) for rank in RANKS} for name in both}
    if as_json:
        told = {f"p{rank * 100:g}": rank for rank in RANKS}
        ratio = {name: {word: ratios[name][rank] for word, rank in told.items()} for name in both}
        sides = {
            side: {"profile": each.name, **milliseconds(table)}
            for side, each, table in (("a", left, first), ("b", right, second))
        }
        click.echo(json.dumps({**sides, "ratio": ratio}, indent=2, ensure_ascii=False))
        return
    click.echo(f"A  {left.name}\nB  {right.name}\n")
    rows: list[Sequence[str]] = []
    for name in both:
        for place, rank in enumerate(RANKS):
            values = (brief(first[name][rank]), brief(second[name][rank]), _times(ratios[name][rank]))
            rows.append(("" if place else TITLES[name], f"p{rank * 100:g}", *values))
    echo(lines(("", "", "A", "B", "B / A"), rows, left=2))


def _ratio(b: float, a: float) -> float | None:
    return round(b / a, 4) if a else None


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


@command.command("plot")
@click.argument("specs", nargs=-1, required=True, metavar="PROFILE...", shell_complete=complete_files)
@click.option("--output", "-o", required=True, metavar="OUT", help="a .png or a self-contained .html")
@JSON_OPTION
def plot_command(specs: tuple[str, ...], output: str, as_json: bool) -> None:
    """Draw profiles. At most six in one plot: distribution functions, and streams as they would arrive."""
    with extra("profile plot"):
        from llm_simulator.recorder.calibration.profile_plot import Plotted, write_plot
    named = [each for spec in specs for each in found(spec)]
    shown = named[:PLOTTED]
    labels = _labels(shown)
    write_plot(
        [
            Plotted(labels[place], _titled(each.profile), tuple(streams(each.profile)))
            for place, each in enumerate(shown)
        ],
        output,
    )
    told = {
        "output": output,
        "profiles": [each.name for each in shown],
        "left_out": [each.name for each in named[PLOTTED:]],
    }
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    more = f"; left out are {', '.join(told['left_out'])}" if told["left_out"] else ""
    click.echo(f"{len(shown)} profiles drawn into {output}{more}")


def _labels(shown: Sequence[Named]) -> list[str]:
    """The profiles' own names, with their files where two have the same."""
    names = [each.profile.name for each in shown]
    return [name if names.count(name) == 1 else each.name for name, each in zip(names, shown, strict=True)]


def _titled(profile: Profile) -> dict[str, list[float]]:
    return {TITLES[name]: values for name, values in spread(profile).items()}
