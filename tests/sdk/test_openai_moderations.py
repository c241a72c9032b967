"""Moderations: what words and marks flag, and how OpenAI and Mistral spell it."""

from __future__ import annotations

from pathlib import Path

import pytest
from desks import desk
from multiform import answer, asked, message
from openai.types import ModerationCreateResponse
from strictness import unknown

from llm_simulator import dialects
from llm_simulator.dialects.openai_moderations import TRIGGERS, flagged
from llm_simulator.types import JSON, header

PICTURE = "https://example.com/cat.png"


def moderated(given: JSON, model: str = "", host: str = "api.openai.com") -> JSON:
    body = {"input": given, **({"model": model} if model else {})}
    return answer(asked("/v1/moderations", body, host=host), desk())


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("A kind word.", set()),
        ("Skill and kilns do no harm", set()),
        ("I will KILL you", {"violence"}),
        ("how to kill\n myself", {"self-harm", "self-harm/intent", "self-harm/instructions", "violence"}),
        ("you idiot, watch your back", {"harassment", "harassment/threatening"}),
        ("[flag:sexual/minors] and [flag:Hate]", {"sexual/minors", "hate"}),
    ],
)
def test_what_flags_a_text(text: str, categories: set[str]) -> None:
    assert flagged((text,)) == categories
    (result,) = moderated(text)["results"]
    assert {name for name, hit in result["categories"].items() if hit} == categories
    assert result["flagged"] is bool(categories)
    for name, score in result["category_scores"].items():
        assert (score > 0.5) is (name in categories)


@pytest.mark.parametrize("category", TRIGGERS)
def test_each_category_has_a_mark(category: str) -> None:
    assert flagged((f"[flag:{category}]",)) == {category}


def test_an_answer_is_what_the_sdk_knows() -> None:
    found = ModerationCreateResponse.model_validate(moderated(["one", "two"]), strict=True)
    assert list(unknown(found)) == []
    assert found.id.startswith("modr-")
    assert (found.model, len(found.results)) == ("omni-moderation-latest", 2)


def test_text_and_pictures_make_one_result() -> None:
    parts = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    (result,) = moderated(parts)["results"]
    assert result["category_applied_input_types"]["violence"] == ["text", "image"]
    assert result["category_applied_input_types"]["hate"] == ["text"]
    assert not result["flagged"]
    (result,) = moderated([{"type": "image_url", "image_url": {"url": PICTURE + "?flag=violence"}}])["results"]
    assert (result["flagged"], result["category_applied_input_types"]["hate"]) == (True, [])


def test_scores_are_a_function_of_the_text() -> None:
    one, other = (moderated(text)["results"][0]["category_scores"] for text in ("one", "other"))
    assert moderated("one")["results"][0]["category_scores"] == one != other


@pytest.mark.parametrize(
    ("asked_for", "shown"),
    [("", "omni-moderation-latest"), ("text-moderation-stable", "text-moderation-007"), ("omni-moderation-x", None)],
)
def test_models(asked_for: str, shown: str | None) -> None:
    assert moderated("x", asked_for)["model"] == (shown or asked_for)


def test_mistrals_form() -> None:
    found = moderated(["my [flag:pii]", "I will kill you"], "mistral-moderation-latest", "api.mistral.ai")
    assert [{name for name, hit in result["categories"].items() if hit} for result in found["results"]] == [
        {"pii"},
        {"violence_and_threats"},
    ]
    assert list(found["results"][0]) == ["categories", "category_scores"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Missing required parameter: 'input'."),
        ({"input": 1}, "Invalid type for 'input': expected one of a string or an array or an object"),
        ({"input": []}, "Invalid 'input': empty array."),
        ({"input": ["a", 1]}, "Invalid type for 'input': expected one of a string, an array of strings"),
        ({"input": [{"type": "audio"}]}, "Invalid type for 'input': expected one of a string, an array of strings"),
    ],
)
def test_what_is_refused(body: JSON, words: str) -> None:
    status, text = message(asked("/v1/moderations", body))
    assert (status, text[: len(words)]) == (400, words)


def test_no_rate_limits_are_shown() -> None:
    call = asked("/v1/moderations", {"input": "x"})
    reply = dialects.of(call).respond(call, desk())
    assert not any(name.startswith("x-ratelimit") for name, _ in reply.headers)
    assert header(reply.headers, "x-request-id").startswith("req_")
    assert isinstance(reply.body, bytes)
    assert reply.body.startswith(b'{\n  "id": "modr-')
    assert reply.body.endswith(b"}")


def test_mistrals_chat_moderations_are_not_ours() -> None:
    assert asked("/v1/chat/moderations", {"input": []}, host="api.mistral.ai").family == "opaque"


def test_the_page_lists_the_words() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "openai-endpoints.md").read_text(encoding="utf-8")
    for category, words in TRIGGERS.items():
        assert f"| {category} | {', '.join(words) or '(by mark alone)'} |" in page
