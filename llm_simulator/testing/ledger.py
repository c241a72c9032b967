"""What a run found out about its cassettes: recordings that nothing used, cassettes without a test, recordings too old.

Each xdist worker keeps one; the controller adds them up and judges. Values in, findings out: no pytest here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_simulator.testing.names import cassettes_in


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to warn of or to fail for: `kind` is unused, orphans, expired or changed."""

    kind: str
    text: str


@dataclass(slots=True)
class Opened:
    """A cassette that tests of this run opened: ids that none of them used, ids that are too old, what has changed."""

    tests: list[str]
    recordings: int
    unused: set[int]
    expired: set[int]
    changed: list[str]


@dataclass(slots=True)
class Ledger:
    """`roots` maps a folder of cassettes to the folder of the test files (as text) it belongs to, "" where unknown.

    `modules` are the stems of collected test files, `claimed` the cassettes of collected tests, run or not, below a root
    (which is only known of a test that ran: it is a fixture).
    """

    opened: dict[str, Opened] = field(default_factory=lambda: {})
    roots: dict[str, str] = field(default_factory=lambda: {})
    modules: set[str] = field(default_factory=lambda: set())
    claimed: set[str] = field(default_factory=lambda: set())

    def add(self, test: str, cassette: str, closed: Mapping[str, Any]) -> None:
        """What closing the cassette of a test told (`LlmSimulator.close`)."""
        unused, expired = set(closed["unused"]), set(closed["expired"])
        changed = [f"{test}: {text}" for text in closed["changed"]]
        self._merge(cassette, Opened([test], closed["recordings"], unused, expired, changed))

    def _merge(self, cassette: str, other: Opened) -> None:
        mine = self.opened.get(cassette)
        if mine is None:
            self.opened[cassette] = other
            return
        mine.tests += other.tests
        mine.recordings = max(mine.recordings, other.recordings)
        mine.unused &= other.unused  # what one test did not use, another one may have
        mine.expired |= other.expired
        mine.changed += other.changed

    def as_json(self) -> dict[str, Any]:
        """For the way from a worker to the controller."""
        opened = {
            path: [one.tests, one.recordings, sorted(one.unused), sorted(one.expired), one.changed]
            for path, one in self.opened.items()
        }
        return {
            "opened": opened,
            "roots": self.roots,
            "modules": sorted(self.modules),
            "claimed": sorted(self.claimed),
        }

    def join(self, other: Mapping[str, Any]) -> None:
        """Adds a worker's ledger (its `as_json`)."""
        for path, (tests, recordings, unused, expired, changed) in other["opened"].items():
            self._merge(path, Opened(list(tests), recordings, set(unused), set(expired), list(changed)))
        self.roots |= other["roots"]
        self.modules |= set(other["modules"])
        self.claimed |= set(other["claimed"])

    def unused(self) -> list[Finding]:
        found = ((path, one) for path, one in sorted(self.opened.items()) if one.unused)
        return [Finding("unused", f"{path}: {_some(one.unused)} of {one.recordings} not used") for path, one in found]

    def expired(self, age: str) -> list[Finding]:
        found = ((path, one) for path, one in sorted(self.opened.items()) if one.expired)
        return [Finding("expired", f"{path}: {_some(one.expired)} older than {age}") for path, one in found]

    def changed(self) -> list[Finding]:
        return [Finding("changed", text) for _, one in sorted(self.opened.items()) for text in one.changed]

    def orphans(self, *, whole: bool) -> list[Finding]:
        """Cassettes that belong to no test. `whole`: every test was collected, so shared ones are judged as well."""
        paths = {str(path) for root in self.roots for path in self._candidates(Path(root), whole)}
        return [Finding("orphans", f"{path}: belongs to no test") for path in sorted(paths - self.opened.keys())]

    def _candidates(self, root: Path, whole: bool) -> Iterable[Path]:
        """Cassettes that this run can judge: those of a module that it collected, or whose test file is gone."""
        beside = self.roots[str(root)]
        for path in cassettes_in(root):
            relative = path.relative_to(root)
            if relative.as_posix() in self.claimed:
                continue
            module = relative.parts[0] if len(relative.parts) > 1 else ""
            if whole or module in self.modules or _gone(beside, module):
                yield path


def _gone(beside: str, module: str) -> bool:
    """Whether a folder of cassettes was a test file's that is no longer there."""
    named = module.startswith("test_") or module.endswith("_test")
    return bool(beside) and named and not (Path(beside) / f"{module}.py").exists()


def _some(ids: set[int]) -> str:
    shown = ", ".join(f"#{id}" for id in sorted(ids)[:10])
    more = ", ..." if len(ids) > 10 else ""
    return f"{len(ids)} ({shown}{more})"
