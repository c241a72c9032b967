"""The first APIs of Anthropic (complete) and Cohere (generate), which older clients and recordings still use."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import joined, read
from cohere.types import Generation
from strictness import unknown

from llm_simulator.dialects.anthropic_complete import DIALECT as COMPLETE
from llm_simulator.dialects.base import Dialect, Turn
from llm_simulator.dialects.cohere_generate import DIALECT as GENERATE
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, Text, Usage

PROMPT = "Be brief\n\nHuman: hi\n\nAssistant: hello\n\nHuman: more\n\nAssistant:"


def ask(dialect: Dialect, body: JSON) -> Call:
    path = "/v1/complete" if dialect is COMPLETE else "/v1/generate"
    return read(dialect, path, body)


def completed(*choices: Choice, model: str = "claude-2.1") -> Completion:
    return Completion("ab" * 16, 1_780_000_000, model, choices, Usage(9, 7))


def said(finish: Finish = Finish.STOP, stop: str = "") -> Choice:
    return Choice((Text(("It", " is.")),), finish, stop)


def data(dialect: Dialect, completion: Completion, call: Call) -> bytes:
    return joined(dialect.write(completion, call))


def prompted(**more: JSON) -> Call:
    return ask(COMPLETE, {"model": "claude-2.1", "prompt": PROMPT, "max_tokens_to_sample": 9, **more})


def test_a_prompt_is_a_conversation() -> None:
    found = COMPLETE.ask(prompted(stop_sequences=["x"]))
    assert found.turns == (
        Turn("system", "Be brief"),
        Turn("user", "hi"),
        Turn("assistant", "hello"),
        Turn("user", "more"),
    )
    assert (found.max_tokens, found.stop) == (9, ("x",))


def test_a_whole_completion() -> None:
    found = json.loads(data(COMPLETE, completed(said()), prompted()))
    identity = found["id"]
    assert found == {
        "type": "completion",
        "id": identity,
        "completion": " It is.",
        "stop_reason": "stop_sequence",
        "model": "claude-2.1",
        "stop": "\n\nHuman:",
        "log_id": identity,
    }
    assert (identity[:8], len(identity)) == ("compl_01", 30)


@pytest.mark.parametrize(
    ("finish", "stop", "reason", "shown"),
    [
        (Finish.STOP, "", "stop_sequence", "\n\nHuman:"),
        (Finish.STOP_SEQUENCE, "x", "stop_sequence", "x"),
        (Finish.LENGTH, "", "max_tokens", None),
    ],
)
def test_how_it_ends(finish: Finish, stop: str, reason: str, shown: str | None) -> None:
    found = json.loads(data(COMPLETE, completed(said(finish, stop)), prompted()))
    assert (found["stop_reason"], found["stop"]) == (reason, shown)


def test_events_with_crlf() -> None:
    body = data(COMPLETE, completed(said()), prompted(stream=True))
    assert b"\n" not in body.replace(b"\r\n", b"")
    kinds = [line.removeprefix(b"event: ") for line in body.split(b"\r\n") if line.startswith(b"event: ")]
    assert kinds == [b"completion", b"completion", b"ping", b"completion"]
    found = COMPLETE.parse(200, (), body, prompted(stream=True))
    assert found
    assert found.choices[0].parts == (Text((" It", " is.")),)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The request body is not valid JSON: "),
        ({"model": "claude-2"}, "prompt: Field required"),
        ({"model": "claude-2", "prompt": "a", "stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    ],
)
def test_faulty_prompts(body: JSON, message: str) -> None:
    found = COMPLETE.check(ask(COMPLETE, body))
    assert found
    assert (found.status, found.message[: len(message)]) == (400, message)


def _recorded(shared: Path) -> Iterator[Any]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (
                record for record in map(json.loads, lines) if record["endpoint"] in ("/v1/complete", "/v1/generate")
            )


@pytest.mark.shared
def test_recorded_completions_are_written_as_they_were(shared: Path) -> None:
    seen = 0
    for record in _recorded(shared):
        if record["provider"] != "anthropic":
            continue
        call = ask(COMPLETE, record["request_body"])
        body = record["response_body"].encode()
        found = COMPLETE.parse(200, (), body, call)
        assert found
        assert _events(data(COMPLETE, found, call)) == _events(body)
        seen += 1
    assert seen == 6


def _events(body: bytes) -> list[JSON]:
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\r\n") if line.startswith((b"data: ", b"{"))]
    return [json.loads(line) for line in lines]


def generated(**more: JSON) -> Call:
    return ask(GENERATE, {"prompt": "hi", **more})


def test_generations() -> None:
    found = data(GENERATE, completed(said(), said(Finish.LENGTH), model="command"), generated(num_generations=2))
    assert set(unknown(Generation.model_validate_json(found))) == {"SingleGeneration.finish_reason"}  # as recorded
    body = json.loads(found)
    assert list(body) == ["id", "generations", "prompt", "meta"]
    assert [item["finish_reason"] for item in body["generations"]] == ["COMPLETE", "MAX_TOKENS"]
    assert body["meta"] == {"api_version": {"version": "1"}, "billed_units": {"input_tokens": 9, "output_tokens": 7}}


def test_generations_are_streamed() -> None:
    lines = [json.loads(line) for line in data(GENERATE, completed(said()), generated(stream=True)).splitlines()]
    assert [line.get("text") for line in lines] == ["It", " is.", None]
    assert lines[-1]["response"]["generations"][0]["text"] == "It is."


def test_what_generate_asks() -> None:
    found = GENERATE.ask(generated(num_generations=2, max_tokens=9, stop_sequences=["x"]))
    assert (found.turns, found.choices, found.max_tokens, found.stop) == ((Turn("user", "hi"),), 2, 9, ("x",))


@pytest.mark.parametrize("body", [b"{", {}, {"prompt": ""}, {"prompt": 1}, {"prompt": "a", "max_tokens": "x"}])
def test_faulty_requests(body: JSON) -> None:
    found = GENERATE.check(ask(GENERATE, body))
    assert found
    assert found.status == 400


@pytest.mark.shared
def test_a_generation_has_the_recorded_shape(shared: Path) -> None:
    (record,) = (record for record in _recorded(shared) if record["provider"] == "cohere")
    call = ask(GENERATE, record["request_body"])
    mine, theirs = json.loads(data(GENERATE, completed(said()), call)), json.loads(record["response_body"])
    assert [list(side) for side in (mine, mine["generations"][0], mine["meta"])] == [
        list(side) for side in (theirs, theirs["generations"][0], theirs["meta"])
    ]
