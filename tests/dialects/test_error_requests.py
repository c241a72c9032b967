"""Structural faults that came up between the rooms: Gemini's numbers as text, its compatible path, endpoints without us."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_simulator import dialects
from llm_simulator.types import Call, Condition, RawRequest

GEMINI = "generativelanguage.googleapis.com"
PARTS: dict[str, Any] = {"contents": [{"parts": [{"text": "Hi"}]}]}


def post(host: str, path: str, body: Any) -> Call:
    return dialects.read(RawRequest("POST", path, host, body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("temperature", "0.5", ""),
        ("temperature", "-1e-3", ""),
        ("temperature", "NaN", ""),
        ("maxOutputTokens", "10", ""),
        ("temperature", "warm", "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"warm\""),
        ("topP", "", "Invalid value at 'generation_config.top_p' (TYPE_FLOAT), \"\""),
        ("maxOutputTokens", "1.5", "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), \"1.5\""),
    ],
)
def test_geminis_numbers_may_be_text(field: str, value: str, message: str) -> None:
    call = post(
        GEMINI, "/v1beta/models/gemini-2.5-flash:generateContent", {**PARTS, "generationConfig": {field: value}}
    )
    found = dialects.of(call).check(call)
    assert (found.message if found else "") == message


def test_geminis_compatible_path_refuses_as_google_does() -> None:
    call = post(GEMINI, "/v1beta/openai/chat/completions", {"model": "gemini-2.5-flash", "messages": "x"})
    condition = dialects.of(call).check(call)
    assert condition is not None
    reply = dialects.of(call).refuse(condition, call)
    assert isinstance(reply.body, bytes)
    error = json.loads(reply.body)[0]["error"]
    assert (reply.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert "messages" in error["message"]


def test_mistrals_errors_stand_by_themselves() -> None:
    call = post("api.mistral.ai", "/v1/chat/completions", {"model": "mistral-small-latest", "messages": "x"})
    miss = Condition("cassette_miss", 404, "not recorded", code="cassette_miss", retry=False, extra={"near": 1})
    reply = dialects.of(call).refuse(miss, call)
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body) == {
        "object": "error",
        "message": "not recorded",
        "type": "invalid_request_error",
        "param": None,
        "code": "cassette_miss",
        "llm_simulator": {"near": 1},
    }
    headers = dict(reply.headers)
    assert (reply.status, headers["x-should-retry"]) == (404, "false")
    assert headers["mistral-correlation-id"] == headers["x-kong-request-id"]


@pytest.mark.parametrize(
    ("host", "path", "name"),
    [
        ("api.openai.com", "/v1/containers", "not_simulated"),
        ("api.cohere.com", "/v1/embed-jobs", "not_simulated"),
        ("api.openai.com", "/v1/no/such/path", "invalid_url"),
    ],
)
def test_endpoints_that_are_not_simulated_say_so(host: str, path: str, name: str) -> None:
    call = post(host, path, {})
    condition = dialects.of(call).check(call)
    assert condition is not None
    assert condition.name == name


def test_a_body_that_is_no_object_at_responses() -> None:
    call = post("api.openai.com", "/v1/responses", [None, None])
    condition = dialects.of(call).check(call)
    assert condition is not None
    assert condition.status == 400
