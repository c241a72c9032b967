"""The section `providers`: whom a key means, which one counts, and what it does to latency, errors and style."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.config.load import from_mapping
from llm_simulator.engine import SimulationEngine
from llm_simulator.errors import ConfigError, RequestError
from llm_simulator.profiles.picking import SHIPPED, Picked
from llm_simulator.profiles.profile import Profile
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.providers import Providers

HI = {"messages": [{"role": "user", "content": "Hi"}]}


def providers(**sections: Any) -> Providers:
    made = from_mapping(sections).providers
    assert made is not None
    return made


def timed(made: Providers, provider: str, model: str) -> Profile:
    return made.timed(SHIPPED.of(provider, model), provider, model).profile


def ttft(seconds: float) -> Any:
    return {"latency": {"ttft": {"distribution": "constant", "value_s": seconds}}}


KEYS = {
    "openai": ttft(1),
    "gpt-*": ttft(2),
    "gpt-4*": ttft(3),
    "gpt-4o-mini": ttft(4),
    "azure/gpt-4o-mini": ttft(5),
    "gemini-2*": ttft(6),
}


@pytest.mark.parametrize(
    ("provider", "model", "seconds", "name"),
    [
        ("openai", "o3", 1, "config/openai"),
        ("openai", "gpt-3.5-turbo", 2, "config/gpt-*"),
        ("openai", "gpt-4o", 3, "config/gpt-4*"),
        ("openai", "GPT-4O-mini", 4, "config/gpt-4o-mini"),
        ("openai", "gpt-4o-mini-2024-07-18", 3, "config/gpt-4*"),
        ("azure", "gpt-4o-mini", 5, "config/azure/gpt-4o-mini"),
        ("openrouter", "openai/gpt-4o-mini", 4, "config/gpt-4o-mini"),
        ("gemini", "models/gemini-2.5-flash", 6, "config/gemini-2*"),
    ],
)
def test_the_most_particular_key_counts(provider: str, model: str, seconds: float, name: str) -> None:
    profile = timed(providers(providers=KEYS), provider, model)
    assert (profile.ttft.quantile(0.5), profile.name) == (seconds, name)


def test_a_model_that_no_key_means() -> None:
    shipped = SHIPPED.of("anthropic", "claude-sonnet-4-5")
    assert providers(providers=KEYS).timed(shipped, "anthropic", "claude-sonnet-4-5") is shipped


def test_what_a_key_does_not_say_comes_from_the_next() -> None:
    made = providers(
        providers={
            "openai": {"latency": {"tokens_per_second": 50}, "errors": {"overloaded": 0.1}, "enabled": False},
            "gpt-4o": {
                "latency": {"ttft": {"p50_ms": 500, "p95_ms": 900}},
                "errors": {"rate_limit": 0.2},
                "enabled": True,
            },
        },
        errors={"overloaded": 0.3, "timeout": 0.05},
    )
    found, profile = made.of("openai", "gpt-4o"), timed(made, "openai", "gpt-4o")
    assert found.enabled
    assert {error.fault.name: error.probability for error in found.errors} == {
        "overloaded": 0.1,
        "timeout": 0.05,
        "rate_limit": 0.2,
    }
    assert profile.ttft.quantile(0.95) == pytest.approx(0.9)
    assert profile.rate is not None
    assert profile.rate.quantile(0.5) == pytest.approx(0.02)
    assert not made.of("openai", "gpt-4").enabled
    assert made.of("anthropic", "claude").enabled


def test_a_replaced_time_takes_with_it_what_was_measured_with_it() -> None:
    base = Picked(SHIPPED.of("openai", "gpt-4o").profile)
    given = {"ttft": {"p50_ms": 100, "p95_ms": 200}, "itl": {"mean_ms": 10, "std_dev_ms": 1}}
    profile = providers(providers={"gpt-4o": {"latency": given}}).timed(base, "openai", "gpt-4o").profile
    assert (profile.traces, profile.cache_hit, profile.prompt_slope, profile.total) == (None, None, None, None)
    assert (profile.rate, profile.writes.sizes, profile.speed_sigma) == (None, (1,), 0.0)
    assert profile.length == base.profile.length


def test_what_generates_nothing_is_as_fast_as_its_model_not_as_its_provider() -> None:
    made = providers(providers={"openai": ttft(9), "text-embedding-*": ttft(2)})
    base = SHIPPED.of("openai", "text-embedding-3-small", operation="embeddings.create")
    fast = made.timed(base, "openai", "text-embedding-3-small", generates=False).profile
    assert fast.ttft.quantile(0.5) == 2
    other = SHIPPED.of("openai", "omni-moderation-latest", operation="moderations")
    assert made.timed(other, "openai", "omni-moderation-latest", generates=False) is other


def test_errors_share_one_draw() -> None:
    made = providers(errors={"rate_limit": 0.25, "overloaded": 0.25})
    lot = Lot(0, "default", b"x")
    struck = [made.failing("openai", "gpt-4o", lot, Draw(0, k)) for k in range(400)]
    counts = {
        name: sum(fault is not None and fault.name == name for fault in struck) for name in ("rate_limit", "overloaded")
    }
    assert all(abs(count - 100) <= 2 for count in counts.values())


def test_an_error_of_ones_own() -> None:
    made = providers(errors={"out of coffee": {"probability": 1, "status": 503, "message": "No coffee."}})
    fault = made.failing("openai", "gpt-4o", Lot(0, "default", b"x"), Draw())
    assert fault is not None
    assert (fault.name, fault.what, fault.status, fault.message) == ("out of coffee", "", 503, "No coffee.")


def test_a_disabled_model_is_unknown_and_not_listed() -> None:
    engine = SimulationEngine({"providers": {"gpt-4*": {"enabled": False}, "gpt-4o": {"enabled": True}}})
    engine.process_chat_completion({"model": "gpt-4o", **HI})
    with pytest.raises(RequestError, match="The model `gpt-4-turbo` does not exist") as refused:
        engine.process_chat_completion({"model": "gpt-4-turbo", **HI})
    assert refused.value.status == 404


def test_a_model_that_is_configured_is_there() -> None:
    engine = SimulationEngine({"providers": {"house-model": {"latency": {"tokens_per_second": 10}}}})
    assert engine.process_chat_completion({"model": "house-model", **HI})["model"] == "house-model"


def test_style_and_label_by_provider() -> None:
    said = {"style": {"text": "fixed", "content": "Moo."}, "label": "body"}
    engine = SimulationEngine({"providers": {"gpt-4o": {"response": said}}})
    cow = engine.process_chat_completion({"model": "gpt-4o", **HI})
    assert (cow["choices"][0]["message"]["content"], cow["model"]) == ("Moo.", "gpt-4o-2024-08-06-simulated")
    other = engine.process_chat_completion({"model": "gpt-4o-mini", **HI})
    assert (other["choices"][0]["message"]["content"] != "Moo.", other["model"].endswith("-simulated")) == (True, False)


def test_the_engine_without_a_server_breaks_no_connection() -> None:
    with pytest.raises(ConfigError, match="reset_mid_stream breaks a connection"):
        SimulationEngine({"errors": {"reset_mid_stream": 0.1}})


WRONG: list[tuple[Any, list[str]]] = [
    ({"providers": {"a": {"enabeld": True}}}, ["providers.a.enabeld: no such field", "did you mean enabled?"]),
    (
        {"providers": {"a": {"latency": {"ttft": {"distribution": "log"}}}}},
        ["providers.a.latency.ttft.distribution: is 'log'; allowed"],
    ),
    ({"providers": {"a": {"latency": {"itl": {"mean": 3}}}}}, ["providers.a.latency.itl.mean: is 3; unknown unit"]),
    ({"providers": {"a": {"latency": {"itl": 1, "rate": 1}}}}, ["providers.a.latency: is ", "allowed is one of"]),
    (
        {"providers": {"a": {"errors": {"rate_limt": 0.1}}}},
        ["providers.a.errors.rate_limt: is", "did you mean rate_limit"],
    ),
    ({"providers": {"a": {"errors": {"rate_limit": 2}}}}, ["providers.a.errors.rate_limit.probability: is 2"]),
    ({"providers": {"a": {"errors": {"rate_limit": {}}}}}, ["providers.a.errors.rate_limit.probability: is missing"]),
    (
        {"providers": {"a": {"errors": {"rate_limit": 0.6, "overloaded": 0.6}}}},
        ["providers.a.errors: is", "sum to 1.2"],
    ),
    ({"errors": {"rate_limit": 0.6, "overloaded": 0.6}}, ["errors: is", "sum to 1.2; up to 1 is allowed"]),
    ({"providers": {"a": {"response": {"style": {"text": "fixed"}}}}}, ["providers.a.response.style: is", "needs one"]),
    ({"providers": 3}, ["providers: is 3"]),
]


@pytest.mark.parametrize(("sections", "shows"), WRONG)
def test_every_mistake_is_found_at_its_place(sections: Any, shows: list[str]) -> None:
    with pytest.raises(ConfigError) as found:
        from_mapping(sections)
    for part in shows:
        assert part in str(found.value)
