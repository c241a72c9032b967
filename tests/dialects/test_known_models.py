"""Which model names are answered, and how an unknown one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import known_models
from llm_simulator.dialects.catalogue import models
from llm_simulator.types import Call, RawRequest, Reply

GENERATE = "/v1beta/models/{}:generateContent"
VERTEX = "/v1/projects/p/locations/us/publishers/google/models/{}:generateContent"


def call(host: str, model: str, path: str = "/v1/chat/completions") -> Call:
    asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "contents": [{"parts": [{"text": "Hi"}]}]}
    return dialects.read(RawRequest("POST", path.format(model), host, body=json.dumps(asked).encode()))


def chat(provider: str, model: str) -> Call:
    match provider:
        case "anthropic":
            return call("api.anthropic.com", model, "/v1/messages")
        case "gemini":
            return call("generativelanguage.googleapis.com", model, GENERATE)
        case "vertex":
            return call("us-aiplatform.googleapis.com", model, VERTEX)
        case "cohere":
            return call("api.cohere.com", model, "/v2/chat")
        case "azure":
            return call("x.openai.azure.com", model, "/openai/deployments/{}/chat/completions")
        case "bare":
            return call("", model)
        case _:
            return call(
                {"openai": "api.openai.com", "mistral": "api.mistral.ai", "groq": "api.groq.com"}[provider], model
            )


@pytest.mark.parametrize(
    ("provider", "model", "answered"),
    [
        ("openai", "gpt-4o", True),
        ("openai", "gpt-7-turbo-2029-01-01", True),
        ("openai", "o9-mini", True),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", True),
        ("openai", "text-davinci-003", True),
        ("openai", "gpt-nope", False),
        ("openai", "no-such-model", False),
        ("openai", "llama3", False),
        ("openai", "ownership", False),
        ("bare", "llama3", True),
        ("bare", "facebook/opt-125m", True),
        ("bare", "qwen3:latest", True),
        ("bare", "claude-sonnet-4-5", True),
        ("bare", "no-such-model", False),
        ("groq", "anything-at-all", True),
        ("azure", "my-deployment", True),
        ("anthropic", "claude-sonnet-4-5", True),
        ("anthropic", "claude-3-opus-20240229", True),
        ("anthropic", "claude-2.1", True),
        ("anthropic", "claude-does-not-exist", False),
        ("anthropic", "gpt-4o", False),
        ("gemini", "gemini-1.5-pro", True),
        ("gemini", "gemini-flash-latest", True),
        ("gemini", "gemini-nope", False),
        ("vertex", "gemini-2.5-pro", True),
        ("vertex", "gemini-does-not-exist", False),
        ("cohere", "command", True),
        ("cohere", "command-r-plus", True),
        ("cohere", "command-r7b-12-2024", True),
        ("cohere", "command-nope", False),
        ("mistral", "open-mixtral-8x22b", True),
        ("mistral", "mistral-nope", False),
    ],
)
def test_answered(provider: str, model: str, answered: bool) -> None:
    assert known_models.answered(chat(provider, model)) is answered


@pytest.mark.parametrize(
    ("provider", "model", "answered"),
    [
        ("bare", "llama3", False),
        ("bare", "gpt-4o", True),
        ("azure", "my-deployment", False),
        ("azure", "gpt-4o", True),
        ("azure", "llama-3", True),
    ],
)
def test_strictly(provider: str, model: str, answered: bool) -> None:
    assert known_models.answered(chat(provider, model), (), strict=True) is answered
    assert known_models.answered(chat(provider, model), (model,), strict=True)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere", "mistral"])
def test_what_is_listed_is_answered_and_nearly_all_of_it_by_its_family(provider: str) -> None:
    assert all(known_models.answered(chat(provider, model.id)) for model in models(provider))


def test_names_from_the_configuration() -> None:
    assert known_models.answered(chat("openai", "house-model"), ("house-model",))
    condition = known_models.unknown(chat("openai", "no-such"), ("house-model",))
    assert condition.extra["available_models"][-1] == "house-model"


@pytest.mark.parametrize(
    ("provider", "path", "status", "message"),
    [
        ("openai", "", 404, "The model `nope` does not exist or you do not have access to it."),
        ("anthropic", "", 404, "model: nope"),
        (
            "gemini",
            "",
            404,
            "models/nope is not found for API version v1beta, or is not supported for generateContent. Call "
            "ModelService.ListModels to see the list of available models and their supported methods.",
        ),
        ("vertex", "", 404, "Publisher Model `projects/p/locations/us/publishers/google/models/nope` not found."),
        (
            "cohere",
            "",
            404,
            "model 'nope' not found, make sure the correct model ID was used and that you have access to the model.",
        ),
        ("mistral", "", 400, "Invalid model: nope"),
    ],
)
def test_refused_in_the_providers_words(provider: str, path: str, status: int, message: str) -> None:
    asked = chat(provider, "nope")
    reply = dialects.of(asked).refuse(known_models.unknown(asked), asked)
    error = _error(reply)
    assert (reply.status, error["message"]) == (status, message)
    listed = error["llm_simulator"]["available_models"]
    family = {"vertex": "gemini"}.get(provider, provider)
    assert listed == [model.id for model in models(family) if model.mode == "chat"]


def test_geminis_compatible_endpoint_wraps_it_in_an_array() -> None:
    asked = call("generativelanguage.googleapis.com", "nope", "/v1beta/openai/chat/completions")
    reply = dialects.of(asked).refuse(known_models.unknown(asked), asked)
    assert isinstance(reply.body, bytes)
    error = json.loads(reply.body)[0]["error"]
    assert (reply.status, error["status"]) == (404, "NOT_FOUND")
    assert error["message"].startswith("models/nope is not found for API version v1main")
    assert "gemini-2.5-flash" in error["llm_simulator"]["available_models"]


def test_responses_say_400() -> None:
    asked = Call("openai", "openai.responses", "responses.create", RawRequest("POST", "/v1/responses"), model="nope")
    condition = known_models.unknown(asked)
    assert (condition.status, condition.message) == (400, "The requested model 'nope' does not exist.")


def test_the_nearest_are_named() -> None:
    condition = known_models.unknown(chat("anthropic", "claud-sonnet-4-5"))
    assert condition.extra["nearest"][0] == "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("provider", "model", "gone"),
    [
        ("openai", "gpt-3.5-turbo-0613", True),
        ("openai", "text-davinci-003", True),
        ("openai", "gpt-4o", False),
        ("openai", "gpt-image-1", False),
        ("anthropic", "claude-2.1", True),
        ("anthropic", "claude-sonnet-4-5", False),
        ("gemini", "gemini-1.5-pro", True),
        ("cohere", "command-r", True),
        ("cohere", "command-r-08-2024", False),
        ("azure", "gpt-35-turbo", False),
    ],
)
def test_retired(provider: str, model: str, gone: bool) -> None:
    assert known_models.retired(chat(provider, model)) is gone


def _error(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply.body, bytes)
    body = json.loads(reply.body)
    error: dict[str, Any] = body["error"] if isinstance(body.get("error"), dict) else body
    return error
