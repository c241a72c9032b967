"""What calls cost at the providers' list prices of a date (prices.json), in USD: what a run spent, and what it saved.

List prices of the standard tier: no volume discount, no batch, no tool fees. A model without a known price costs nothing
that could be told: None, never 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from llm_simulator.types import Usage

MILLION = 1_000_000
_SAME = {"azure": "openai", "github": "openai", "vertex": "gemini", "google": "gemini", "mistralai": "mistral"}
_ENDS = re.compile(
    r"(-v\d+:\d+|@[\w.-]+|:[a-z]+|-20\d{2}-\d{2}-\d{2}|-20\d{6}|-\d{3,4}|-latest|-preview(-[\w-]+)?|-simulated)$"
)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. `above` is (prompt tokens, input, output): what holds for longer prompts."""

    input: float
    output: float
    cached: float
    written: float
    above: tuple[int, float, float] | None = None

    def of(self, usage: Usage) -> float:
        """USD for these tokens; what is read from a cache and written to one has prices of its own."""
        into, out = self.input, self.output
        if self.above and usage.prompt > self.above[0]:
            _, into, out = self.above
        raw: Mapping[str, Any] = usage.raw if isinstance(usage.raw, Mapping) else {}
        written = raw.get("cache_creation_input_tokens")
        written = written if isinstance(written, int) else 0
        fresh = max(usage.prompt - usage.cached - written, 0)
        total = fresh * into + usage.cached * self.cached + written * self.written + usage.completion * out
        return total / MILLION


@cache
def _data() -> Mapping[str, Any]:
    return json.loads(files("llm_simulator.telemetry").joinpath("prices.json").read_bytes())  # type: ignore[no-any-return]


def dated() -> str:
    """The day that the prices are of: "2026-11-23"."""
    return str(_data()["date"])


def cost_of(provider: str, model: str, usage: Usage) -> float | None:
    """USD for a call; None where the price of the model is not known."""
    price = price_of(provider, model)
    return price.of(usage) if price else None


@lru_cache(maxsize=1024)
def price_of(provider: str, model: str) -> Price | None:
    """The price of a model by its own name or, without date and version, by its family's; of a router, by its maker's."""
    maker, _, base = model.lower().rpartition("/")
    base = re.sub(r"^(us\.|eu\.|apac\.|global\.)?(anthropic|openai|google|mistral|cohere|deepseek)\.", "", base)
    listed: Mapping[str, Mapping[str, Sequence[Any]]] = _data()["providers"]
    own = [name for name in (_SAME.get(provider, provider), _SAME.get(maker, maker)) if name in listed]
    while base:
        for name in (*own, *listed):
            if base in listed[name]:
                return _price(listed[name][base])
        shorter = _ENDS.sub("", base)
        if shorter == base:
            return None
        base = shorter
    return None


def _price(row: Sequence[Any]) -> Price:
    above = tuple(row[-1]) if isinstance(row[-1], list) else None
    into, out, *more = (value for value in row if not isinstance(value, list))
    cached, written = (into if value is None else value for value in [*more, None, None][:2])
    return Price(into, out, cached, written, above)


def told(spent: float, saved: float) -> str:
    """The line of a summary; "" where nothing with a known price was called."""
    if not spent and not saved:
        return ""
    return f"at list prices of {dated()}: spent {_dollars(spent)}, saved {_dollars(saved)}"


def _dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 1 or not amount else f"${amount:.4f}"
