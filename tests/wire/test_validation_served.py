"""Validation and unknown models as a client of the running server meets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from serving import Got, ask, command_serving, serving

from llm_simulator.config.settings import Settings, Validation
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

HI = [{"role": "user", "content": "Hi"}]
CHAT = "/v1/chat/completions"
STRICT = Settings(port=0, speed=0, validation=Validation.PROVIDER)
KEY = {"authorization": "Bearer sk-abcdefghijkl"}
ANTHROPIC = {"x-api-key": "sk-ant-abcdefghijkl", "anthropic-version": "2023-06-01"}
REFUSAL = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1FAEFB6177B4672DEE07F9D3AFC62588CCD2631EDCF22E8CCC1FB35B501C9C86"
CASSETTE = """\
llm-simulator: cassette
schema: 1
---
request:
  method: POST
  host: api.openai.com
  path: /v1/chat/completions
  json: |
    {"model": "house-model", "messages": [{"role": "user", "content": "Something else"}]}
response:
  status: 200
  json: |
    {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "house-model", "choices": []}
"""


def error(got: Got) -> dict[str, Any]:
    found: dict[str, Any] = got.json()["error"]
    return found


@pytest.mark.parametrize(
    ("extra", "warned"),
    [
        ({"model": "gpt-3.5-turbo-0613"}, False),
        ({"max_tokens": 0}, True),
        ({"max_tokens": 10**9}, True),
        ({"temperature": 7}, False),
        ({"unknown": 1}, False),
    ],
)
def test_lenient_takes_any_key_retired_models_and_any_limit(extra: dict[str, Any], warned: bool) -> None:
    with serving(Settings(port=0, speed=0)) as server:
        got = ask(server.base_url, CHAT, {"model": "gpt-4o", "messages": HI, **extra})
    assert got.status == 200
    assert (got.header("x-llm-simulator-warning") != "") is warned


@pytest.mark.parametrize("validation", list(Validation))
def test_an_unknown_model_is_refused_in_both_levels(validation: Validation) -> None:
    with serving(Settings(port=0, speed=0, validation=validation)) as server:
        got = ask(server.base_url, CHAT, {"model": "no-such-model", "messages": HI}, headers=KEY)
    assert got.status == 404
    assert error(got)["message"] == "The model `no-such-model` does not exist or you do not have access to it."
    assert "gpt-4o" in error(got)["llm_simulator"]["available_models"]
    assert got.header("x-llm-simulator-source") == "refusal"


def test_a_configured_model_is_answered() -> None:
    with serving(Settings(port=0, speed=0, models=("no-such-model",))) as server:
        assert ask(server.base_url, CHAT, {"model": "no-such-model", "messages": HI}).status == 200


def test_a_recorded_model_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(CASSETTE, encoding="utf-8")
    with serving(Settings(port=0, speed=0, mode=Mode.AUTO, cassette=str(path))) as server:
        for _ in range(2):
            got = ask(server.base_url, CHAT, {"model": "house-model", "messages": HI})
            assert (got.status, got.header("x-llm-simulator-source")) == (200, "simulator")
        assert ask(server.base_url, CHAT, {"model": "other-model", "messages": HI}).status == 404


@pytest.mark.parametrize(
    ("target", "headers", "body", "status", "words"),
    [
        (CHAT, {}, {"model": "gpt-4o", "messages": HI}, 401, "You didn't provide an API key."),
        (CHAT, KEY, {"model": "gpt-4o", "messages": HI, "temperature": 9}, 400, "Invalid 'temperature'"),
        ("/v1/messages", ANTHROPIC, {"model": "claude-sonnet-4-5", "messages": HI}, 400, "max_tokens: Field required"),
        (
            "/x.openai.azure.com/openai/deployments/house/chat/completions?api-version=2024-10-21",
            {"api-key": "abcdefgh1234"},
            {"messages": HI},
            404,
            "The API deployment for this resource does not exist.",
        ),
    ],
)
def test_natural_causes(target: str, headers: dict[str, str], body: Any, status: int, words: str) -> None:
    with serving(STRICT) as server:
        got = ask(server.base_url, target, body, headers=headers)
    assert (got.status, error(got)["message"][: len(words)]) == (status, words)


def test_a_refusal_that_is_a_stream_is_sent_as_one() -> None:
    messages = [{"role": "user", "content": REFUSAL}]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "stream": True, "messages": messages}
    with serving(STRICT) as server:
        got = ask(server.base_url, "/v1/messages", body, headers=ANTHROPIC)
    assert (got.status, got.header("content-type")) == (200, "text/event-stream; charset=utf-8")
    assert got.header("content-length") == ""
    assert b'"stop_reason":"refusal"' in got.body
    assert got.complete


def test_an_answer_without_content_type_gets_none() -> None:
    target = "/x.openai.azure.com/openai/deployments/house/chat/completions?api-version=2024-10-21"
    with serving(STRICT) as server:
        got = ask(server.base_url, target, {"messages": HI}, headers={"api-key": "abcdefgh1234"})
    assert got.header("content-type") == ""


def test_the_flag() -> None:
    with command_serving("--validation", "provider", "--mode", "simulate") as (base_url, _):
        assert ask(base_url, CHAT, {"model": "gpt-4o", "messages": HI}).status == 401


@pytest.mark.parametrize(
    ("model", "key", "status"), [("no-such-model", "sk-abcdefghijkl", 404), ("gpt-realtime", "sk-bad", 401)]
)
def test_a_realtime_handshake_is_declined(model: str, key: str, status: int) -> None:
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "authorization": f"Bearer {key}",
    }
    with serving(STRICT) as server:
        got = ask(server.base_url, f"/v1/realtime?model={model}", headers=upgrade)
    assert got.status == status
    assert error(got)["code"] == ("model_not_found" if status == 404 else "invalid_api_key")
