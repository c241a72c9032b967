"""The section `providers` through the real server: what clients of each provider see of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import openai
import pytest
from serving import Got, ask, serving

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

HI: Any = [{"role": "user", "content": "Hi"}]
CONFIG: dict[str, Any] = {
    "simulation": {"speed": 0},
    "providers": {
        "gpt-4-turbo": {
            "latency": {"ttft": {"p50_ms": 800, "p95_ms": 1500}, "itl": {"mean_ms": 20, "std_dev_ms": 5}},
            "errors": {"rate_limit": {"probability": 0.1, "retry_after_secs": 60}},
        },
        "gpt-4": {"enabled": False},
        "claude-*": {"enabled": False},
        "claude-haiku-4-5": {"enabled": True},
        "gemini": {"enabled": False},
        "cohere": {"errors": {"reset_mid_stream": {"probability": 1, "after_tokens": 2}}},
        "mistral": {"errors": {"closed for lunch": {"probability": 1, "status": 503, "message": "Back at two."}}},
        "house-model": {"latency": {"tokens_per_second": 50}},
    },
}


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with serving(replace(from_mapping(CONFIG), port=0)) as made:
        yield made


def chat(server: Server, model: str, **headers: str) -> Got:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"model": model, "messages": HI, "max_tokens": 8}
    return ask(server.base_url, "/v1/chat/completions", body, headers={"authorization": "Bearer x", **named})


def test_one_call_in_ten_is_limited_by_the_call_not_by_its_turn(server: Server) -> None:
    asked = {k: chat(server, "gpt-4-turbo", x_llm_simulator_occurrence=str(k)) for k in range(100)}
    limited = {k for k, got in asked.items() if got.status == 429}
    assert 8 <= len(limited) <= 12
    assert {asked[k].header("retry-after") for k in limited} == {"60"}
    assert {asked[k].header("x-llm-simulator-fault") for k in limited} == {"rate_limit"}
    again = {
        k for k in reversed(range(100)) if chat(server, "gpt-4-turbo", x_llm_simulator_occurrence=str(k)).status == 429
    }
    assert again == limited
    answered = [got for k, got in asked.items() if k not in limited]
    times = sorted(float(got.header("x-llm-simulator-ttft-ms")) for got in answered)
    assert times[len(times) // 2] == pytest.approx(800, rel=0.1)
    assert {got.header("x-llm-simulator-profile") for got in answered} == {"config/gpt-4-turbo"}
    assert {entry.fault for entry in server.observer.journal if entry.status == 429} == {"rate_limit"}


def test_a_disabled_model_is_unknown_in_its_providers_words(server: Server) -> None:
    client = openai.OpenAI(api_key="x", base_url=f"{server.base_url}/api.openai.com/v1", max_retries=0)
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt-4", messages=HI)
    told: Any = refused.value.body
    assert told["code"] == "model_not_found"
    assert "gpt-4" not in told["llm_simulator"]["available_models"]
    assert "gpt-4o" in told["llm_simulator"]["available_models"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")
    listed = {model.id for model in client.models.list()}
    assert ("gpt-4" in listed, "gpt-4o" in listed) == (False, True)


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/api.anthropic.com/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": HI}, 404),
        ("/api.anthropic.com/v1/messages", {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": HI}, 200),
        (
            "/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            {"contents": [{"parts": [{"text": "Hi"}]}]},
            404,
        ),
        ("/v1/chat/completions", {"model": "house-model", "messages": HI}, 200),
        ("/v1/chat/completions", {"model": "hause-model", "messages": HI}, 404),
    ],
)
def test_which_models_are_there(server: Server, target: str, body: Any, status: int) -> None:
    headers = {"x-api-key": "x", "anthropic-version": "2023-06-01", "authorization": "Bearer x"}
    assert ask(server.base_url, target, body, headers=headers).status == status


def test_lists_leave_out_what_is_not_there(server: Server) -> None:
    listed = ask(server.base_url, "/api.anthropic.com/v1/models?limit=1000", headers={"x-api-key": "x"}).json()
    assert [model["id"] for model in listed["data"] if not model["id"].startswith("claude-haiku-4-5")] == []
    google = ask(server.base_url, "/generativelanguage.googleapis.com/v1beta/models", headers={"x-goog-api-key": "x"})
    assert google.json() == {"models": []}


def test_a_break_and_a_status_of_ones_own(server: Server) -> None:
    body = {"model": "command-a-03-2025", "messages": HI, "stream": True}
    broken = ask(server.base_url, "/api.cohere.com/v2/chat", body, headers={"authorization": "Bearer x"})
    assert (broken.status, broken.complete) == (200, False)
    shut = ask(
        server.base_url,
        "/api.mistral.ai/v1/chat/completions",
        {"model": "mistral-small-latest", "messages": HI},
        headers={"authorization": "Bearer x"},
    )
    assert (shut.status, shut.header("x-llm-simulator-fault")) == (503, "closed for lunch")
    assert b"Back at two." in shut.body


def test_a_fault_of_a_scenario_goes_before_and_a_rule_without_one_leaves_them() -> None:
    scenarios = {
        "drill": {
            "rules": [{"when": {"header": {"x-team": "blue"}}, "then": {"fault": "overloaded"}}, {"then": "server"}]
        }
    }
    sections = {**CONFIG, "errors": {"timeout": 1}, "scenarios": scenarios, "scenario": "drill"}
    with serving(replace(from_mapping(sections), port=0)) as server:
        assert chat(server, "gpt-4o", x_team="blue").header("x-llm-simulator-fault") == "overloaded"
        got = chat(server, "gpt-4o")
        assert (got.status, got.header("x-llm-simulator-fault"), got.header("x-llm-simulator-scenario")) == (
            504,
            "timeout",
            "drill",
        )


def test_what_is_forwarded_gets_no_error_of_ours() -> None:
    settings: Settings = replace(from_mapping({"errors": {"rate_limit": 1}}), port=0, mode=Mode.PASSTHROUGH)
    with serving(replace(settings, upstreams={"api.openai.com": "http://127.0.0.1:9"})) as server:
        got = ask(server.base_url, "/api.openai.com/v1/chat/completions", {"model": "gpt-4o", "messages": HI})
        assert (got.status, got.json()["error"]["code"]) == (502, "upstream_unreachable")
