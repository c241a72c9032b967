"""The calibration report: what was recorded beside what the simulator will draw, as a page or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from pathlib import Path

from llm_simulator.errors import ConfigError
from llm_simulator.recorder.calibration import html, plots
from llm_simulator.recorder.calibration.facts import Group, group
from llm_simulator.recorder.calibration.groups import Calibrated
from llm_simulator.recorder.calibration.words import counted

TITLE = "Latency calibration"
DETAILED = 12
"""Groups that get plots in the page: those with most calls; the table on top has all."""
PICTURED = 6
"""The same for the PNG."""
SUFFIXES = (".html", ".png")


def write_report(calibrated: Sequence[Calibrated], path: str | Path) -> None:
    """Writes the report to `path`: a page (.html) or a picture (.png). Equal groups give equal bytes.

    Raises:
        ConfigError: the suffix is another, or the file cannot be written.
    """
    target = Path(path)
    data = report(calibrated, target.suffix.lower(), str(target))
    try:
        target.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error


def report(calibrated: Sequence[Calibrated], suffix: str, where: str = "report") -> bytes:
    """The bytes of a report of the kind that `suffix` names."""
    if suffix not in SUFFIXES:
        raise ConfigError(f"{where}: got the suffix {suffix!r}; allowed are {' and '.join(SUFFIXES)}")
    groups = tuple(map(group, calibrated))
    if suffix == ".png":
        return _picture(groups)
    chosen = _largest(groups, DETAILED)
    return html.page(groups, chosen, plots.panel_svg, plots.timeline_svg, TITLE).encode()


def _picture(groups: Sequence[Group]) -> bytes:
    chosen = [groups[place] for place in sorted(_largest(groups, PICTURED))]
    head = f"{TITLE}: {counted(sum(one.n for one in groups), 'call')} in {counted(len(groups), 'group')}"
    if len(chosen) < len(groups):
        head += f"; the {len(chosen)} with most calls are shown"
    return plots.report_png(chosen, head)


def _largest(groups: Sequence[Group], count: int) -> frozenset[int]:
    """Places of the groups with most calls that have anything to draw."""
    drawn = [place for place, one in enumerate(groups) if one.rows]
    return frozenset(nlargest(count, drawn, key=lambda place: (groups[place].n, -place)))
