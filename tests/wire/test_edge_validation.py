"""Every validation line of docs/edge-cases.md, in every dialect, as `lenient` answers and as `provider` does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from edge_cases import LINES, Line
from edge_forms import AZURE, COHERE, FORMS, GEMINI, GROQ, MISTRAL, OPENAI, RESPONSES, VERTEX, Form
from serving import Got, ask, serving

from llm_simulator.config.settings import Settings, Validation
from llm_simulator.proxy.server import Server
from llm_simulator.simulator.style import Style
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module", params=[level.value for level in Validation])
def level(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def server(level: str) -> Iterator[Server]:
    settings = Settings(port=0, speed=0, mode=Mode.SIMULATE, validation=Validation(level))
    with serving(settings) as running:
        yield running


def sent(server: Server, form: Form, path: str, body: Any) -> Got:
    return ask(server.base_url, path, body, headers=form.headers)


def outcome(got: Got) -> str:
    warned = got.header("x-llm-simulator-warning") != ""
    return f"{got.status}{'!' if warned else ''}"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_line(line: Line, level: str, server: Server) -> None:
    found: dict[str, str] = {}
    for form in FORMS:
        if not line.outcome(form, level):
            continue
        got = sent(server, form, *line.bend(form))
        assert got.complete
        json.loads(got.body)  # valid UTF-8, valid JSON, whatever came in
        found[form.name] = outcome(got)
        if level == "provider" and (words := line.said.get(form.name)):
            text = " ".join(texts(got.json()))
            assert words in text, (form.name, text)
    assert found == {form.name: line.outcome(form, level) for form in FORMS if line.outcome(form, level)}


def texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)


def test_an_unknown_model_is_told_what_there_is(server: Server) -> None:
    unknown = next(line for line in LINES if line.name == "unknown-model")
    for form in FORMS:
        got = sent(server, form, *unknown.bend(form))
        if got.status >= 400 and form is not AZURE:  # whose deployments have names of the user's own
            assert form.model in json.dumps(got.json()), form.name


@pytest.mark.parametrize("line", [line for line in LINES if line.lenient["*"].startswith("200")], ids=lambda x: x.name)
def test_a_stream_is_answered_like_a_whole(line: Line) -> None:
    """The same outcome, and a stream that ends as one does."""
    with serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        for form in FORMS:
            wanted = line.outcome(form, "lenient")
            path, body = line.bend(form) if wanted else ("", b"")
            if isinstance(body, bytes):
                continue
            streamed, extra = form.streaming
            if form.streamed:
                path = path.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
            assert streamed
            got = sent(server, form, path, {**body, **extra})
            assert (form.name, outcome(got), got.complete) == (form.name, wanted, True)
            if got.status == 200:
                assert got.header("content-type").startswith(("text/event-stream", "application/stream"))
                assert got.body.endswith((b"\n\n", b"\r\n\r\n"))


ECHO = Settings(port=0, speed=0, mode=Mode.SIMULATE, style=Style(text="echo"))


@pytest.mark.parametrize("said", ["a\x00b", "a\ud800b", "\udfff", "\u2028 \ufffe \U0001f9ff"])
def test_what_is_no_text_comes_back_as_valid_json(said: str) -> None:
    """Echoed, whole and streamed: escaped where UTF-8 cannot spell it."""
    with serving(ECHO) as server:
        for form in FORMS:
            whole = sent(server, form, form.path, form.body(said))
            assert said in list(texts(whole.json())), form.name
            path, extra = form.streaming
            stream = sent(server, form, path, form.body(said, **extra))
            assert stream.status == 200
            events = [
                json.loads(line[5:]) for line in stream.body.split(b"\n") if line.startswith((b"data: {", b"data:{"))
            ]
            assert said in "".join(spoken(events)), form.name


def spoken(value: Any) -> Iterator[str]:
    """The words of a stream's events, wherever a dialect has them."""
    if isinstance(value, list):
        for item in value:
            yield from spoken(item)
    for name, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, str) and name in ("text", "content", "delta"):
            yield item
        yield from spoken(item)


def test_a_model_whose_name_is_no_text() -> None:
    with serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        for name, status in (("gpt-4o\x00", 200), ("gpt\ud800", 404), ("\r\nx-evil: 1", 404)):
            got = ask(server.base_url, OPENAI.path, {**OPENAI.body(), "model": name})
            assert (got.status, got.header("x-evil")) == (status, "")
            json.loads(got.body)
        assert ask(server.base_url, "/live").status == 200
        for page in ("/admin/calls", "/admin/summary", "/metrics"):
            assert ask(server.base_url, page).status == 200


CHOICES: list[tuple[Form, str]] = [(OPENAI, "choices"), (AZURE, "choices"), (MISTRAL, "choices"), (GROQ, "choices")]


@pytest.mark.parametrize(("form", "where"), [*CHOICES, (GEMINI, "candidates"), (VERTEX, "candidates")])
def test_as_many_choices_as_were_asked_for(form: Form, where: str, server: Server) -> None:
    line = next(line for line in LINES if line.name == "several-choices")
    got = sent(server, form, *line.bend(form))
    assert [choice.get("index", place) for place, choice in enumerate(got.json()[where])] == [0, 1, 2]


def test_a_stop_sequence_ends_the_text() -> None:
    settings = Settings(port=0, speed=0, mode=Mode.SIMULATE, style=Style(text="fixed", content="one two STOP three"))
    for form in FORMS:
        if form is RESPONSES:  # which have none
            continue
        name = "stop_sequences" if form.name in ("anthropic", "cohere") else "stop"
        inside = form.limit == "maxOutputTokens"
        bent = form.body(generationConfig={"stopSequences": ["STOP"]}) if inside else form.body(**{name: ["STOP"]})
        with serving(settings) as server:
            said = list(texts(sent(server, form, form.path, bent).json()))
        assert any(text.strip() == "one two" for text in said), form.name
        assert not any("three" in text for text in said)


LOGPROBS: list[tuple[Form, tuple[str | int, ...]]] = [
    (OPENAI, ("choices", 0, "logprobs", "content")),
    (AZURE, ("choices", 0, "logprobs", "content")),
    (GEMINI, ("candidates", 0, "logprobsResult", "chosenCandidates")),
    (VERTEX, ("candidates", 0, "logprobsResult", "topCandidates")),
    (COHERE, ("logprobs",)),
]


@pytest.mark.parametrize(("form", "where"), LOGPROBS)
def test_log_probabilities_are_given(form: Form, where: tuple[str | int, ...], server: Server) -> None:
    line = next(line for line in LINES if line.name == "logprobs")
    found = sent(server, form, *line.bend(form)).json()
    for step in where:
        found = found[step]
    assert found


@pytest.mark.parametrize("form", [OPENAI, AZURE, GEMINI, COHERE, GROQ], ids=lambda form: form.name)
def test_a_seed_belongs_to_the_call(form: Form, server: Server) -> None:
    def answered(seed: int) -> bytes:
        inside = form.limit == "maxOutputTokens"
        body = form.body(generationConfig={"seed": seed}) if inside else form.body(seed=seed)
        got = sent(server, form, form.path, body)
        return got.body.replace(got.header("x-request-id").encode() or b"\xff", b"")

    assert answered(3) == answered(3)
    assert answered(3) != answered(4)


def test_of_two_limits_the_newer_one_holds() -> None:
    with serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        body = OPENAI.body("Tell me a long story.", max_tokens=200, max_completion_tokens=3)
        got = sent(server, OPENAI, OPENAI.path, body).json()
    assert (got["usage"]["completion_tokens"], got["choices"][0]["finish_reason"]) == (3, "length")


def test_a_prompt_that_was_cut_leaves_room_for_an_answer() -> None:
    long = next(line for line in LINES if line.name == "very-long-message")
    with serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        got = sent(server, OPENAI, *long.bend(OPENAI))
    usage = got.json()["usage"]
    assert usage["prompt_tokens"] == 8192 - 4096
    assert usage["completion_tokens"] > 1
    assert got.header("x-llm-simulator-warning").startswith("prompt: ")
    assert got.header("x-llm-simulator-warning").endswith("do not fit into the 8192 of gpt-4; cut to 4096")


def test_a_warning_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"), serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        sent(server, OPENAI, OPENAI.path, OPENAI.body(max_tokens=0))
    assert "openai gpt-4o: max_tokens: 0 is below the minimum of 1; taken as not given" in caplog.text


def test_a_forced_tool_with_a_broken_schema_is_called_all_the_same() -> None:
    schemas: list[Any] = [
        {"type": "wizard"},
        {"type": "object", "properties": 5},
        {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"minimum": 5, "maximum": 1, "type": "integer"}}, "required": ["a"]},
        {"$ref": "#"},
    ]
    with serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        for schema in schemas:
            assert OPENAI.tool is not None
            body = {**OPENAI.body(tool_choice="required"), **OPENAI.tool(schema)}
            got = sent(server, OPENAI, OPENAI.path, body)
            assert got.status == 200, (schema, got.body)
            [call] = got.json()["choices"][0]["message"]["tool_calls"]
            json.loads(call["function"]["arguments"])
