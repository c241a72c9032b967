"""What latency profiles give, drawn: distribution functions of several in one panel, and streams as they would arrive."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llm_simulator.errors import ConfigError
from llm_simulator.recorder.calibration import html, plots
from llm_simulator.recorder.calibration.facts import Strip
from llm_simulator.recorder.calibration.words import duration, rank

RANKS = (0.5, 0.9, 0.95, 0.99)
SUFFIXES = (".html", ".png")
Stream = tuple[Sequence[float], Sequence[int]]
"""Seconds of each write after the request, and the tokens of each."""


@dataclass(frozen=True, slots=True)
class Plotted:
    """A profile as it is drawn: ascending seconds of each quantity, by its title, evenly over the ranks."""

    label: str
    values: Mapping[str, Sequence[float]]
    streams: tuple[Stream, ...] = ()


def write_plot(shown: Sequence[Plotted], path: str | Path) -> None:
    """Draws at most as many profiles as there are line styles, into a page (.html) or a picture (.png).

    Raises:
        ConfigError: the suffix is another, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{target}: got the suffix {target.suffix!r}; allowed are {' and '.join(SUFFIXES)}")
    data = plots.profiles_png(_panels(shown), _lanes(shown)) if target.suffix.lower() == ".png" else _page(shown)
    try:
        target.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error


def _panels(shown: Sequence[Plotted]) -> dict[str, list[tuple[int, plots.Curve]]]:
    """By title, in order of first mention: curves, with the place of the profile that each is of."""
    titles = dict.fromkeys(title for one in shown for title in one.values)
    return {
        title: [
            (place, plots.of_values(one.values[title], one.label))
            for place, one in enumerate(shown)
            if title in one.values
        ]
        for title in titles
    }


def _lanes(shown: Sequence[Plotted]) -> list[tuple[str, list[Strip]]]:
    return [
        (one.label, [Strip(array("d", times), array("l", sizes)) for times, sizes in one.streams])
        for one in shown
        if one.streams
    ]


def _page(shown: Sequence[Plotted]) -> bytes:
    pictures = [
        html.picture(plots.profiles_svg(title, each), f"{title.capitalize()}, distribution functions")
        for title, each in _panels(shown).items()
    ]
    lanes = [
        html.element(
            "figure",
            html.picture(plots.timeline_svg(strips), f"Streams of {label} over time"),
            html.element("figcaption", f"{label}: simulated streams; a bar is a write."),
        )
        for label, strips in _lanes(shown)
    ]
    keys = [
        html.element("span", html.picture(plots.swatch_svg(place), ""), one.label, class_="key")
        for place, one in enumerate(shown)
    ]
    legend = html.element("p", *keys)
    body = (legend, html.element("div", *pictures, class_="panels"), *map(_table, shown), *lanes)
    return html.document("Latency profiles", *body).encode()


def _table(one: Plotted) -> html.Markup:
    head = html.element("tr", html.element("th", one.label), *(html.element("th", rank(share)) for share in RANKS))
    rows = [
        html.element(
            "tr",
            html.element("th", title.capitalize(), scope="row"),
            *(html.element("td", duration(float(np.quantile(values, share)))) for share in RANKS),
        )
        for title, values in one.values.items()
    ]
    return html.element(
        "div", html.element("table", html.element("thead", head), html.element("tbody", *rows)), class_="scroll"
    )
