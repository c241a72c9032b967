"""What requests and models make of Gemini's answers: thought, signatures, counts by modality, keys by generation."""

from __future__ import annotations

import json
import struct
from base64 import b64encode, urlsafe_b64encode

import pytest

from llm_simulator.dialects.base import Thinking
from llm_simulator.dialects.gemini_ask import prompt_tokens
from llm_simulator.dialects.gemini_generate import DIALECT, VERTEX, GeminiGenerate
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Part,
    RawRequest,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)

THOUGHT, TEXT = Reasoning(("Hm", "m")), Text(("It ", "is."))
CALL = ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}'))
OTHER = ToolCall("ef" * 16, "weather", ('{"city"', ':"Bonn"}'))


def call(model: str, *, stream: bool = False, vertex: bool = False, **config: JSON) -> Call:
    body = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": config}
    folder = "/v1/projects/p/locations/global/publishers/google/models" if vertex else "/v1/models"
    method = "streamGenerateContent" if stream else "generateContent"
    raw = RawRequest("POST", f"{folder}/{model}:{method}", query="alt=sse" * stream, body=json.dumps(body).encode())
    dialect = VERTEX if vertex else DIALECT
    found = dialect.read(raw, dialect.provider)
    assert found
    return found


def written(asked: Call, *parts: Part, finish: Finish = Finish.STOP) -> JSON:
    dialect: GeminiGenerate = VERTEX if asked.provider == "vertex" else DIALECT
    thought = sum(len(part.tokens) for part in parts if isinstance(part, Reasoning))
    completion = Completion("ab" * 16, 1_780_000_000, asked.model, (Choice(parts, finish),), Usage(9, 7, 0, thought))
    body = dialect.write(completion, asked).body
    if isinstance(body, bytes):
        return json.loads(body)
    return [json.loads(frame.data.removeprefix(b"data: ")) for frame in body]


def parts_of(answer: JSON) -> list[JSON]:
    found: list[JSON] = answer["candidates"][0]["content"]["parts"]
    return found


@pytest.mark.parametrize(
    ("model", "config", "wanted"),
    [
        ("gemini-2.5-flash", {}, Thinking("medium")),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, None),
        ("gemini-2.5-flash", {"thinkingBudget": -1}, Thinking("medium")),
        ("gemini-2.5-flash", {"thinking_budget": 100}, Thinking("medium", 100)),
        ("gemini-3-pro-preview", {"thinkingLevel": "LOW"}, Thinking("low")),
        ("gemini-3-pro-preview", {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Thinking("medium")),
        ("gemini-2.0-flash", {}, None),
    ],
)
def test_thinking_is_asked_for(model: str, config: JSON, wanted: Thinking | None) -> None:
    assert DIALECT.ask(call(model, thinkingConfig=config)).thinking == wanted


@pytest.mark.parametrize("stream", [False, True])
def test_thought_is_shown_to_those_who_ask(stream: bool) -> None:
    hidden = call("gemini-2.5-flash", stream=stream)
    shown = call("gemini-2.5-flash", stream=stream, thinkingConfig={"includeThoughts": True})
    for asked, seen in ((hidden, False), (shown, True)):
        answers = written(asked, THOUGHT, TEXT)
        answers = answers if stream else [answers]
        assert any(part.get("thought") for answer in answers for part in parts_of(answer)) is seen
        assert answers[-1]["usageMetadata"]["thoughtsTokenCount"] == 2
        assert answers[-1]["usageMetadata"]["candidatesTokenCount"] == 5


def test_hidden_thought_takes_its_time() -> None:
    asked = call("gemini-2.5-flash", stream=True)
    completion = Completion(
        "ab" * 16, 0, "gemini-2.5-flash", (Choice((THOUGHT, TEXT), Finish.STOP),), Usage(9, 7, 0, 2)
    )
    body = DIALECT.write(completion, asked).body
    assert not isinstance(body, bytes)
    assert [frame.token for frame in body] == [3]


def test_thought_that_used_the_limit_up() -> None:
    for stream in (False, True):
        answer = written(call("gemini-2.5-pro", stream=stream), THOUGHT, finish=Finish.LENGTH)
        last = answer[-1] if stream else answer
        assert last["candidates"][0]["content"] == {"role": "model"}
        assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"


@pytest.mark.parametrize(
    ("model", "vertex", "parts", "signed"),
    [
        ("gemini-2.5-flash", False, (THOUGHT, TEXT), [False]),
        ("gemini-2.5-flash", False, (THOUGHT, CALL, OTHER), [True, False]),
        ("gemini-2.5-flash", False, (CALL,), [False]),
        ("gemini-3.5-flash", False, (THOUGHT, TEXT), [True]),
        ("gemini-3.5-flash", False, (THOUGHT, TEXT, CALL, OTHER), [False, True, False]),
        ("gemini-2.5-pro", True, (THOUGHT, TEXT), [False]),
        ("gemini-2.5-pro", True, (THOUGHT, CALL), [True]),
    ],
)
def test_signatures(model: str, vertex: bool, parts: tuple[Part, ...], signed: list[bool]) -> None:
    answer = written(call(model, vertex=vertex), *parts, finish=Finish.TOOL_CALLS)
    assert ["thoughtSignature" in part for part in parts_of(answer)] == signed


def test_a_stream_of_gemini_3_ends_with_an_empty_text() -> None:
    *rest, last = written(call("gemini-flash-latest", stream=True), THOUGHT, TEXT)
    assert {chunk["modelVersion"] for chunk in rest} == {"gemini-3.6-flash"}
    assert [part["text"] for chunk in rest for part in parts_of(chunk)] == ["It is."]
    assert parts_of(last)[0].keys() == {"text", "thoughtSignature"}
    assert last["candidates"][0]["finishReason"] == "STOP"
    *calls, end = written(call("gemini-3.5-flash", stream=True), THOUGHT, CALL, OTHER, finish=Finish.TOOL_CALLS)
    assert [["thoughtSignature" in part for part in parts_of(chunk)] for chunk in calls] == [[True], [False]]
    assert (parts_of(end), "finishMessage" in end["candidates"][0]) == ([{"text": ""}], False)


@pytest.mark.parametrize(
    ("model", "vertex", "candidate", "usage"),
    [
        ("gemini-2.0-flash", False, {"avgLogprobs"}, {"candidatesTokensDetails", "serviceTier"}),
        ("gemini-2.5-flash", False, {"index"}, {"serviceTier"}),
        ("gemini-3.5-flash", False, {"index"}, {"serviceTier"}),
        ("gemini-2.5-flash", True, {"avgLogprobs"}, {"candidatesTokensDetails", "trafficType"}),
    ],
)
def test_keys_by_generation(model: str, vertex: bool, candidate: set[str], usage: set[str]) -> None:
    answer = written(call(model, vertex=vertex), TEXT)
    assert answer["candidates"][0].keys() - {"content", "finishReason"} == candidate
    counts = {"promptTokenCount", "candidatesTokenCount", "totalTokenCount", "promptTokensDetails"}
    assert answer["usageMetadata"].keys() - counts == usage


@pytest.mark.parametrize(("model", "told"), [("gemini-2.5-flash", True), ("gemini-2.0-flash", False)])
def test_the_message_that_goes_with_a_call(model: str, told: bool) -> None:
    answer = written(call(model), CALL, finish=Finish.TOOL_CALLS)
    assert ("finishMessage" in answer["candidates"][0]) is told


def test_the_first_generation_counts_its_answer_at_the_end() -> None:
    asked = call("gemini-2.0-flash", stream=True)
    *rest, last = written(asked, Text(("a ",) * 200))
    assert not any("candidatesTokenCount" in chunk["usageMetadata"] for chunk in rest)
    assert last["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "TEXT", "tokenCount": 7}]


def png(width: int, height: int) -> str:
    return b64encode(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)).decode()


def blob(mime: str, data: str) -> JSON:
    return {"inlineData": {"mimeType": mime, "data": data}}


WAV = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0" + struct.pack("<II", 8000, 16000) + bytes(40_000)
PDF = b"/Type /Pages /Type /Page /Type /Page"


@pytest.mark.parametrize(
    ("part", "model", "counts"),
    [
        (blob("image/png", png(300, 384)), "gemini-2.5-flash", {"IMAGE": 258}),
        (blob("image/png", png(960, 540)), "gemini-2.5-flash", {"IMAGE": 258 * 6}),
        (blob("image/png", png(960, 540)), "gemini-3-pro-preview", {"IMAGE": 1120}),
        (
            {**blob("image/png", ""), "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            "gemini-3-pro",
            {"IMAGE": 280},
        ),
        ({"fileData": {"fileUri": "gs://b/x.png"}}, "gemini-2.5-flash", {"IMAGE": 258}),
        (blob("audio/wav", b64encode(WAV).decode()), "gemini-2.5-flash", {"AUDIO": 32 * 3}),
        (blob("video/mp4", b64encode(bytes(300_000)).decode()), "gemini-2.5-flash", {"VIDEO": 263 * 2}),
        (blob("application/pdf", urlsafe_b64encode(PDF).decode().rstrip("=")), "gemini-2.5-flash", {"DOCUMENT": 516}),
        (blob("application/pdf", "%"), "gemini-2.5-flash", {"DOCUMENT": 258}),
        ({"inline_data": {"mime_type": "image/png", "data": ""}}, "gemini-2.0-flash", {"IMAGE": 258}),
        ({"text": "one"}, "gemini-2.5-flash", {}),
    ],
)
def test_counts_by_modality(part: JSON, model: str, counts: dict[str, int]) -> None:
    found = prompt_tokens({"contents": [{"parts": [{"text": "What?"}, part]}]}, model)
    assert dict(found[1:]) == counts


def test_inline_text_is_text() -> None:
    body = {"contents": [{"parts": [blob("text/plain", b64encode(b"word " * 50).decode())]}]}
    assert 45 < dict(prompt_tokens(body, "gemini-3-pro"))["TEXT"] < 60
    assert len(prompt_tokens(body, "gemini-3-pro")) == 1


def test_low_resolution_for_all() -> None:
    body = {
        "contents": [{"parts": [blob("image/png", png(960, 540))]}],
        "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"},
    }
    assert dict(prompt_tokens(body, "gemini-2.5-flash"))["IMAGE"] == 64
