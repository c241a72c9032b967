"""The validator accepts what is genuine and rejects what is not, and every simulated answer is valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fidelity_corpus import Corpus, Recording, corpus_of
from fidelity_published import parts_of
from fidelity_validity import Tally, genuine_replies, simulated_answers
from validity import verdicts_of

from llm_simulator.dialects import registry
from llm_simulator.dialects.base import Dialect
from llm_simulator.proxy.selfcheck import trials

pytestmark = [pytest.mark.shared, pytest.mark.timeout(240)]

ERROR_SENT_WITH_200 = "test_azure/test_prompt_content_filtering.yaml#0"


@pytest.fixture(scope="module")
def corpus(shared: Path) -> Corpus:
    return corpus_of(shared / "traffic" / "dev")


@pytest.fixture(scope="module")
def genuine(corpus: Corpus) -> Tally:
    return genuine_replies(corpus)


def test_genuine_replies_are_accepted(genuine: Tally) -> None:
    assert sum(genuine.parts.values()) > 11_000
    assert [s for sources in genuine.rejected.values() for s in sources if not s.endswith(ERROR_SENT_WITH_200)] == []


@pytest.mark.parametrize(
    ("schema", "accepted", "strictly"),
    [
        ("openai Response", 76, 3),  # cache_write_tokens came in July 2026
        ("openai ResponseStreamEvent", 2493, 2440),
        ("openai CreateChatCompletionResponse", 316, 280),  # refusal came in the autumn of 2024
        ("openai CreateChatCompletionStreamResponse", 4399, 4399),
        ("azure CreateChatCompletionStreamResponse", 602, 582),  # the first chunk has no object
        ("cohere StreamedChatResponseV2", 1157, 1157),
        ("anthropic Message", 41, 41),
        ("anthropic events", 1623, 1623),
        ("gemini GenerateContentResponse", 161, 161),
        ("vertex GenerateContentResponse", 43, 43),
    ],
)
def test_the_overlay_and_older_forms_account_for_all(genuine: Tally, schema: str, accepted: int, strictly: int) -> None:
    assert (genuine.parts[schema], genuine.accepted[schema], genuine.strictly[schema]) == (accepted, accepted, strictly)


def test_every_simulated_answer_is_valid(corpus: Corpus) -> None:
    simulated = simulated_answers(corpus)
    assert simulated.rejected == {}
    assert sum(simulated.parts.values()) > 20_000


@pytest.mark.parametrize("dialect", registry.dialects(), ids=lambda dialect: f"{dialect.name} {dialect.provider}")
def test_examples_of_endpoints_that_nobody_recorded_are_valid_too(dialect: Dialect, shared: Path) -> None:
    """Every route of a dialect (files, batches, images, ...), where a schema or a model says what is valid."""
    assert shared.is_dir()
    wrong: list[Any] = []
    for trial in trials(dialect):
        asked = trial.request
        if trial.status < 300:
            judged = verdicts_of(dialect.provider, asked.method, asked.path, asked.query, trial.body, False)
            wrong += [(trial.route.path, verdict) for verdict in judged or () if verdict.problems]
    assert wrong == []


def whole(corpus: Corpus) -> Iterator[tuple[Recording, Any]]:
    """The first whole chat answer of each provider."""
    seen: set[str] = set()
    ends = ("/chat/completions", "/responses", "/v2/chat", "/v1/messages", ":generateContent")
    for recording in corpus.recordings:
        wanted = recording.endpoint.endswith(ends) and not recording.stream and recording.status == 200
        if wanted and recording.endpoint not in seen and verdicts(recording, recording.body) is not None:
            seen.add(recording.endpoint)
            yield recording, json.loads(recording.body)


def verdicts(recording: Recording, body: bytes) -> list[Any] | None:
    request = recording.request
    return verdicts_of(recording.provider, request.method, request.path, request.query, body, recording.stream)


def wrong(recording: Recording, value: Any) -> bool:
    judged = verdicts(recording, json.dumps(value).encode())
    assert judged is not None
    return any(verdict.problems for verdict in judged)


def test_a_key_of_another_type_is_rejected(corpus: Corpus) -> None:
    checked = 0
    for recording, value in whole(corpus):
        name = next(key for key in ("id", "responseId", "modelVersion") if key in value)
        assert not wrong(recording, value)
        assert wrong(recording, {**value, name: 7})
        checked += 1
    assert checked >= 6


def test_an_empty_object_is_no_answer(corpus: Corpus) -> None:
    """An SDK makes a completion of it. google-genai's models require nothing: there an unknown key is what tells."""
    for recording, value in whole(corpus):
        if recording.provider in ("gemini", "vertex"):
            assert wrong(recording, {**value, "somethingNew": 1})
        else:
            assert wrong(recording, {})


def test_an_unknown_event_is_rejected() -> None:
    body = b'event: response.made_up\ndata: {"type":"response.made_up","sequence_number":0}\n\n'
    judged = verdicts_of("openai", "POST", "/v1/responses", "", body, True)
    assert judged is not None
    assert judged[0].problems == ("unknown type of event 'response.made_up'",)


@pytest.mark.parametrize(
    ("body", "stream", "parts"),
    [
        (b'{"a": 1}', False, [{"a": 1}]),
        (b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', True, [{"a": 1}]),
        (b'{"event_type":"a"}\n{"event_type":"b"}\n', True, [{"event_type": "a"}, {"event_type": "b"}]),
        (b'[{"candidates": []}\n,\r\n{"candidates": []}]', True, [{"candidates": []}, {"candidates": []}]),
        (b'event: ping\ndata: {"type": "ping"}\n\n: comment\n\n', True, []),
    ],
)
def test_what_is_judged_of_a_body(body: bytes, stream: bool, parts: list[Any]) -> None:
    assert parts_of(body, stream) == parts
