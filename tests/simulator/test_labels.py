"""`response.label: body`: every chat dialect says in id and model that an answer was simulated, and changes nothing else."""

from __future__ import annotations

import json

import pytest

from llm_simulator import dialects
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import JSON, Call, RawRequest

USER = [{"role": "user", "content": "Hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
CASES: dict[str, tuple[str, str, JSON, str, str]] = {
    "openai": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": USER}, "id", "chatcmpl-sim-"),
    "azure": (
        "x.openai.azure.com",
        "/openai/deployments/gpt-4o/chat/completions",
        {"messages": USER},
        "id",
        "chatcmpl-sim-",
    ),
    "mistral": ("api.mistral.ai", "/v1/chat/completions", {"model": "mistral-tiny", "messages": USER}, "id", "sim-"),
    "anthropic": (
        "api.anthropic.com",
        "/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": USER},
        "id",
        "msg_sim_01",
    ),
    "gemini": (
        "generativelanguage.googleapis.com",
        "/v1beta/models/gemini-2.0-flash:generateContent",
        {"contents": CONTENTS},
        "responseId",
        "sim-",
    ),
    "cohere": ("api.cohere.com", "/v2/chat", {"model": "command-a-03-2025", "messages": USER}, "id", "sim-"),
    "responses": ("api.openai.com", "/v1/responses", {"model": "gpt-4o", "input": "Hi"}, "id", "resp_sim_"),
    "completions": ("api.openai.com", "/v1/completions", {"model": "davinci-002", "prompt": "Hi"}, "id", "cmpl-sim-"),
}


def call_of(name: str) -> Call:
    host, path, body, *_ = CASES[name]
    headers = (("content-type", "application/json"),)
    return dialects.read(RawRequest("POST", path, host, headers=headers, body=json.dumps(body).encode()))


def answer(name: str, *, labelled: bool) -> JSON:
    call = call_of(name)
    made = Engine(3, labelled=labelled).simulate(call, dialects.of(call), b"one", at_once=True).answer
    return json.loads(b"".join(chunk.data for chunk in made.chunks))  # type: ignore[union-attr]  # pyright: ignore


@pytest.mark.parametrize("name", CASES)
def test_a_body_says_that_it_is_simulated(name: str) -> None:
    *_, field, start = CASES[name]
    plain, labelled = answer(name, labelled=False), answer(name, labelled=True)
    assert labelled[field].startswith(start)
    assert labelled[field].replace("sim-", "").replace("sim_", "") == plain[field]
    model = "modelVersion" if name == "gemini" else "model"
    assert labelled.get(model) == (f"{plain[model]}-simulated" if model in plain else None)
    changed = {key for key in plain if labelled[key] != plain[key]}
    assert changed <= {field, model}
