"""Which profile a call gets, and what the answer says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_simulator.dialects.hosts import WIRES
from llm_simulator.profiles.conditioned import Moved, conditioned
from llm_simulator.profiles.distributions import Constant, LogNormal
from llm_simulator.profiles.picking import INSTANT, SHIPPED, Picks
from llm_simulator.profiles.profile import Profile, Slope, Writes

BASE = Profile("mine", ("gpt-4o*",), Constant(0.5), Constant(0.01), Writes(), Constant(9.0))


@pytest.mark.parametrize(
    ("provider", "model", "by"),
    [
        ("openai", "gpt-4o", ""),
        ("openai", "gpt-4o-2024-08-06", ""),
        ("openai", "GPT-4o-mini", ""),
        ("openai", "gpt-4o-audio-preview", "gpt-4o*"),
        ("openai", "gpt-5-mini", "gpt-5*"),
        ("openai", "o3", "*"),
        ("anthropic", "claude-3-haiku-20240307", ""),
        ("anthropic", "claude-sonnet-5", ""),
        ("gemini", "gemini-2.5-flash-preview", ""),
        ("gemini", "gemini-9-pro", "*pro*"),
    ],
)
def test_a_model_that_nobody_measured_names_the_pattern(provider: str, model: str, by: str) -> None:
    assert SHIPPED.of(provider, model, "openai.chat").by == by


def test_the_users_profiles_go_first() -> None:
    picks = Picks([BASE, replace(BASE, name="all", models=("*",), provider="mistral")])
    assert picks.of("openai", "gpt-4o").profile.name == "mine"
    assert picks.of("mistral", "mistral-tiny").profile.name == "all"
    assert picks.of("openai", "gpt-4.1").profile.name == "openai/gpt-4.1"
    assert picks.of("openai", "gpt-4o") is picks.of("openai", "gpt-4o")


def test_a_profile_may_be_for_streams_or_for_cached_prompts_only() -> None:
    picks = Picks(
        [
            replace(BASE, name="whole", stream=False),
            replace(BASE, name="hit", stream=True, cache="hit"),
            replace(BASE, name="miss", stream=True, cache="miss"),
        ]
    )
    names = [
        picks.of("openai", "gpt-4o", stream=stream, cached=cached).profile.name
        for stream, cached in ((False, False), (False, True), (True, True), (True, False))
    ]
    assert names == ["whole", "whole", "hit", "miss"]
    assert picks.by_cache
    assert not SHIPPED.by_cache


@pytest.mark.parametrize(
    ("provider", "operation", "name"),
    [
        ("openai", "embeddings.create", "openai/embeddings"),
        ("azure", "embeddings.create", "azure/embeddings"),
        ("gemini", "batchEmbedContents", "gemini/embeddings"),
        ("vertex", "predict", "vertex/embeddings"),
        ("cohere", "embed", "cohere/embeddings"),
        ("mistral", "embeddings.create", "mistral/embeddings"),
        ("together", "embeddings.create", "any/embeddings"),
        ("cohere", "rerank", "cohere/rerank"),
        ("openai", "images.generations", "openai/images"),
        ("anthropic", "batches.create", "openai/objects-made"),
        ("anthropic", "models.list", "openai/objects-read"),
    ],
)
def test_what_generates_nothing_has_its_own(provider: str, operation: str, name: str) -> None:
    picked = SHIPPED.of(provider, "any", "", operation=operation)
    assert (picked.profile.name, picked.by) == (name, "")
    assert picked.profile.total is not None
    assert picked.profile.source


def test_a_chat_profile_is_not_for_embeddings() -> None:
    assert Picks([BASE]).of("openai", "gpt-4o", operation="embeddings.create").profile.name == "openai/embeddings"
    mine = replace(BASE, name="embed", operations=("embed*",), total=Constant(0.1))
    picks = Picks([mine])
    assert picks.of("openai", "gpt-4o", operation="embeddings.create").profile is mine
    assert picks.of("openai", "gpt-4o").profile.name == "openai/gpt-4o"


def test_every_host_of_the_table_has_a_profile() -> None:
    for provider in WIRES:
        profile = SHIPPED.of(provider, "some-model", "openai.chat").profile
        assert profile is not INSTANT
        assert profile.source


def test_it_forgets_before_it_grows() -> None:
    picks = Picks()
    for number in range(5000):
        picks.of("openai", f"gpt-{number}")
    assert len(picks._known) <= 4096  # pyright: ignore[reportPrivateUsage]


def test_prompt_and_cache_move_the_first_token() -> None:
    assert conditioned(BASE, 1000, 0) is BASE
    sloped = replace(BASE, prompt_slope=Slope(0.00002, 1000))
    assert conditioned(sloped, 6000, 0).ttft.quantile(0.5) == pytest.approx(0.6)
    assert conditioned(sloped, 0, 0).ttft.quantile(0.5) == pytest.approx(0.48)
    hit = replace(sloped, cache_hit=LogNormal(0.2, 0.3))
    assert conditioned(hit, 1000, 4000).ttft.quantile(0.5) == pytest.approx(0.2)
    assert conditioned(hit, 1000, 0).ttft.quantile(0.5) == pytest.approx(0.5)


def test_what_is_moved_never_goes_below_zero() -> None:
    moved = Moved(LogNormal(0.5, 0.5), -0.4)
    assert moved.quantile(0.01) == 0.0
    assert moved.cdf(0.1) == pytest.approx(0.5)
    assert [moved.cdf(-0.1), moved.mean] == pytest.approx([0.0, LogNormal(0.5, 0.5).mean - 0.4])
