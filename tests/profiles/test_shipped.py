"""The shipped data: all of it parses, every model has a profile, every number has a source."""

from __future__ import annotations

from importlib.resources import files

import pytest

from llm_simulator.errors import ConfigError
from llm_simulator.profiles import pick
from llm_simulator.profiles.distributions import Constant, LogNormal
from llm_simulator.profiles.parse import parse
from llm_simulator.profiles.profile import GAP_SHAPE, RATE_SHAPE
from llm_simulator.profiles.shipped import shipped
from llm_simulator.types import JSON

PROVIDERS = sorted(
    {
        file.name.removesuffix(".yaml")
        for file in files("llm_simulator.profiles").iterdir()
        if file.name.endswith(".yaml")
    }
    - {"operations"}
)


def test_every_first_class_provider_has_a_file() -> None:
    assert {"openai", "anthropic", "gemini", "azure", "cohere", "default"} <= set(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_all_data_is_sound(provider: str) -> None:
    profiles = shipped(provider)
    assert profiles[-1].models[-1] == "*"
    assert len({profile.name for profile in profiles}) == len(profiles)
    for profile in profiles:
        assert 0.1 < profile.ttft.quantile(0.5) < 10
        assert profile.rate is not None
        assert 5 < 1 / profile.rate.quantile(0.5) < 300
        assert profile.length.quantile(0.5) == pytest.approx(129)
        for part in ("ttft", "rate", "writes", "length"):
            assert part in profile.source or "all but length" in profile.source
        assert pick(provider, profile.models[0].replace("*", ""), "any.family") is profile  # nothing above hides it


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("openai", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "GPT-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "gpt-4-turbo", "openai/gpt-4-turbo"),
        ("openai", "gpt-4.1", "openai/gpt-4.1"),
        ("openai", "gpt-4.1-nano", "openai/gpt-4.1-nano"),
        ("openai", "gpt-5-mini", "openai/gpt-5.2"),
        ("openai", "gpt-5.6-sol", "openai/gpt-5.6-sol"),
        ("openai", "o3", "openai/default"),
        ("openai", "", "openai/default"),
        ("azure", "gpt-4o", "azure/default"),
        ("anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4.6"),
        ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4"),
        ("anthropic", "claude-opus-4-1-20250805", "anthropic/claude-opus-4.1"),
        ("anthropic", "claude-opus-4-6", "anthropic/claude-opus-4.6"),
        ("anthropic", "claude-3-5-haiku-latest", "anthropic/claude-3.5-haiku"),
        ("anthropic", "claude-haiku-4-5", "anthropic/claude-haiku-4.5"),
        ("gemini", "gemini-2.5-flash-lite", "gemini/gemini-2.5-flash-lite"),
        ("gemini", "gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("vertex", "gemini-2.5-flash", "gemini/gemini-2.5-flash"),
        ("cohere", "command-a-03-2025", "cohere/default"),
        ("groq", "llama-3.3-70b-versatile", "groq/llama-3.3-70b"),
        ("mistral", "mistral-small-latest", "mistral/mistral-small"),
        ("mistral", "mistral-large-latest", "mistral/mistral-nemo"),
        ("deepseek", "deepseek-reasoner", "deepseek/deepseek-chat"),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together/llama-2-70b"),
        ("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct", "fireworks/llama-3.1-8b"),
        ("perplexity", "sonar", "perplexity/llama-3.1-8b"),
        ("openrouter", "deepseek/deepseek-v3.2", "digitalocean/deepseek-3.2"),
        ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter/claude-3.5-haiku"),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "bedrock/claude-3-haiku"),
        ("xai", "grok-4", "openrouter/llama-3.3-70b"),
        ("ollama", "llama3.1", "ollama/llama-3-8b"),
        ("vllm", "any", "vllm/llama-3-8b"),
        ("azure", "gpt-4-1106-preview", "azure/gpt-4-1106"),
        ("unknown", "anything", "openrouter/llama-3.3-70b"),
        ("../openai", "gpt-4o", "openrouter/gpt-4o-mini"),
    ],
)
def test_pick(provider: str, model: str, name: str) -> None:
    assert pick(provider, model, "openai.chat").name == name


def test_the_numbers_are_those_of_the_file() -> None:
    profile = pick("openai", "gpt-4o")
    assert isinstance(profile.ttft, LogNormal)
    assert [profile.ttft.quantile(u) for u in (0.5, 0.95)] == pytest.approx([0.428, 1.059])
    assert profile.rate == RATE_SHAPE.scaled(1 / 95)
    assert "whisper_leak" in profile.source
    assert profile.writes.sizes == (2, 4, 1)
    assert profile.writes.shares == pytest.approx((0.87, 0.95, 1.0))


SOUND = {"name": "mine", "models": ["*"], "ttft": {"p50_ms": 100}, "tokens_per_second": 50, "length": 20}


def test_defaults_fill_what_is_left_out() -> None:
    bare = {"name": "mine", "models": ["x"], "ttft": 0}
    defaults = {"tokens_per_second": 10, "length": 7, "source": {"length": "somebody"}, "speed_sigma": 0.1}
    (profile,) = parse({"defaults": defaults, "profiles": [bare]}, "f.yaml")
    assert profile.rate == RATE_SHAPE.scaled(0.1)
    assert (profile.length, profile.source, profile.speed_sigma) == (Constant(7), "length: somebody", 0.1)
    (profile,) = parse({"defaults": defaults, "profiles": [{**bare, "itl": {"mean_ms": 5}}]}, "f.yaml")
    assert (profile.rate, profile.writes.gap) == (None, Constant(0.005))


def test_forms_of_rate_and_writes() -> None:
    (profile,) = parse({"profiles": [{**SOUND, "source": "me", "writes": {"cv": 0}}]}, "f.yaml")
    assert (profile.source, profile.writes.gap, profile.writes.sizes) == ("me", Constant(GAP_SHAPE.mean), (1,))
    rated = {name: value for name, value in SOUND.items() if name != "tokens_per_second"}
    (profile,) = parse({"profiles": [{**rated, "rate": {"p50_ms": 20, "p95_ms": 30}, "writes": {"cv": 0.5}}]}, "f.yaml")
    assert profile.rate == LogNormal.through(0.02, 0.03)
    assert isinstance(profile.writes.gap, LogNormal)
    assert profile.writes.gap.sigma == pytest.approx(0.4723807)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, r"f\.yaml: got no list `profiles`"),
        ({"profiles": {}}, r"f\.yaml: got no list `profiles`"),
        ({"profiles": ["fast"]}, r"f\.yaml: profiles\[0\]: got 'fast'; allowed is a mapping"),
        ({"profiles": [{**SOUND, "tfft": 1}]}, r"profiles\[0\]: got the unknown field 'tfft'; allowed are cache, "),
        ({"profiles": [SOUND, {"name": "x"}]}, r"profiles\[1\]: 'models' is missing"),
        ({"profiles": [{**SOUND, "rate": 1}]}, r"got tokens_per_second and rate; allowed is one of"),
        (
            {"profiles": [{n: v for n, v in SOUND.items() if n != "tokens_per_second"}]},
            r"got no rate; allowed is one of",
        ),
        ({"profiles": [{**SOUND, "tokens_per_second": 0}]}, r"tokens_per_second: got 0; allowed is a number above 0"),
        ({"profiles": [{**SOUND, "ttft": {"p50": 1}}]}, r"profiles\[0\]\.ttft\.p50: unknown unit"),
        ({"profiles": [{**SOUND, "writes": 3}]}, r"writes: got 3; allowed is \{sizes"),
        ({"profiles": [{**SOUND, "writes": {"cv": -1}}]}, r"writes\.cv: got -1; allowed is a number of 0 or more"),
        ({"profiles": [{**SOUND, "writes": {"sizes": {0: 1}}}]}, r"writes\.sizes: got \{0: 1\}; allowed is a mapping"),
        ({"profiles": [{**SOUND, "writes": {"sizes": {1: 0}}}]}, r"writes\.sizes: got shares that sum to 0"),
    ],
)
def test_errors_name_the_place(document: JSON, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(document, "f.yaml")
