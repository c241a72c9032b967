"""Numbers beside those of calls: counters that any room may add to, gauges that are read when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

COUNTER, GAUGE = "counter", "gauge"

Figures = dict[tuple[str, str, str], dict[tuple[tuple[str, str], ...], float]]
"""(kind, name, what it is about) -> labels with their values -> number."""


class Others:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._counters: Figures = {}
        self._gauges: dict[tuple[str, str, str], Callable[[], float]] = {}

    def count(self, name: str, about: str, labels: Mapping[str, str], by: float) -> None:
        values = self._counters.setdefault((COUNTER, name, about), {})
        named = tuple(labels.items())
        values[named] = values.get(named, 0) + by

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        self._gauges[GAUGE, name, about] = read

    def figures(self) -> Figures:
        """As they are now."""
        read: Figures = {what: {(): value()} for what, value in self._gauges.items()}
        return {**{what: dict(values) for what, values in self._counters.items()}, **read}


def added(several: Iterable[Figures]) -> Figures:
    """The sums over workers."""
    total: Figures = {}
    for figures in several:
        for what, values in figures.items():
            sums = total.setdefault(what, {})
            for named, value in values.items():
                sums[named] = sums.get(named, 0) + value
    return total


def counters(figures: Figures) -> Figures:
    """What remains of a worker that is dead."""
    return {what: values for what, values in figures.items() if what[0] == COUNTER}
