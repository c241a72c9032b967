"""What Google's own tools leave in a Gemini answer: code that was run, pages that it rests on."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from asking import read
from google.genai import types as sdk

from llm_simulator.dialects.gemini_generate import DIALECT
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Finish,
    Part,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)

THOUGHT, TEXT = Reasoning(("Hm",)), Text(("Grün", " ist", " es.", " So", " ist", " es."))


def call(*tools: JSON, stream: bool = False) -> Call:
    body = {"contents": [{"parts": [{"text": "Why is grass green?"}]}], "tools": list(tools)}
    method = "streamGenerateContent" if stream else "generateContent"
    path = f"/v1/models/gemini-2.5-flash:{method}"
    return read(DIALECT, path, body, query="alt=sse" * stream)


def written(asked: Call, *parts: Part) -> list[Any]:
    completion = Completion(
        "ab" * 16, 0, asked.model, (Choice(parts or (THOUGHT, TEXT), Finish.STOP),), Usage(9, 7, 0, 1)
    )
    body = DIALECT.write(completion, asked).body
    texts = [body] if isinstance(body, bytes) else [frame.data.removeprefix(b"data: ") for frame in body]
    found = [json.loads(text) for text in texts]
    for answer in found:
        usage = {name: value for name, value in answer["usageMetadata"].items() if name != "serviceTier"}
        sdk.GenerateContentResponse.model_validate({**answer, "usageMetadata": usage})
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_code_is_run_before_the_text(stream: bool) -> None:
    found = written(call({"codeExecution": {}}, stream=stream))
    parts = [part for answer in found for part in answer["candidates"][0]["content"]["parts"]]
    assert [next(iter(part)) for part in parts[:3]] == ["executableCode", "codeExecutionResult", "text"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(parts[0]["executableCode"]["code"])
    assert parts[1]["codeExecutionResult"] == {"outcome": "OUTCOME_OK", "output": printed.getvalue()}
    usage = found[-1]["usageMetadata"]
    assert usage["toolUsePromptTokensDetails"] == [{"modality": "TEXT", "tokenCount": usage["toolUsePromptTokenCount"]}]
    assert usage["totalTokenCount"] == 16 + usage["toolUsePromptTokenCount"]


@pytest.mark.parametrize("tool", [{"googleSearch": {}}, {"google_search": {}}, {"googleSearchRetrieval": {}}])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_rests_on_pages(tool: JSON, stream: bool) -> None:
    found = written(call(tool, stream=stream))
    assert ["groundingMetadata" in answer["candidates"][0] for answer in found] == [False] * (len(found) - 1) + [True]
    grounding = found[-1]["candidates"][0]["groundingMetadata"]
    assert grounding["webSearchQueries"] == ["Why is grass green"]
    text = "".join(TEXT.tokens).encode()
    for support in grounding["groundingSupports"]:
        segment = support["segment"]
        assert text[segment.get("startIndex", 0) : segment["endIndex"]].decode() == segment["text"]
        assert support["groundingChunkIndices"][0] < len(grounding["groundingChunks"])


@pytest.mark.parametrize(
    ("asked", "part"),
    [(call(), TEXT), (call({"codeExecution": {}}), ToolCall("cd" * 16, "weather", ("{}",)))],
)
def test_nothing_is_used(asked: Call, part: Part) -> None:
    (answer,) = written(asked, part)
    assert len(answer["candidates"][0]["content"]["parts"]) == 1
    assert "toolUsePromptTokenCount" not in answer["usageMetadata"]
