"""What a distribution draws from. The simulator's generator is one; so is any object with these two methods."""

from __future__ import annotations

from typing import Protocol


class Chance(Protocol):
    """A source of draws."""

    def next_f64(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def next_normal(self) -> float:
        """Standard normal."""
        ...
