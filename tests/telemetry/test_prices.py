"""List prices: known ones, names with dates and versions, other tiers, what nothing is known of."""

from __future__ import annotations

import pytest

from llm_simulator.telemetry.journal import Entry
from llm_simulator.telemetry.observer import Observer
from llm_simulator.telemetry.prices import cost_of, dated, told
from llm_simulator.types import Usage

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("provider", "model", "into", "out"),
    [
        ("anthropic", "claude-opus-4", 15, 75),
        ("anthropic", "claude-opus-4-20250514", 15, 75),
        ("anthropic", "claude-opus-4-1-20250805", 15, 75),
        ("anthropic", "claude-3-5-sonnet-latest", 3, 15),
        ("openai", "gpt-4-turbo", 10, 30),
        ("openai", "gpt-4-turbo-2024-04-09", 10, 30),
        ("azure", "gpt-4-turbo", 10, 30),
        ("gemini", "gemini-1.5-pro-002", 3.5, 10.5),
        ("gemini", "gemini-1.5-pro-latest", 3.5, 10.5),
        ("vertex", "gemini-1.5-pro", 3.5, 10.5),
        ("vertex", "claude-opus-4@20250514", 15, 75),
        ("bedrock", "us.anthropic.claude-opus-4-20250514-v1:0", 15, 75),
        ("openrouter", "anthropic/claude-opus-4", 15, 75),
        ("openai", "gpt-4-turbo-simulated", 10, 30),
    ],
)
def test_the_price_of_a_million_tokens(provider: str, model: str, into: float, out: float) -> None:
    assert cost_of(provider, model, Usage(100_000, 0)) == pytest.approx(into / 10)
    assert cost_of(provider, model, Usage(0, MILLION)) == pytest.approx(out)


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "my-own"), ("ollama", "llama3"), ("", ""), ("openai", "gpt")]
)
def test_an_unknown_price_is_none(provider: str, model: str) -> None:
    assert cost_of(provider, model, Usage(1, 1)) is None


def test_cached_and_written_tokens_have_prices_of_their_own() -> None:
    raw = {"cache_creation_input_tokens": 100_000}
    cost = cost_of("anthropic", "claude-opus-4", Usage(300_000, 0, cached=100_000, raw=raw))
    assert cost == pytest.approx(1.5 + 0.15 + 1.875)
    assert cost_of("openai", "gpt-4o", Usage(MILLION, 0, cached=MILLION)) == pytest.approx(1.25)


def test_a_long_prompt_costs_more() -> None:
    short, long = (cost_of("gemini", "gemini-2.5-pro", Usage(tokens, 0)) for tokens in (200_000, 200_001))
    assert short == pytest.approx(0.25)
    assert long == pytest.approx(0.5, abs=1e-4)


def _entry(source: str) -> Entry:
    return Entry(
        0.0, "POST", "/", "openai", "gpt-4-turbo", "chat", False, 200, source, prompt_tokens=100, completion_tokens=10
    )


def test_a_run_tells_what_it_spent_and_saved() -> None:
    observer = Observer(journal_size=9)
    for source in ("upstream", "cassette", "simulator"):
        observer.add(_entry(source))
    assert [entry.as_json()["cost_usd"] for entry in observer.journal] == [0.0013] * 3
    total = observer.tally.total()
    assert total.spent_usd == pytest.approx(0.0013)
    assert total.saved_usd == pytest.approx(0.0026)
    assert told(total.spent_usd, total.saved_usd) == f"at list prices of {dated()}: spent $0.0013, saved $0.0026"
    assert told(0.0, 12.5) == f"at list prices of {dated()}: spent $0.00, saved $12.50"
    assert told(0.0, 0.0) == ""
