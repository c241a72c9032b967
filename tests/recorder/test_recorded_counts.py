"""`cassette stats --token-truth`: our counts against those of recorded answers; here the answers are our own simulator's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cli import cli
from llm_simulator.recorder.token_truth import TokenTruth, compared
from llm_simulator.simulator.engine import Engine
from llm_simulator.simulator.generate import Style
from llm_simulator.types import Exchange, Outcome, RawRequest

HELLO = [{"role": "user", "content": "Say hello in three languages."}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CHAT = {"model": "gpt-4o", "messages": HELLO}
AZURE = "/openai/deployments/gpt-4o/chat/completions"
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hello!"}]}]}
USAGE = {"stream_options": {"include_usage": True}}


def recorded(path: str, body: dict[str, Any], host: str = "", style: Style = Style()) -> Exchange:  # noqa: B008
    """What a recording of our own answer is."""
    target, _, query = path.partition("?")
    raw = RawRequest("POST", target, host, query=query, body=json.dumps(body).encode())
    call = dialects.read(raw)
    made = Engine(1, style=style).simulate(call, dialects.of(call), b"identity", at_once=True)
    chunks = tuple((place, chunk.data) for place, chunk in enumerate(made.answer.chunks))  # type: ignore[arg-type]
    facts = (call.provider, call.family, call.operation, call.model, call.stream)
    return Exchange(raw, *facts, made.answer.status, made.answer.headers, chunks)


@pytest.mark.parametrize(
    ("exchange", "kinds"),
    [
        (recorded("/v1/chat/completions", CHAT), ["prompt, plain", "completion, text"]),
        (recorded("/v1/chat/completions", {**CHAT, "stream": True, **USAGE}), ["prompt, plain", "completion, text"]),
        (
            recorded("/v1/chat/completions", {**CHAT, "tools": [TOOL]}, style=Style(call_tools=True)),
            ["prompt, tools", "completion, calls"],
        ),
        (recorded(AZURE, CHAT, "r.openai.azure.com"), ["prompt, plain", "completion, text"]),
        (recorded("/v1/responses", {"model": "gpt-4o", "input": "Hello!"}), ["prompt, plain", "completion, text"]),
        (
            recorded("/v1/responses", {"model": "gpt-5", "input": "Hi!", "stream": True}),
            ["prompt, plain", "completion, text"],
        ),
        (
            recorded("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Once"}),
            ["prompt, plain", "completion, text"],
        ),
        (recorded("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hello!"}), ["prompt, plain"]),
        (
            recorded("/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": 50, "messages": HELLO}),
            ["prompt, plain", "completion, text"],
        ),
        (
            recorded("/v1beta/models/gemini-2.0-flash:generateContent", GEMINI),
            ["prompt, plain", "completion, text"],
        ),
    ],
    ids=lambda value: f"{value.provider} {value.family} {value.stream}" if isinstance(value, Exchange) else "",
)
def test_our_own_answers_are_counted_as_they_say(exchange: Exchange, kinds: list[str]) -> None:
    found = list(compared(exchange))
    assert [one.kind for one in found] == kinds
    assert all(one.theirs == one.ours > 0 for one in found), found
    assert all(one.exact for one in found) == (
        exchange.provider in ("openai", "azure") and "gpt-5" not in found[0].model
    )


@pytest.mark.parametrize(
    "exchange",
    [
        replace(recorded("/v1/chat/completions", CHAT), outcome=Outcome.TRUNCATED),
        replace(recorded("/v1/chat/completions", CHAT), status=429),
        replace(recorded("/v1/chat/completions", CHAT), chunks=((0, b"no json"),)),
        replace(recorded("/v1/chat/completions", CHAT), headers=(("content-encoding", "gzip"),)),
        recorded("/v1/chat/completions", {**CHAT, "stream": True}),  # it was not asked for
        Exchange(RawRequest("GET", "/v1/models"), "openai", "models", "models.list", "", False, 200, (), ((0, b"{}"),)),
        Exchange(RawRequest("GET", "/nothing"), "openai", "opaque", "unknown", "", False, 200, (), ((0, b"{}"),)),
    ],
)
def test_what_tells_no_count_is_left_out(exchange: Exchange) -> None:
    assert list(compared(exchange)) == []


def test_the_table() -> None:
    truth = TokenTruth()
    assert truth.as_text() == "no recorded answer tells how many tokens it took"
    right = recorded("/v1/chat/completions", CHAT)
    body = json.loads(right.body)
    body["usage"]["prompt_tokens"] += 10
    truth.add(right)
    truth.add(replace(right, chunks=((0, json.dumps(body).encode()),)))
    (completion, prompt) = truth.as_json()
    assert (completion["calls"], completion["equal_share"]) == (2, 1.0)
    assert (prompt["equal"], prompt["mean_error_tokens"]) == (1, 5.0)
    assert "openai     openai.chat        prompt, plain                   2 calls, equal 50.0 %" in truth.as_text()


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"

    async def keep() -> None:
        made = await Cassette.open(str(path), read=dialects.read, writable=True)
        exchange = recorded("/v1/chat/completions", CHAT)
        await made.add(exchange, dialects.read(exchange.request), replace=False)
        await made.close()

    asyncio.run(keep())
    text = CliRunner().invoke(cli, ["cassette", "stats", "--cassette", str(path), "--token-truth"])
    assert "token counts, ours against the provider's:" in text.output
    told = json.loads(
        CliRunner().invoke(cli, ["cassette", "stats", "--cassette", str(path), "--token-truth", "--json"]).output
    )
    assert [one["equal_share"] for one in told["token_truth"]] == [1.0, 1.0]
    assert "token_truth" not in json.loads(
        CliRunner().invoke(cli, ["cassette", "stats", "--cassette", str(path), "--json"]).output
    )
