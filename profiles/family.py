"""What every distribution is: a rank in, a value out. No scipy, no state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

from llm_simulator.errors import ConfigError
from llm_simulator.profiles.chance import Chance


class Distribution(ABC):
    """A family with its parameters."""

    name: ClassVar[str]
    points: ClassVar[int] = 0
    """How many percentiles determine a member; 0: none do."""

    @abstractmethod
    def quantile(self, u: float) -> float:
        """The value that a share `u` of draws does not exceed; never negative."""

    @abstractmethod
    def cdf(self, x: float) -> float:
        """The share of draws that do not exceed `x`."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """The expected value; `inf` where it does not exist."""

    def percentile(self, p: float) -> float:
        """`quantile` of a rank in percent, 0 to 100."""
        return self.quantile(p / 100)

    def sample(self, chance: Chance) -> float:
        """One draw; it takes exactly one uniform value unless the family says otherwise."""
        return self.quantile(chance.next_f64())

    @classmethod
    def of_moments(cls, mean: float, std: float) -> Distribution:
        """The member with this mean and standard deviation (both > 0).

        Raises:
            ConfigError: the family cannot be given so.
        """
        raise ConfigError(f"{cls.name} cannot be given by mean and standard deviation; give its parameters")

    @classmethod
    def of_quantiles(cls, given: Mapping[float, float]) -> Distribution:
        """The member with these values at these ranks (ascending, in (0, 1); as many as `points`).

        Raises:
            ConfigError: the family cannot be given so, or no member has these quantiles.
        """
        if not cls.points:
            raise ConfigError(f"{cls.name} cannot be given by percentiles; give its parameters")
        if len(given) != cls.points:
            got = ", ".join(f"p{rank * 100:g}" for rank in given)
            raise ConfigError(f"{cls.name} takes {cls.points} percentile{'s' * (cls.points > 1)}; got {got}")
        ranks, values = tuple(given), tuple(given.values())
        if not 0 < ranks[0] <= ranks[-1] < 1:
            raise ConfigError(f"{cls.name} takes percentiles between 0 and 100, without them")
        if any(low >= high for low, high in pairwise(values)):
            raise ConfigError(f"{cls.name} takes percentiles that ascend; got {', '.join(f'{x:g}' for x in values)}")
        return cls._through(ranks, values)

    @classmethod
    def _through(cls, ranks: tuple[float, ...], values: tuple[float, ...]) -> Distribution:
        """`of_quantiles` once the number and order of what is given are known to be right."""
        raise NotImplementedError

    @classmethod
    def through(cls, p50: float, p95: float) -> Distribution:
        """The member with these quantiles (0 < p50 < p95).

        Raises:
            ConfigError: the family cannot be given so.
        """
        return cls.of_quantiles({0.5: p50, 0.95: p95})
