"""Long work in pieces: the answers are those made at once, and what happens between the pieces counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from desks import desk
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.dialects import gemini_batches, pieces
from llm_simulator.dialects.base import Desk
from llm_simulator.dialects.gemini_fields import dumped
from llm_simulator.dialects.pieces import Work
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import JSON, Call, RawRequest, Reply

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
TURN = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANTHROPIC = {"requests": [{"custom_id": str(n), "params": {**TURN, "max_tokens": 9}} for n in range(3)]}
GEMINI: JSON = {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"contents": []}}] * 3}}}}


def call(method: str, host: str, path: str, body: JSON = None) -> Call:
    data = json.dumps(body).encode() if body is not None else b""
    return dialects.read(RawRequest(method, path, host, body=data))


def place() -> Desk:
    answer = {"type": "message", "usage": {}, "candidates": [{"content": {"parts": [{"text": "hi"}]}}]}

    def run(_: RawRequest) -> Reply:
        return Reply(200, (), json.dumps(answer).encode())

    return replace(desk(), run=run)


def work_of(asked: Call, at: Desk) -> Work:
    work = dialects.of(asked).work(asked, at)
    assert work is not None
    return work


def said(reply: Reply) -> JSON:
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def test_pauses_change_nothing() -> None:
    work = pieces.each(lambda number: number * 2, range(5), 2)
    assert [next(work), next(work)] == [None, None]
    assert pieces.whole(pieces.each(lambda number: number * 2, range(5), 2)) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(("texts", "long"), [(1, False), (8, False), (9, True)])
@pytest.mark.parametrize("form", ["float", "base64"])
def test_many_embeddings(texts: int, long: bool, form: str) -> None:
    body = {"model": "text-embedding-3-small", "input": [f"text {n}" for n in range(texts)], "encoding_format": form}
    asked, engine = call("POST", "api.openai.com", "/v1/embeddings", body), Engine(0)
    dialect = dialects.of(asked)
    work = engine.work(asked, dialect, b"id")
    assert (work is not None) is long
    made = pieces.whole(work) if work else None
    assert engine.simulate(asked, dialect, b"id", made=made) == Engine(0).simulate(asked, dialect, b"id")


def test_what_is_generated_is_no_work_of_this_kind() -> None:
    asked = call("POST", "api.openai.com", "/v1/chat/completions", {**TURN, "model": "gpt-4o"})
    assert Engine(0).work(asked, dialects.of(asked), b"id") is None


@pytest.mark.parametrize(
    ("host", "path", "body", "name"),
    [
        ("api.anthropic.com", "/v1/messages/batches", ANTHROPIC, "/v1/messages/batches/{id}"),
        ("generativelanguage.googleapis.com", "/v1beta/models/m:batchGenerateContent", GEMINI, "/v1beta/{name}"),
    ],
)
def test_a_batch_that_is_cancelled_or_deleted_while_it_works(host: str, path: str, body: JSON, name: str) -> None:
    at = place()
    made = call("POST", host, path, body)
    batch = name.format(**said(dialects.of(made).respond(made, at)))
    look, cancel = call("GET", host, batch), call("POST", host, batch + (":" if "beta" in path else "/") + "cancel")
    pieces.whole(work_of(look, at))
    work = work_of(look, at)
    next(work)
    dialects.of(cancel).respond(cancel, at)
    shown = json.dumps(said(pieces.whole(work)))
    assert "cancel" in shown.lower()
    assert '"succeeded": 3' not in shown
    assert "SUCCEEDED" not in shown


@given(st.lists(VALUES, max_size=4), st.text(max_size=5))
def test_results_of_a_batch_are_spelled_like_all_else(results: list[JSON], display: str) -> None:
    output = {"inlinedResponses": {"inlinedResponses": results}}
    shown = {"name": "n", "metadata": {"displayName": display, "output": output}, "response": output}
    assert pieces.whole(gemini_batches.spelled(shown)) == dumped(shown, indent=True)
