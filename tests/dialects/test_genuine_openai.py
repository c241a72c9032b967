"""Genuine traffic of OpenAI, Azure and their look-alikes: all of it reads, and comes out of a conversion the same."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_simulator import dialects
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    RawRequest,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    Usage,
)

pytestmark = pytest.mark.shared

PROVIDERS = ("openai", "azure", "groq", "mistral", "together", "deepseek")
Exchange = tuple[str, Call, bytes, bool]


def traffic(shared: Path) -> Iterator[JSON]:
    for path in sorted((shared / "traffic" / "dev").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            yield from map(json.loads, lines)


def request(line: JSON) -> RawRequest:
    path, _, query = line["path"].partition("?")
    body = line["request_body"]
    data = json.dumps(body).encode() if body is not None else (line.get("request_body_text") or "").encode()
    return RawRequest(
        line["method"], path, line["host"], query=query, headers=tuple(line["request_headers"].items()), body=data
    )


@pytest.fixture(scope="module")
def chats(shared: Path) -> list[Exchange]:
    found: list[Exchange] = []
    for line in traffic(shared):
        wanted = line["provider"] in PROVIDERS and "/chat/completions" in line["path"] and line["status"] == 200
        # One file stores an error body with status 200 (edited by hand), three store none.
        if wanted and line["response_body"] and '"error"' not in line["response_body"][:20]:
            call = dialects.read(request(line))
            found.append((line["source"], call, line["response_body"].encode(), line["streaming"]))
    return found


def joined(reply: Reply) -> bytes:
    return reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)


def parsed(call: Call, body: bytes) -> Completion:
    found = dialects.of(call).parse(200, (), body, call)
    assert found
    return found


def shown(completion: Completion) -> JSON:
    return [
        (
            "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text)),
            "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Reasoning)),
            [(part.id, part.name, "".join(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)],
            choice.finish,
        )
        for choice in completion.choices
    ]


def test_every_recorded_request_finds_its_provider(shared: Path) -> None:
    known = (
        *PROVIDERS,
        "anthropic",
        "gemini",
        "vertex",
        "cohere",
        "bedrock",
        "ollama",
        "voyage",
        "writer",
        "replicate",
    )
    seen = Counter((line["provider"], dialects.read(request(line)).provider) for line in traffic(shared))
    assert {pair for pair in seen if pair[0] in known} == {(name, name) for name in known}
    assert sum(seen.values()) == 1413


def test_every_chat_is_understood(chats: list[Exchange]) -> None:
    assert len(chats) == 535
    for source, call, _, streaming in chats:
        assert (call.family, call.operation, call.problem, call.stream) == ("openai.chat", "chat", "", streaming), (
            source
        )
        assert dialects.of(call).check(call) is None, source


def test_every_answer_survives_each_form(chats: list[Exchange]) -> None:
    for source, call, body, _ in chats:
        dialect, completion = dialects.of(call), parsed(call, body)
        for form in (call, *dialect.twins(call)):
            again = parsed(form, joined(dialect.write(completion, form)))
            assert shown(again) == shown(completion), source
            assert (again.id, again.created, again.model) == (completion.id, completion.created, completion.model), (
                source
            )
            assert again.fingerprint == completion.fingerprint, source
            if again.usage.raw and completion.usage.raw:
                assert again.usage == completion.usage, source


def test_usage_read_alone_is_the_usage_of_the_whole(chats: list[Exchange]) -> None:
    for source, call, body, _ in chats:
        usage = parsed(call, body).usage
        assert dialects.of(call).usage(200, (), body, call) == (usage if usage.raw else None), source


def plain(value: JSON) -> JSON:
    """Without what OpenAI began to send over the years, where it is empty."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    later = ("annotations", "refusal", "logprobs", "tool_calls", "system_fingerprint", "obfuscation")
    return {name: plain(item) for name, item in value.items() if name not in later or item not in (None, [], "")}


def test_most_bodies_are_written_back_to_the_byte_and_all_of_openai_in_substance(chats: list[Exchange]) -> None:
    exact = Counter[str]()
    for source, call, body, streaming in chats:
        if not streaming and call.provider in ("openai", "azure", "groq"):
            written = joined(dialects.of(call).write(parsed(call, body), call))
            exact[call.provider] += written == body
            if "choices" in json.loads(body)["choices"][0].get("message", {"choices": 1}):
                continue  # Azure withheld the message
            assert plain(json.loads(written)) == plain(json.loads(body)), source
    assert (exact["openai"] >= 217, exact["azure"] >= 30, exact["groq"] == 12) == (True, True, True)


def events(body: bytes) -> list[JSON]:
    lines = (line.removeprefix("data: ") for line in body.decode().split("\n") if line.startswith("data: {"))
    return [plain({**json.loads(line), "obfuscation": None}) for line in lines]


def padding(body: bytes) -> list[int]:
    return [
        len(line) % 16 for line in body.decode().split("\n") if line.startswith("data: {") and '"obfuscation"' in line
    ]


def test_most_streams_are_written_back_chunk_for_chunk(chats: list[Exchange]) -> None:
    same = Counter[bool]()
    for _, call, body, streaming in chats:
        if streaming and call.provider == "openai":
            written = joined(dialects.of(call).write(parsed(call, body), call))
            same[events(written) == events(body)] += 1
            if padding(body):
                assert set(padding(written)) == set(padding(body))
    assert same[True] >= 107
    assert sum(same.values()) == 116


def keys(value: JSON) -> JSON:
    """The shape of a value: key order and nesting, without the content."""
    if isinstance(value, dict):
        return {name: keys(item) for name, item in value.items()}
    return [keys(item) for item in value] if isinstance(value, list) else None


def shapes(body: bytes) -> list[str]:
    """The key order of a body, or of each chunk of a stream."""
    if body.startswith(b"{"):
        return [json.dumps(keys(json.loads(body)))]
    return [json.dumps(keys(json.loads(line[6:]))) for line in body.decode().split("\n") if line.startswith("data: {")]


PLAIN = frozenset(("model", "messages", "stream", "temperature", "max_tokens"))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_a_simulated_answer_has_the_shape_of_real_ones(chats: list[Exchange], provider: str, streaming: bool) -> None:
    said = Choice((Text(("a", "b")),), Finish.STOP)
    simulated = Completion("ab" * 16, 1_780_000_000, "gpt-4o", (said,), Usage(9, 2), "0123456789")
    alike = [one for one in chats if one[1].provider == provider and one[3] is streaming and set(one[1].body) <= PLAIN]
    real = Counter(shape for _, _, body, _ in alike for shape in set(shapes(body)))
    ours = shapes(joined(dialects.of(alike[0][1]).write(simulated, alike[0][1])))
    assert len(ours) == (4 + (provider == "azure") if streaming else 1)
    assert min(real[shape] for shape in ours) >= 5
