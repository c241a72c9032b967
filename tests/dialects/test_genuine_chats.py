"""Anthropic, Gemini, Vertex AI and Cohere chats as recorded: each is read, converted to every form, and read again."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_simulator.dialects.anthropic_messages import DIALECT as ANTHROPIC
from llm_simulator.dialects.base import Dialect
from llm_simulator.dialects.cohere_chat import DIALECT as COHERE
from llm_simulator.dialects.gemini_generate import DIALECT as GEMINI
from llm_simulator.dialects.gemini_generate import VERTEX
from llm_simulator.types import JSON, Call, Choice, Completion, Part, RawRequest, Text, ToolCall, Usage

pytestmark = pytest.mark.shared

DIALECTS: dict[str, Dialect] = {"anthropic": ANTHROPIC, "gemini": GEMINI, "vertex": VERTEX, "cohere": COHERE}
COUNTS = {"anthropic": 103, "gemini": 67, "vertex": 24, "cohere": 58}
Record = dict[str, Any]


@pytest.fixture(scope="module")
def records(shared: Path) -> list[Record]:
    return [record for record in _lines(shared) if _is_chat(record)]


def _lines(shared: Path) -> Iterator[Record]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def _is_chat(record: Record) -> bool:
    ends = ("/v1/messages", "/v2/chat", ":generateContent", ":streamGenerateContent")
    return record["provider"] in DIALECTS and record["endpoint"].endswith(ends)


def call_of(record: Record) -> Call:
    path, _, query = record["path"].partition("?")
    body = json.dumps(record["request_body"]).encode()
    headers = tuple(record["request_headers"].items())
    raw = RawRequest(record["method"], path, record["host"], "https", query, headers, body)
    call = DIALECTS[record["provider"]].read(raw, record["provider"])
    assert call, record["source"]
    return call


def parsed(record: Record) -> tuple[Dialect, Call, Completion]:
    dialect, call = DIALECTS[record["provider"]], call_of(record)
    found = dialect.parse(200, tuple(record["response_headers"].items()), record["response_body"].encode(), call)
    assert found, record["source"]
    return dialect, call, found


def written(dialect: Dialect, completion: Completion, call: Call) -> bytes:
    body = dialect.write(completion, call).body
    return body if isinstance(body, bytes) else b"".join(frame.data for frame in body)


def meaning(completion: Completion) -> JSON:
    """All that a client sees, without the cuts between tokens."""
    choices = [
        ([_meaning(part) for part in choice.parts], choice.finish, choice.stop_sequence, choice.word, choice.extra)
        for choice in completion.choices
    ]
    return completion.id, completion.model, choices, completion.usage


def _meaning(part: Part) -> JSON:
    if isinstance(part, ToolCall):
        return part.id, part.name, json.loads("".join(part.arguments) or "{}"), part.extra
    return "".join(part.tokens), part.extra if isinstance(part, Text) else part.signature


def successes(records: list[Record]) -> list[Record]:
    return [record for record in records if record["status"] == 200]


def test_every_request_is_understood(records: list[Record]) -> None:
    for record in records:
        call = call_of(record)
        dialect = DIALECTS[record["provider"]]
        assert (call.problem, call.stream) == ("", record["streaming"]), record["source"]
        assert dialect.check(call) is None, record["source"]
        assert dialect.ask(call).turns


def test_every_success_is_read_and_every_error_is_not(records: list[Record]) -> None:
    assert Counter(record["provider"] for record in successes(records) if parsed(record)) == COUNTS
    for record in records:
        if record["status"] != 200:
            call, body = call_of(record), record["response_body"].encode()
            assert DIALECTS[record["provider"]].parse(record["status"], (), body, call) is None


def test_conversion_to_every_form_loses_nothing(records: list[Record]) -> None:
    for record in successes(records):
        dialect, call, found = parsed(record)
        for form in (call, *dialect.twins(call)):
            again = dialect.parse(200, (), written(dialect, found, form), form)
            assert again
            assert meaning(again) == meaning(found), (record["source"], form.raw.target)


def test_whole_bodies_are_written_as_they_were_recorded(records: list[Record]) -> None:
    whole = [record for record in successes(records) if not record["streaming"]]
    for record in whole:
        dialect, call, found = parsed(record)
        assert json.loads(written(dialect, found, call)) == json.loads(record["response_body"]), record["source"]
    exact = Counter(
        record["provider"]
        for record in whole
        if written(*_arguments(parsed(record))).decode().rstrip("\n") == record["response_body"].rstrip("\n")
    )
    assert exact == {"anthropic": 15, "gemini": 30, "vertex": 16, "cohere": 40}


def _arguments(found: tuple[Dialect, Call, Completion]) -> tuple[Dialect, Completion, Call]:
    return found[0], found[2], found[1]


def test_a_stream_keeps_its_deltas(records: list[Record]) -> None:
    for record in successes(records):
        dialect, call, found = parsed(record)
        if call.stream and record["provider"] in ("anthropic", "cohere"):
            again = dialect.parse(200, (), written(dialect, found, call), call)
            assert again
            assert again.choices == found.choices


def test_usage_is_the_providers_own(records: list[Record]) -> None:
    for record in successes(records):
        dialect, call, found = parsed(record)
        usage = dialect.usage(200, (), record["response_body"].encode(), call)
        assert usage == (found.usage if found.usage.raw else None)


def _invented(completion: Completion) -> Completion:
    """The same answer as if the engine had made it: nothing of the recording but its parts."""
    choices = tuple(
        Choice(tuple(_plain(part) for part in choice.parts), choice.finish) for choice in completion.choices
    )
    usage = replace(completion.usage, raw=None, reasoning=0)
    return Completion("0a" * 16, 1_780_000_000, completion.model, choices, usage)


def _plain(part: Part) -> Part:
    if isinstance(part, Text):
        return Text(part.tokens or ("x",))
    return replace(part, id="0b" * 16, extra=None) if isinstance(part, ToolCall) else part


def _documents(body: str) -> list[JSON]:
    if body.lstrip().startswith(("{", "[")):
        document = json.loads(body)
        return document if isinstance(document, list) else [document]
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:") and "[DONE]" not in line]


OPEN = ("input", "args", "citations")


def _paths(value: JSON, at: str = "") -> Iterator[str]:
    """Every name in a document with what it stands in; what a tool or a source fills freely is left out."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{at}.{name}:{type(item).__name__}"
            if name not in OPEN:
                yield from _paths(item, f"{at}.{name}")
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, f"{at}[]")


def _shapes(body: str) -> set[str]:
    return {f"{document.get('type', '')} {path}" for document in _documents(body) for path in _paths(document)}


NEW = {
    "anthropic": {
        "message .stop_details:NoneType",
        "message_delta .usage.server_tool_use.web_fetch_requests:int",
        "message .usage.output_tokens_details:dict",
        "message .usage.output_tokens_details.thinking_tokens:int",
    },
    "gemini": {" .usageMetadata.cachedContentTokenCount:int"},
    "vertex": {" .usageMetadata.cachedContentTokenCount:int", " .candidates[].content.parts[].thought:bool"},
    "cohere": {
        "content-delta .delta.message.content.thinking:str",
        "content-start .delta.message.content.thinking:str",
    },
}
"""What the providers' own types have and these recordings do not happen to hold."""


@pytest.mark.parametrize("provider", DIALECTS)
def test_simulated_answers_have_only_shapes_that_were_seen(records: list[Record], provider: str) -> None:
    mine = [record for record in successes(records) if record["provider"] == provider]
    seen = {
        streaming: set().union(
            *(_shapes(record["response_body"]) for record in mine if record["streaming"] == streaming)
        )
        for streaming in (False, True)
    }
    for record in mine:
        dialect, call, found = parsed(record)
        shapes = _shapes(written(dialect, _invented(found), call).decode())
        assert shapes - seen[record["streaming"]] - NEW[provider] == set(), record["source"]


@pytest.mark.parametrize(
    ("provider", "own"),
    [
        ("anthropic", set[str]()),
        ("gemini", {"content-disposition", "x-gemini-service-tier"}),
        ("vertex", set[str]()),
        ("cohere", set[str]()),
    ],
)
def test_headers_are_those_of_the_provider(records: list[Record], shared: Path, provider: str, own: set[str]) -> None:
    listed = json.loads((shared / "traffic" / "dev" / "catalogue" / "response-headers.json").read_text("utf-8"))
    dialect, call, found = parsed(next(record for record in successes(records) if record["provider"] == provider))
    for form in (call, *dialect.twins(call)):
        names = {name for name, _ in dialect.write(_invented(found), form).headers}
        assert names - set(listed[provider]) <= own


def test_estimates_are_near(records: list[Record]) -> None:
    """Median error of the prompt estimate by provider; tools and hidden prompts are known to be far off at times."""
    errors: dict[str, list[float]] = {provider: [] for provider in DIALECTS}
    for record in successes(records):
        dialect, call, found = parsed(record)
        usage: Usage = found.usage
        if usage.prompt:
            asked = dialect.ask(call)
            errors[record["provider"]].append(abs(asked.prompt_tokens - usage.prompt) / usage.prompt)
    medians = {provider: sorted(values)[len(values) // 2] for provider, values in errors.items()}
    assert {provider for provider, median in medians.items() if median > 0.15} == set()
