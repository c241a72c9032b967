"""Genuine Responses and legacy completions: all read back byte for byte, convert both ways, and simulate to valid answers."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asking import joined
from openai.types import Completion as TheirCompletion
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llm_simulator import dialects
from llm_simulator.dialects.sse import events
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import JSON, Call, Completion, Part, RawRequest, ToolCall

pytestmark = pytest.mark.shared

FAMILIES = ("openai.responses", "openai.completions")
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_PADDING = re.compile(r'"obfuscation":"[^"]*",?|,"obfuscation":"[^"]*"')


class Exchange(NamedTuple):
    source: str
    call: Call
    body: bytes


def recorded(shared: Path) -> Iterator[Exchange]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in map(json.loads, lines):
                if line["status"] != 200 or not isinstance(line["response_body"], str):
                    continue
                raw = RawRequest(
                    line["method"],
                    line["path"].partition("?")[0],
                    line["host"],
                    headers=tuple(line["request_headers"].items()),
                    body=json.dumps(line["request_body"]).encode(),
                )
                call = dialects.read(raw)
                if call.family in FAMILIES:
                    yield Exchange(line["source"], call, line["response_body"].encode())


@pytest.fixture(scope="module")
def exchanges(shared: Path) -> list[Exchange]:
    return list(recorded(shared))


def written(completion: Completion, call: Call) -> bytes:
    return joined(dialects.of(call).write(completion, call))


def parsed(call: Call, body: bytes) -> Completion:
    found = dialects.of(call).parse(200, (), body, call)
    assert found is not None
    return found


def data_of(body: bytes) -> list[JSON]:
    """The events of a stream, without their padding."""
    return [json.loads(_PADDING.sub("", data)) for _, data in events(body.decode()) if data != "[DONE]"]


def texts(completion: Completion) -> list[str]:
    def text(part: Part) -> str:
        return "".join(part.arguments if isinstance(part, ToolCall) else part.tokens)

    return [text(part) for choice in completion.choices for part in choice.parts]


def of_openai(exchange: Exchange) -> bool:
    return exchange.call.raw.host == "api.openai.com"


def test_there_are_enough(exchanges: list[Exchange]) -> None:
    found = Counter((exchange.call.family, exchange.call.stream) for exchange in exchanges if of_openai(exchange))
    assert found == {
        ("openai.responses", False): 76,
        ("openai.responses", True): 54,
        ("openai.completions", False): 34,
        ("openai.completions", True): 15,
    }


def test_whole_bodies_come_back_byte_for_byte(exchanges: list[Exchange]) -> None:
    for source, call, body in filter(of_openai, exchanges):
        if not call.stream:
            assert written(parsed(call, body), call) == body, source


# Seen once each: reasoning whose sealed text changed from event to event, and a model that does not stream.
_ODD = ("agent_run_reasoning_stream.yaml#0", "OpenAI_gpt52pro.yaml#0")


def test_streams_come_back_event_by_event(exchanges: list[Exchange]) -> None:
    for source, call, body in filter(of_openai, exchanges):
        if call.stream and not source.endswith(_ODD):
            assert data_of(written(parsed(call, body), call)) == data_of(body), source


def test_the_other_form_says_the_same(exchanges: list[Exchange]) -> None:
    for source, call, body in exchanges:
        completion = parsed(call, body)
        assert dialects.of(call).twins(call), source
        for twin in dialects.of(call).twins(call):
            again = parsed(twin, written(completion, twin))
            assert texts(again) == texts(completion), source
            assert (again.id, again.model, again.created) == (completion.id, completion.model, completion.created)


def test_usage_is_read_out(exchanges: list[Exchange]) -> None:
    for source, call, body in filter(of_openai, exchanges):
        usage = dialects.of(call).usage(200, (), body, call)
        if call.family == "openai.completions" and call.stream:
            assert usage is None, source  # was not asked for
        else:
            assert usage is not None, source
            assert usage.total == usage.raw["total_tokens"], source


def keys(value: JSON, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{path}.{name}"
            if name not in ("parameters", "schema", "metadata", "tool_usage"):
                yield from keys(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from keys(item, f"{path}[]")


# In no recording before the year 2026 (billing, completed_at, ...), before May (moderation, context) or July (the others).
_LATER = re.compile(
    r"\.(tool_usage|moderation|billing(\.payer)?|completed_at|(frequency|presence)_penalty|prompt_cache_(key|retention)"
    r"|safety_identifier|verbosity|reasoning\.(context|mode)|cache_write_tokens|encrypted_content"
    r"|output\[\]\.content|incomplete_details\.reason)$"
)


def test_simulated_responses_are_valid_and_look_like_the_recorded(exchanges: list[Exchange]) -> None:
    engine = Engine(1)
    for source, call, body in exchanges:
        if call.family != "openai.responses" or call.body.get("previous_response_id"):
            continue  # what it refers to was never here
        answer = engine.simulate(call, dialects.of(call), source.encode(), at_once=True).answer
        assert answer.status == 200
        chunks: Any = answer.chunks
        made = b"".join(chunk.data for chunk in chunks)
        if call.stream:
            for data in data_of(made):
                if (
                    data["type"] != "response.function_call_arguments.done"
                ):  # the wire has no `name`, the type wants one
                    EVENT.validate_python(data)
            ours, theirs = (data_of(stream)[-1]["response"] for stream in (made, body))
        else:
            ours, theirs = json.loads(made), json.loads(body)
        Response.model_validate(ours)
        shared_keys = [name for name in theirs if name in ours]
        assert shared_keys == [name for name in ours if name in theirs], source
        assert set(theirs) <= set(ours), source
        assert [
            name for name in keys({**ours, "output": []}) if name not in set(keys(theirs)) and not _LATER.search(name)
        ] == []
        for name in ("temperature", "top_p", "tool_choice", "instructions", "max_output_tokens", "store", "truncation"):
            assert ours[name] == theirs[name], (source, name)


def test_simulated_completions_are_valid_and_look_like_the_recorded(exchanges: list[Exchange]) -> None:
    engine = Engine(1)
    for source, call, body in filter(of_openai, exchanges):
        if call.family != "openai.completions":
            continue
        chunks: Any = engine.simulate(call, dialects.of(call), source.encode(), at_once=True).answer.chunks
        made = b"".join(chunk.data for chunk in chunks)
        ours, theirs = (data_of(one)[0] if call.stream else json.loads(one) for one in (made, body))
        if not call.stream:
            TheirCompletion.model_validate(ours)
        assert list(keys(ours)) == list(keys(theirs)), source
