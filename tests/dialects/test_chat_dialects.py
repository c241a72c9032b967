"""The three dialects together: what is written is read back the same, in every form, whatever the text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from asking import frames, joined, read
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator import dialects
from llm_simulator.dialects.anthropic_messages import DIALECT as ANTHROPIC
from llm_simulator.dialects.base import Dialect
from llm_simulator.dialects.cohere_chat import DIALECT as COHERE
from llm_simulator.dialects.gemini_generate import DIALECT as GEMINI
from llm_simulator.dialects.gemini_generate import VERTEX
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Condition,
    Finish,
    Part,
    RawRequest,
    Reasoning,
    Text,
    ToolCall,
    Usage,
    header,
)

ID = "0123456789abcdef" * 2
ANTHROPIC_BODY = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
GEMINI_BODY = {
    "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
    "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
}
COHERE_BODY = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hi"}]}
VERTEX_PATH = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"


def ask(dialect: Dialect, path: str, body: JSON, query: str = "") -> Call:
    return read(dialect, path, body, query=query)


CALLS: dict[str, tuple[Dialect, Call]] = {
    "anthropic": (ANTHROPIC, ask(ANTHROPIC, "/v1/messages", ANTHROPIC_BODY)),
    "gemini": (GEMINI, ask(GEMINI, "/v1beta/models/gemini-2.5-flash:generateContent", GEMINI_BODY)),
    "gemini-3": (GEMINI, ask(GEMINI, "/v1/models/gemini-3-pro:generateContent", GEMINI_BODY, "key=k")),
    "vertex": (VERTEX, ask(VERTEX, VERTEX_PATH, GEMINI_BODY, "$alt=json%3Benum-encoding%3Dint")),
    "cohere": (COHERE, ask(COHERE, "/v2/chat", COHERE_BODY)),
}
EVERY: list[tuple[str, Dialect, Call]] = [
    (f"{name}-{number}", dialect, form)
    for name, (dialect, call) in CALLS.items()
    for number, form in enumerate((call, *dialect.twins(call)))
]
FORMS = [pytest.param(dialect, form, id=name) for name, dialect, form in EVERY]
STREAMS = [pytest.param(dialect, form, id=name) for name, dialect, form in EVERY if form.stream]


def read_back(dialect: Dialect, completion: Completion, call: Call) -> Completion:
    reply = dialect.write(completion, call)
    found = dialect.parse(reply.status, reply.headers, joined(reply), call)
    assert found
    return found


def shown(parts: Iterable[Part]) -> list[tuple[str, ...]]:
    """Parts without the cuts between their tokens, arguments as values."""
    return [
        (part.name, json.dumps(json.loads("".join(part.arguments) or "{}"), sort_keys=True))
        if isinstance(part, ToolCall)
        else (type(part).__name__, "".join(part.tokens))
        for part in parts
    ]


def completion(*parts: Part, finish: Finish = Finish.STOP, usage: Usage | None = None) -> Completion:
    return Completion(ID, 1_780_000_000, "m", (Choice(parts, finish),), usage or Usage(7, 11, 3, 2))


TOKENS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), min_size=1, max_size=40)


@pytest.mark.parametrize(("dialect", "call"), FORMS)
@settings(max_examples=8, deadline=None)
@given(TOKENS)
def test_any_text_survives(dialect: Dialect, call: Call, tokens: list[str]) -> None:
    found = read_back(dialect, completion(Text(tuple(tokens))), call)
    assert shown(found.choices[0].parts) == [("Text", "".join(tokens))]
    assert (found.choices[0].finish, found.usage.prompt, found.usage.completion) == (Finish.STOP, 7, 11)


@pytest.mark.parametrize(("dialect", "call"), FORMS)
def test_lone_surrogates_are_escaped(dialect: Dialect, call: Call) -> None:
    found = read_back(dialect, completion(Text(("a", "\ud800", "b"))), call)
    assert shown(found.choices[0].parts) == [("Text", "a\ud800b")]


@pytest.mark.parametrize(("dialect", "call"), FORMS)
def test_thinking_and_tools_survive(dialect: Dialect, call: Call) -> None:
    parts = (
        Reasoning(("Let ", "me ", "see")),
        Text(("I look ", "it up.",)),
        ToolCall("a" * 32, "weather", ('{"city":', ' "Ulm"', "}")),
        ToolCall("b" * 32, "clock", ("{}",)),
    )  # fmt: skip
    found = read_back(dialect, completion(*parts, finish=Finish.TOOL_CALLS), call)
    assert shown(found.choices[0].parts) == shown(parts)
    assert found.choices[0].finish is Finish.TOOL_CALLS
    assert (found.usage.cached, found.usage.total) == (3, 18)


@pytest.mark.parametrize(("dialect", "call"), FORMS)
@pytest.mark.parametrize("finish", [Finish.STOP, Finish.LENGTH, Finish.CONTENT_FILTER])
def test_finish_survives(dialect: Dialect, call: Call, finish: Finish) -> None:
    assert read_back(dialect, completion(Text(("x",)), finish=finish), call).choices[0].finish is finish


@pytest.mark.parametrize(("dialect", "call"), FORMS)
def test_nothing_said(dialect: Dialect, call: Call) -> None:
    found = read_back(dialect, completion(usage=Usage(7, 0)), call)
    assert [part for part in found.choices[0].parts if shown([part])[0][1]] == []


@pytest.mark.parametrize(("dialect", "call"), FORMS)
def test_same_input_same_bytes_and_ids_in_every_form(dialect: Dialect, call: Call) -> None:
    said = completion(Text(("a", "b")))
    assert joined(dialect.write(said, call)) == joined(dialect.write(said, call))
    first = CALLS[next(name for name, (known, _) in CALLS.items() if known is dialect)][1]
    assert read_back(dialect, said, call).id == read_back(dialect, said, first).id


@pytest.mark.parametrize(("dialect", "call"), FORMS)
def test_recorded_id_stays(dialect: Dialect, call: Call) -> None:
    assert read_back(dialect, replace(completion(Text(("a",))), id="msg_01Recorded"), call).id == "msg_01Recorded"


@pytest.mark.parametrize(("dialect", "call"), STREAMS)
def test_frames_are_due_in_order_and_lazy(dialect: Dialect, call: Call) -> None:
    tokens = tuple(f"word{number} " for number in range(60))
    made = frames(dialect.write(completion(Text(tokens), ToolCall("c" * 32, "f", ("{", "}"))), call))
    due = [frame.token for frame in made]
    assert due == sorted(due)
    assert (due[0], due[-1]) == (0, 61)
    assert not isinstance(dialect.write(completion(Text(tokens)), call).body, list)


@pytest.mark.parametrize(("name", "twins"), [("anthropic", 1), ("gemini", 2), ("vertex", 2), ("cohere", 1)])
def test_twins_of_a_whole_answer(name: str, twins: int) -> None:
    dialect, call = CALLS[name]
    found = dialect.twins(call)
    assert [twin.stream for twin in found] == [True] * twins
    assert all(dialect.read(twin.raw, dialect.provider) == twin for twin in found)
    assert call.body in [back.body for back in dialect.twins(found[0]) if not back.stream]


@pytest.mark.parametrize("name", CALLS)
def test_no_twins_of_what_is_broken_or_no_chat(name: str) -> None:
    dialect, call = CALLS[name]
    broken = dialect.read(replace(call.raw, body=b"{"), dialect.provider)
    assert broken
    assert broken.problem
    assert dialect.twins(broken) == () or dialect in (GEMINI, VERTEX)
    assert dialect.twins(replace(call, operation="models.list")) == ()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>", b"[]", b"{}", b"null", b'{"error":{}}', b"data: {\n\n", b"\xff"]
)
def test_what_is_no_answer_parses_as_none(name: str, body: bytes) -> None:
    dialect, call = CALLS[name]
    assert dialect.parse(200, (), body, call) is None
    assert dialect.usage(200, (), body, call) is None


@pytest.mark.parametrize("name", CALLS)
def test_an_error_status_parses_as_none(name: str) -> None:
    dialect, call = CALLS[name]
    assert dialect.parse(500, (), joined(dialect.write(completion(Text(("a",))), call)), call) is None


@pytest.mark.parametrize("name", CALLS)
def test_usage_of_a_written_answer(name: str) -> None:
    dialect, call = CALLS[name]
    for form in (call, *dialect.twins(call)):
        reply = dialect.write(completion(Text(("a", "b"))), form)
        usage = dialect.usage(200, reply.headers, joined(reply), form)
        assert usage
        assert (usage.prompt, usage.completion, usage.exact) == (7, 11, True)


@pytest.mark.parametrize("name", CALLS)
def test_other_providers_and_paths_are_not_ours(name: str) -> None:
    dialect, call = CALLS[name]
    assert dialect.read(call.raw, "openai") is None
    assert dialect.read(replace(call.raw, path="/v1/unknown"), dialect.provider) is None
    assert dialect.read(replace(call.raw, method="DELETE"), dialect.provider) is None


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("retry", "shown"), [(None, ""), (False, "false"), (True, "true")])
def test_retry_advice(name: str, retry: bool | None, shown: str) -> None:
    dialect, call = CALLS[name]
    reply = dialect.refuse(Condition("x", 429, "Slow down.", retry=retry, headers=(("x-own", "1"),)), call)
    assert header(reply.headers, "x-should-retry") == shown
    assert header(reply.headers, "x-own") == "1"


@pytest.mark.parametrize("name", CALLS)
def test_the_registry_finds_them_by_bare_path_and_by_host(name: str) -> None:
    dialect, call = CALLS[name]
    for host in ("", dialects.PROVIDER_HOSTS[dialect.provider]):
        found = dialects.read(replace(call.raw, host=host))
        assert (found.provider, found.family, found.model) == (call.provider, call.family, call.model)
        assert dialects.of(found) is dialect


@pytest.mark.parametrize(
    ("provider", "header_name", "dialect"),
    [("anthropic", "anthropic-version", ANTHROPIC), ("gemini", "x-goog-api-key", GEMINI), ("cohere", "", COHERE)],
)
def test_the_registry_tells_model_lists_apart(provider: str, header_name: str, dialect: Dialect) -> None:
    headers = ((header_name, "x"),) if header_name else (("user-agent", "cohere/7.3.1"),)
    found = dialects.read(RawRequest("GET", "/v1/models", headers=headers))
    assert (found.provider, found.family, found.operation) == (provider, "models", "models.list")
    assert dialects.of(found) is dialect


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = {
    "anthropic": "model messages max_tokens system tools tool_choice stop_sequences thinking output_config role",
    "gemini": "contents parts text role tools generationConfig systemInstruction toolConfig functionDeclarations",
    "cohere": "model messages tools documents response_format stop_sequences tool_choice max_tokens content role",
}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_body_is_refused_or_asked_but_never_raises(name: str, data: st.DataObject) -> None:
    dialect, call = CALLS[name]
    names = st.sampled_from(NAMES[name].split())
    inner = JSONS | st.lists(st.dictionaries(names, JSONS, max_size=3), max_size=2)
    changes = data.draw(st.dictionaries(names, inner, max_size=4))
    raw = replace(call.raw, body=json.dumps({**call.body, **changes}).encode())
    changed = dialect.read(raw, dialect.provider)
    assert changed
    refused = dialect.check(changed)
    if refused:
        assert refused.status == 400
        assert dialect.refuse(refused, changed).status == 400
    else:
        assert dialect.ask(changed).prompt_tokens >= 1
