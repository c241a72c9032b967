"""A finished call in the words of the GenAI conventions."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.telemetry.genai import attributes, error_of, name_of
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Call, RawRequest


def entry(provider: str = "openai", operation: str = "chat", **more: Any) -> Entry:
    made = Entry(5.0, "POST", "/v1/x", provider, "gpt-4o", operation, True, 200, "simulator")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def call(body: Any, host: str = "") -> Call:
    return Call("openai", "openai.chat", "chat", RawRequest("POST", "/v1/x", host), "gpt-4o", body=body)


def test_what_is_known_of_a_call() -> None:
    made = entry(prompt_tokens=8, completion_tokens=3, ttft=0.25, exchange=7, scenario="drill", rule="all", fault="f")
    assert attributes(made, None, "api.openai.com") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 8,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": "/v1/x",
        "llm_simulator.source": "simulator",
        "llm_simulator.outcome": "complete",
        "llm_simulator.exchange": 7,
        "llm_simulator.scenario": "drill",
        "llm_simulator.rule": "all",
        "llm_simulator.fault": "f",
        "server.address": "api.openai.com",
        "server.port": 443,
    }


@pytest.mark.parametrize(
    ("provider", "operation", "named", "system", "name"),
    [
        ("openai", "chat", "openai", "openai", "chat"),
        ("openai", "responses.create", "openai", "openai", "chat"),
        ("openai", "completions.create", "openai", "openai", "text_completion"),
        ("openai", "models.list", "openai", "openai", "models.list"),
        ("azure", "chat", "azure.ai.openai", "az.ai.openai", "chat"),
        ("gemini", "chat", "gcp.gemini", "gcp.gemini", "generate_content"),
        ("vertex", "predict", "gcp.vertex_ai", "gcp.vertex_ai", "embeddings"),
        ("mistral", "embeddings.create", "mistral_ai", "mistral_ai", "embeddings"),
        ("xai", "chat", "x_ai", "xai", "chat"),
        ("house", "chat", "house", "house", "chat"),
    ],
)
def test_names_of_the_conventions(provider: str, operation: str, named: str, system: str, name: str) -> None:
    made = entry(provider, operation)
    found = attributes(made, None)
    told = [found[f"gen_ai.{what}"] for what in ("provider.name", "system", "operation.name")]
    assert (told, name_of(made)) == ([named, system, name], f"{name} gpt-4o")


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (
            {"max_tokens": 9, "temperature": 1, "top_p": 0.5, "seed": 3, "n": 2, "stop": "x"},
            {
                "max_tokens": 9,
                "temperature": 1.0,
                "top_p": 0.5,
                "seed": 3,
                "choice.count": 2,
                "stop_sequences": ["x"],
            },
        ),
        (
            {"generationConfig": {"maxOutputTokens": 9, "topK": 4, "candidateCount": 2, "stopSequences": ["a", 5]}},
            {"max_tokens": 9, "top_k": 4.0, "choice.count": 2, "stop_sequences": ["a"]},
        ),
        (
            {"max_completion_tokens": 5, "max_tokens": 9, "presence_penalty": 1.5},
            {"max_tokens": 5, "presence_penalty": 1.5},
        ),
        ({"stop": ["\ud800"]}, {"stop_sequences": ["\\ud800"]}),
        ({"temperature": "hot", "seed": True, "max_tokens": 10**30, "stop": 3}, {}),
        (None, {}),
        ([], {}),
    ],
)
def test_what_was_asked_for(body: Any, asked: dict[str, Any]) -> None:
    found = attributes(entry(), call(body))
    told = {name: value for name, value in found.items() if name.startswith("gen_ai.request.")}
    ours = {f"gen_ai.request.{name}": value for name, value in asked.items()}
    assert told == {"gen_ai.request.model": "gpt-4o", "gen_ai.request.stream": True, **ours}


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("api.groq.com", "api.groq.com", 443), ("gateway.local:8443", "gateway.local", 8443), ("[::1]:99", "::1", 99)],
)
def test_where_the_provider_is(host: str, address: str, port: int) -> None:
    found = attributes(entry(), call({}, host), "api.openai.com")
    assert (found["server.address"], found["server.port"]) == (address, port)


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [
        (200, "complete", ""),
        (429, "complete", "429"),
        (200, "truncated", "truncated"),
        (0, "client-gone", "client-gone"),
    ],
)
def test_the_kind_of_an_error(status: int, outcome: str, kind: str) -> None:
    made = entry(status=status, outcome=outcome)
    assert error_of(made) == kind
    assert attributes(made, None).get("error.type", "") == kind
