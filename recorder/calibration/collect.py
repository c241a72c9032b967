"""Samples by group, one by one, in bounded memory: a few numbers of each call, the sequences of some of the streams.

Which sequences stay is chance (the same for the same seed and input): every stream of a group has the same.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from random import Random

from llm_simulator.errors import ConfigError
from llm_simulator.recorder.calibration.samples import Sample

KEPT = 2000
"""Streams of a group whose sequences are kept."""
KEPT_GAPS = 4_000_000
"""Gaps that are kept of all groups together (12 bytes each): beyond it every group keeps half as many streams."""

PROMPT_BINS = (0, 256, 1024, 4096, 16384, 65536, 262144)
Key = tuple[str, ...]


def _prompt_bin(sample: Sample) -> str:
    """The prompt's length as the power-of-4 range of tokens that it lies in; "" where it is unknown."""
    if not sample.prompt_tokens:
        return ""
    low = max(edge for edge in PROMPT_BINS if edge <= sample.prompt_tokens)
    later = [edge for edge in PROMPT_BINS if edge > low]
    return f"{low}-{later[0] - 1}" if later else f"{low}+"


COLUMNS: Mapping[str, Callable[[Sample], str]] = {
    "provider": lambda sample: sample.provider,
    "model": lambda sample: sample.model,
    "stream": lambda sample: "true" if sample.stream else "false",
    "cache": lambda sample: sample.cache,
    "prompt-bin": _prompt_bin,
    "family": lambda sample: sample.family,
    "kind": lambda sample: sample.kind,
    "source": lambda sample: sample.source,
}
"""What samples can be grouped by, besides their labels."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The writes of one kept stream; `at` is its number among the group's calls."""

    at: int
    gaps: array[float]
    sizes: array[int]


def _floats() -> array[float]:
    return array("d")


def _ints() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Group:
    """What is known of the calls of one key. The arrays run side by side, one entry a good call; NaN and 0: unknown."""

    first: Sample
    calls: float = 0  # failed ones too; of those that belong to several groups, a share
    ttft: array[float] = field(default_factory=_floats)
    total: array[float] = field(default_factory=_floats)
    rate: array[float] = field(default_factory=_floats)
    tokens: array[int] = field(default_factory=_ints)
    prompts: array[int] = field(default_factory=_ints)  # uncached prompt tokens
    stalls: array[float] = field(default_factory=_floats)
    kept: list[tuple[float, int, Writing]] = field(default_factory=list[tuple[float, int, Writing]])
    families: Counter[str] = field(default_factory=Counter[str])
    failures: dict[tuple[int, str], float] = field(default_factory=dict[tuple[int, str], float])
    chunk_bytes: Counter[int] = field(default_factory=Counter[int])
    prompt_ratios: array[float] = field(default_factory=_floats)  # the provider's count over ours
    completion_ratios: array[float] = field(default_factory=_floats)
    impossible: int = 0
    earliest: float = 0.0
    latest: float = 0.0

    @property
    def writings(self) -> list[Writing]:
        """The sequences that are kept, in order of the calls."""
        return sorted((writing for _, _, writing in self.kept), key=lambda writing: writing.at)

    def fail(self, status: int, condition: str, count: float) -> None:
        self.failures[status, condition] = self.failures.get((status, condition), 0) + count

    def take(self, sample: Sample) -> None:
        self.calls += 1
        self.families[sample.family] += 1
        if sample.at:
            self.earliest = min(self.earliest or sample.at, sample.at)
            self.latest = max(self.latest, sample.at)
        if sample.failed:
            self.fail(sample.status, sample.condition, 1)
            return
        self.impossible += sample.impossible
        self.ttft.append(_known(sample.ttft))
        self.total.append(_known(sample.total))
        self.rate.append(_known(sample.rate))
        self.tokens.append(sample.output_tokens)
        self.prompts.append(max(sample.prompt_tokens - sample.cached_tokens, 0))
        if sample.gaps:
            self.stalls.append(max(sample.gaps))
        if len(self.chunk_bytes) < 4096:
            self.chunk_bytes.update(_coarse(size) for size in sample.chunks)
        if sample.prompt_ratio:
            self.prompt_ratios.append(sample.prompt_ratio)
        if sample.completion_ratio:
            self.completion_ratios.append(sample.completion_ratio)


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _coarse(size: int) -> int:
    """Two significant digits: sizes are told as a distribution, not one by one."""
    step = int(10 ** max(len(str(size)) - 2, 0))
    return size // step * step


def _may_be(key: Key, other: Key) -> bool:
    """Whether they differ in nothing but what `key` does not know."""
    return all(mine in ("", theirs) for mine, theirs in zip(key, other, strict=True))


class Collector:
    """Takes samples and puts them into groups.

    Raises:
        ConfigError: no sample has a column by which they are to be grouped.
    """

    def __init__(self, group_by: Sequence[str], seed: int = 0) -> None:
        self._columns = tuple(
            name.replace("_", "-") if name.replace("_", "-") in COLUMNS else name for name in group_by
        )
        self._chance = Random(seed)
        self._limit = KEPT
        self._gaps = 0
        self._strays: dict[Key, Group] = {}
        self.groups: dict[Key, Group] = {}
        self.taken = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def take(self, sample: Sample) -> None:
        key = tuple(self._value(name, sample) for name in self._columns)
        groups = self._strays if sample.failed and "" in key else self.groups
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(sample)
        group.take(sample)
        self.taken += 1
        if sample.gaps and not sample.failed:
            self._keep(group, sample)

    def alone(self, key: Key, column: str) -> bool:
        """Whether no other group has what this one has in every column but that."""
        if column not in self._columns:
            return True
        at = self._columns.index(column)
        return not any(
            other[:at] == key[:at] and other[at + 1 :] == key[at + 1 :] and other[at] != key[at]
            for other in self.groups
        )

    def take_all(self, samples: Iterable[Sample], progress: Callable[[int], None] | None = None) -> None:
        for sample in samples:
            self.take(sample)
            if progress is not None and not self.taken % 1000:
                progress(self.taken)
        if progress is not None:
            progress(self.taken)
        self._settle()

    def _settle(self) -> None:
        """Failures of which a column is unknown (nobody knows what was cached) go to all groups that they may belong to."""
        for key, stray in self._strays.items():
            kin = [group for other, group in self.groups.items() if group.ttft and _may_be(key, other)]
            good = sum(len(group.ttft) for group in kin)
            for group in kin:
                share = len(group.ttft) / good
                group.calls += stray.calls * share
                for (status, condition), count in stray.failures.items():
                    group.fail(status, condition, count * share)
            if not kin:
                self.groups[key] = stray
        self._strays.clear()

    def _value(self, name: str, sample: Sample) -> str:
        column = COLUMNS.get(name)
        if column is not None:
            return column(sample)
        if name not in sample.labels:
            known = ", ".join((*COLUMNS, *sample.labels))
            raise ConfigError(f"--group-by {name}: {sample.source or 'a recording'} has no such column; it has {known}")
        return sample.labels[name]

    def _keep(self, group: Group, sample: Sample) -> None:
        sequence = Writing(len(group.ttft) - 1, sample.gaps, sample.sizes)
        entry = (self._chance.random(), self.taken, sequence)
        self._gaps += len(sample.gaps)
        if len(group.kept) < self._limit:
            heappush(group.kept, entry)
        else:
            self._gaps -= len(heappushpop(group.kept, entry)[2].gaps)
        if self._gaps > KEPT_GAPS and self._limit > 1:
            self._halve()

    def _halve(self) -> None:
        self._limit //= 2
        for group in self.groups.values():
            group.kept = sorted(group.kept)[-self._limit :]  # a sorted list is a heap
        self._gaps = sum(len(entry[2].gaps) for group in self.groups.values() for entry in group.kept)
