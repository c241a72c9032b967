"""The pictures of a report: recorded and fitted distribution functions with bootstrap bands, and timelines of streams.

Colours are Okabe and Ito's, told apart by line style as well; what is drawn depends on the data alone, so equal data gives
equal bytes. A panel is drawn by the same code into SVG (one file each) and into one PNG for all.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO
from statistics import NormalDist
from textwrap import wrap
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from scipy.stats import beta

from llm_simulator.profiles.distributions import Distribution
from llm_simulator.recorder.calibration.facts import Group, Row, Strip
from llm_simulator.recorder.calibration.words import counted, duration, percent, printable, rank

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000"
STYLES: tuple[tuple[str, Any], ...] = (
    (BLUE, "-"),
    (VERMILLION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (BLACK, (0, (5, 1, 1, 1, 1, 1))),
    (ORANGE, (0, (1, 2))),
)
"""A colour and a line style for each curve of a panel; no more are drawn into one."""
PANEL = (3.2, 2.35)  # inches
_WITHIN = (0.13, 0.1, 0.83, 0.8)  # left, bottom, width, height of its axes: all panels of a row are alike
TIMELINE_WIDTH = 8.0
WRITES_SHOWN = 250
"""Writes of a stream that a timeline draws; what comes after them is left out and said."""

_FONT = "DejaVu Sans"  # comes with matplotlib
_RC: Any = {  # its type has a name in some versions only
    "svg.fonttype": "none",
    "svg.hashsalt": "llm-simulator",
    "font.family": [_FONT],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "text.parse_math": False,  # names come from recordings: "$" is no formula
}
_NORMAL = NormalDist()
_LONG = re.compile(r"-?\d+\.\d{3,}")
_TICKS = (0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999)
_LOWEST, _HIGHEST = 0.01, 0.999


@dataclass(frozen=True, slots=True)
class Curve:
    """A distribution function as points: `values` in seconds at `shares`; the band (low, high) at the same shares."""

    label: str
    shares: NDArray[np.float64]
    values: NDArray[np.float64]
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


def recorded(values: Sequence[float], n: int, label: str = "recorded") -> Curve:
    """What was measured, with the pointwise 95 % band of the bootstrap.

    The k-th smallest of n values drawn anew has the rank Beta(k, n - k + 1) in the recording, so that band is known
    without drawing (Hutson and Ernst 2000, the exact bootstrap). `n` may be more than the values that were kept.
    """
    shares = _shares(n)
    order = shares * (n - 1) + 1
    low, high = (np.quantile(values, beta.ppf(side, order, n - order + 1)) for side in (0.025, 0.975))
    return Curve(label, shares, np.quantile(values, shares), (low, high))


def fitted(distribution: Distribution, n: int, label: str) -> Curve:
    shares = _shares(n)
    return Curve(label, shares, np.array([distribution.quantile(float(share)) for share in shares]))


def of_values(values: Sequence[float], label: str) -> Curve:
    """Of ascending values that lie evenly over the ranks."""
    shares = _shares(len(values))
    return Curve(label, shares, np.interp(shares, (np.arange(len(values)) + 0.5) / len(values), values))


def _shares(n: int) -> NDArray[np.float64]:
    """Where curves are drawn: evenly over the stretched axis, into the tail as far as n values show one."""
    top = min(max(1 - 0.5 / max(n, 1), 0.992), _HIGHEST)
    even = np.linspace(_NORMAL.inv_cdf(_LOWEST), _NORMAL.inv_cdf(top), 120)
    return np.array([_NORMAL.cdf(float(place)) for place in even])


def panel_svg(row: Row) -> str:
    """Recorded against fitted, of one quantity."""
    with _figure(*PANEL, layout=None) as figure:
        panel(figure.add_axes(_WITHIN), row.title, curves(row))
        return _svg(figure)


def timeline_svg(strips: Sequence[Strip]) -> str:
    """The writes of a few streams over time."""
    with _figure(TIMELINE_WIDTH, 0.75 + 0.34 * len(strips)) as figure:
        timeline(figure.add_subplot(), strips)
        return _svg(figure)


def curves(row: Row) -> tuple[Curve, Curve]:
    return recorded(row.values, row.fit.n), fitted(row.fit.distribution, row.fit.n, f"fitted: {row.family}")


def profiles_svg(title: str, shown: Sequence[tuple[int, Curve]]) -> str:
    """One quantity of several profiles, each with the style of its place; `swatch_svg` shows those."""
    with _figure(*PANEL, layout=None) as figure:
        _panel_of_profiles(figure.add_axes(_WITHIN), title, shown)
        return _svg(figure)


def swatch_svg(place: int) -> str:
    """The line of a place, for a legend outside."""
    with _figure(0.5, 0.16, layout=None) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        colour, style = STYLES[place]
        axes.plot([0, 1], [0, 0], color=colour, linestyle=style, linewidth=2)
        return _svg(figure)


def profiles_png(
    panels: Mapping[str, Sequence[tuple[int, Curve]]], lanes: Sequence[tuple[str, Sequence[Strip]]]
) -> bytes:
    """All quantities of several profiles with one legend, and streams of each below."""
    heights = [2.9, *(0.75 + 0.34 * len(strips) for _, strips in lanes)]
    with _figure(3.25 * max(len(panels), 3), sum(heights)) as figure:
        above, *below = _split(figure, len(heights), 1, height_ratios=heights)
        lines: dict[str, Any] = {}
        for axes, (title, shown) in zip(above.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            _panel_of_profiles(axes, title, shown)
            lines |= {str(line.get_label()): line for line in axes.get_lines()}
        above.legend(
            list(lines.values()), list(lines), loc="outside lower left", ncols=3, frameon=False, handlelength=3
        )
        for part, (label, strips) in zip(below, lanes, strict=True):
            axes = part.subplots()
            timeline(axes, strips)
            axes.set_title(drawable(label), loc="left")
        return _png(figure)


def _panel_of_profiles(axes: Axes, title: str, shown: Sequence[tuple[int, Curve]]) -> None:
    panel(axes, title.capitalize(), [each for _, each in shown], [place for place, _ in shown], legend=False)


def panel(
    axes: Axes, title: str, shown: Sequence[Curve], styles: Sequence[int] = (0, 1), *, legend: bool = True
) -> None:
    """Shares over times: the vertical axis is stretched as the normal distribution is, so that the tail shows."""
    for curve, (colour, style) in zip(shown, map(STYLES.__getitem__, styles), strict=False):
        height = [_NORMAL.inv_cdf(float(share)) for share in curve.shares]
        if curve.band is not None:
            axes.fill_betweenx(height, *curve.band, color=colour, alpha=0.22, linewidth=0)
        axes.plot(curve.values, height, color=colour, linestyle=style, label=drawable(curve.label))
    top = max(float(curve.shares[-1]) for curve in shown)
    ticks = [share for share in _TICKS if share <= top]
    axes.set_yticks([_NORMAL.inv_cdf(share) for share in ticks], [rank(share) for share in ticks])
    axes.set_ylim(_NORMAL.inv_cdf(_LOWEST), _NORMAL.inv_cdf(top))
    axes.grid(axis="both", color="#cccccc", linewidth=0.4)
    unit = _times(axes, shown)
    axes.set_title(f"{title}, {unit}", loc="left")
    if legend:
        axes.legend(loc="lower right", fontsize=7, frameon=True, framealpha=0.7, edgecolor="none", handlelength=2.6)


def _times(axes: Axes, shown: Sequence[Curve]) -> str:
    """A logarithmic axis over what all curves show, with few ticks at round numbers; gives the unit of the labels."""
    ends = [(float(curve.values[0]), float(curve.values[-1])) for curve in shown]
    high = max(end for _, end in ends) or 1e-3
    low = max(min(start for start, _ in ends), high * 1e-5)
    low, high = low / 1.04, high * 1.04
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    factor, unit = (1.0, "s") if high > 5 else (1e3, "ms")
    ticks = [tick / factor for tick in _round(low * factor, high * factor)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(ticks, [f"{tick * factor:,g}" for tick in ticks])
    return unit


def _round(low: float, high: float) -> list[float]:
    """At most six round numbers between two, as evenly as they go on a logarithmic axis."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(found) <= 6:
            break
    if len(found) < 3:
        found = [tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high]
    return _apart([float(f"{tick:.3g}") for tick in found], 0.13 * float(np.log(high / low)))


def _apart(ticks: Sequence[float], least: float) -> list[float]:
    """Those whose labels do not touch: at least so far from each other on a logarithmic axis."""
    kept: list[float] = []
    for tick in ticks:
        if not kept or np.log(tick / kept[-1]) >= least:
            kept.append(tick)
    return kept


def timeline(axes: Axes, strips: Sequence[Strip]) -> None:
    """A lane for each stream: a thin line while it waits, then a bar for each write, as high as it has tokens."""
    tallest = max(max(strip.sizes, default=1) for strip in strips) or 1
    shown = [strip.times[:WRITES_SHOWN][-1] for strip in strips]
    for lane, (strip, end) in enumerate(zip(strips, shown, strict=True)):
        base = len(strips) - 1 - lane
        axes.plot([0, strip.times[0]], [base, base], color="#666666", linewidth=0.8, linestyle=":")
        axes.plot([strip.times[0], end], [base, base], color=BLUE, linewidth=0.5)
        axes.plot(*_bars(strip, base, 0.82 / tallest), color=BLUE, linewidth=0.9, solid_capstyle="butt")
        axes.annotate(_caption(strip), (end, base), (4, 0), textcoords="offset points", fontsize=7, va="bottom")
    axes.set_ylim(-0.1, len(strips))
    axes.set_xlim(0, max(shown) * 1.3)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"seconds after the request was sent; the tallest bar is a write of {counted(tallest, 'token')}")


def _bars(strip: Strip, base: float, scale: float) -> tuple[array[float], array[float]]:
    """All bars of a lane as one line with breaks: one path in the SVG in place of hundreds."""
    across, up = array("d"), array("d")
    for time, size in zip(strip.times[:WRITES_SHOWN], strip.sizes, strict=False):
        across.extend((time, time, np.nan))
        up.extend((base, base + max(size, 0) * scale, np.nan))
    return across, up


def _caption(strip: Strip) -> str:
    hidden = len(strip.times) - WRITES_SHOWN
    more = f", {counted(hidden, 'later write')} not shown" if hidden > 0 else ""
    return f"{counted(strip.tokens, 'token')} in {counted(len(strip.times), 'write')}{more}"


def report_png(groups: Sequence[Group], head: str) -> bytes:
    """One picture with panels, quantiles and timeline of each of `groups`."""
    heights = [0.5, *map(_height, groups)]
    with _figure(13.0, sum(heights)) as figure:
        parts = _split(figure, len(heights), 1, height_ratios=heights)
        parts[0].text(0.008, 0.5, head, fontsize=13, va="center")
        for part, group in zip(parts[1:], groups, strict=True):
            _group(part, group)
        return _png(figure)


def _split(part: Figure | SubFigure, rows: int, columns: int, **ratios: Any) -> list[SubFigure]:
    """Its parts, row by row."""
    parts: Any = part.subfigures(rows, columns, squeeze=False, **ratios)  # typed otherwise in some versions
    return list(parts.ravel())


def _height(group: Group) -> float:
    return 0.35 + 2.5 + (0.0 if _beside(group) else 2.3)


def _beside(group: Group) -> bool:
    """Whether the table has its place beside the panels."""
    return len(group.rows) <= 2 and not group.strips


def _group(part: SubFigure, group: Group) -> None:
    name = drawable(f"{group.title} ({counted(group.n, 'call')})")
    part.suptitle(name, x=0.008, ha="left", fontsize=11, weight="bold")
    if _beside(group):
        above, text = _split(part, 1, 2)
        _panels(above, group.rows, 2)
        _write(text, group)
        return
    above, below = _split(part, 2, 1, height_ratios=[2.5, 2.3])
    _panels(above, group.rows, 4)
    text, lanes = _split(below, 1, 2, width_ratios=[1.15, 1])
    _write(text, group)
    if group.strips:
        timeline(lanes.subplots(), group.strips)


def _panels(part: SubFigure, rows: Sequence[Row], places: int) -> None:
    for place, axes in enumerate(part.subplots(1, places, squeeze=False)[0]):
        if place < len(rows):
            panel(axes, rows[place].title, curves(rows[place]))
        else:
            axes.set_visible(False)


def _write(part: SubFigure, group: Group) -> None:
    part.text(
        0.02, 0.97, drawable(_summary(group)), fontsize=7.5, va="top", family="DejaVu Sans Mono", linespacing=1.35
    )


def _summary(group: Group) -> str:
    head = f"{'':<20}" + "".join(f"{rank(cell.rank):>18}" for cell in group.rows[0].cells) if group.rows else ""
    lines = [head]
    for row in group.rows:
        lines.append(f"{row.title:<20}" + "".join(f"{duration(cell.recorded):>18}" for cell in row.cells))
        told = (f"{duration(cell.fitted)} ({percent(cell.error)})" for cell in row.cells)
        lines.append(f"{'  ' + row.family:<20}" + "".join(f"{cell:>18}" for cell in told))
    failures = ", ".join(f"{status or 'no answer'} {percent(share)}" for status, share in group.failures.items())
    return "\n".join([*lines, f"failures: {failures or 'none'}", *_wrapped(group.warnings)])


def _wrapped(warnings: Sequence[str]) -> Iterator[str]:
    for warning in warnings[:3]:
        yield from wrap(f"! {warning}", 92, subsequent_indent="  ", max_lines=2, placeholder=" ...")


def drawable(text: str) -> str:
    """What the font has: anything beyond Latin would be drawn as a box and warned of."""
    return "".join(letter if letter == "\n" or letter < "\u0250" else "?" for letter in map(_safe, text))


def _safe(letter: str) -> str:
    return letter if letter == "\n" else printable(letter)


@contextmanager
def _figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Generator[Figure]:
    """Without pyplot: nothing is registered anywhere, so nothing needs closing."""
    with rc_context(_RC):
        yield Figure(figsize=(width, height), layout=layout)


def _svg(figure: Figure) -> str:
    """From the `<svg` on, without a date and with two decimals. A reader without the font gets one that is not wider."""
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = file.getvalue()
    plain = text[text.index("<svg") :].replace(f"'{_FONT}'", f"'{_FONT}', Verdana, sans-serif")
    return _LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), plain)


def _png(figure: Figure, dpi: int = 100) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None}, facecolor="white")
    return file.getvalue()
