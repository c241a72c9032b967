"""The Responses API: how requests are read and checked, what is asked for, how answers are spelled whole and streamed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llm_simulator import dialects
from llm_simulator.dialects import openai_responses_echo as echo
from llm_simulator.dialects.openai_responses import FAMILY
from llm_simulator.dialects.openai_responses_ask import counter
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
SAID = (Text(("Hi", " there", "!")),)
CALLS = (ToolCall("a" * 32, "weather", ('{"city":', '"Ulm"}')), ToolCall("b" * 32, "clock", ("{}",)))
TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def asking(host: str = "api.openai.com", path: str = "/v1/responses", method: str = "POST", **fields: JSON) -> Call:
    body = {"model": "gpt-4o", "input": "Hello!", **fields}
    return dialects.read(RawRequest(method, path, host, body=json.dumps(body).encode()))


def said(*parts: Part, finish: Finish = Finish.STOP, usage: Usage = Usage(9, 3)) -> Completion:  # noqa: B008  frozen
    return Completion(ID, 1_780_000_000, "gpt-4o", (Choice(parts, finish),), usage)


def whole(completion: Completion, call: Call) -> JSON:
    reply = dialects.of(call).write(completion, call)
    assert isinstance(reply.body, bytes)
    Response.model_validate_json(reply.body)
    return json.loads(reply.body)


def events(completion: Completion, call: Call) -> list[JSON]:
    """The data of each event, each of which the SDK's own types accept."""
    reply = dialects.of(call).write(completion, call)
    assert not isinstance(reply.body, bytes)
    made: list[JSON] = []
    for frame in reply.body:
        first, second, *rest = frame.data.decode().split("\n")
        data = json.loads(second.removeprefix("data: "))
        assert (first, rest) == (f"event: {data['type']}", ["", ""])
        made.append(data)
    assert [data["sequence_number"] for data in made] == list(range(len(made)))
    return made


def kinds(made: list[JSON]) -> list[str]:
    """The kinds in order, repetitions as one."""
    names = [data["type"].removeprefix("response.") for data in made]
    return [name for place, name in enumerate(names) if not place or names[place - 1] != name]


@pytest.mark.parametrize(
    ("host", "method", "path", "provider", "operation"),
    [
        ("api.openai.com", "POST", "/v1/responses", "openai", "responses.create"),
        ("api.openai.com", "GET", "/v1/responses/resp_1", "openai", "responses.retrieve"),
        ("api.openai.com", "DELETE", "/v1/responses/resp_1", "openai", "responses.delete"),
        ("api.openai.com", "POST", "/v1/responses/resp_1/cancel", "openai", "responses.cancel"),
        ("api.openai.com", "GET", "/v1/responses/resp_1/input_items", "openai", "responses.input_items"),
        ("api.openai.com", "POST", "/v1/responses/input_tokens", "openai", "responses.input_tokens"),
        ("api.openai.com", "POST", "/v1/responses/compact", "openai", "responses.compact"),
        ("api.openai.com", "GET", "/v1/responses", "openai", "unknown"),
        ("api.openai.com", "PUT", "/v1/responses/resp_1", "openai", "unknown"),
        ("x.openai.azure.com", "POST", "/openai/responses", "azure", "responses.create"),
        ("x.openai.azure.com", "POST", "/openai/v1/responses", "azure", "responses.create"),
        ("x.openai.azure.com", "GET", "/openai/responses/resp_1", "azure", "responses.retrieve"),
        ("openrouter.ai", "POST", "/api/v1/responses", "openrouter", "responses.create"),
        ("api.groq.com", "POST", "/openai/v1/responses", "groq", "responses.create"),
        ("", "POST", "/v1/responses", "openai", "responses.create"),
    ],
)
def test_read(host: str, method: str, path: str, provider: str, operation: str) -> None:
    call = asking(host, path, method)
    assert (call.provider, call.family, call.operation) == (provider, FAMILY, operation)


@pytest.mark.parametrize("path", ["/v1/responses/resp_1/events", "/v1/my/responses", "/v1/responses/a/b/c"])
def test_other_paths_are_not_ours(path: str) -> None:
    assert asking(path=path).family == "opaque"


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": None}, "model", "Missing required parameter: 'model'."),
        ({"input": None}, "input", "Missing required parameter: 'input'."),
        (
            {"input": 7},
            "input",
            "Invalid type for 'input': expected one of a string or array of objects, but got an integer instead.",
        ),
        (
            {"max_output_tokens": "x"},
            "max_output_tokens",
            "Invalid type for 'max_output_tokens': expected an integer, but got a string instead.",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "Missing required parameter: 'tools[0].name'."),
        ({"input": [{"role": "user"}]}, "input[0].content", "Missing required parameter: 'input[0].content'."),
        (
            {"input": [{"type": "function_call_output", "output": ""}]},
            "input[0].call_id",
            "Missing required parameter: 'input[0].call_id'.",
        ),
        (
            {"text": {"format": {"type": "json_schema", "schema": {}}}},
            "text.format.name",
            "Missing required parameter: 'text.format.name'.",
        ),
    ],
)
def test_broken_requests(fields: dict[str, JSON], param: str, message: str) -> None:
    call = asking(**fields)
    found = dialects.of(call).check(call)
    assert found is not None
    assert (found.status, found.param, found.message) == (400, param, message)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"input": [], "previous_response_id": "resp_1"},
        {"input": None, "previous_response_id": "resp_1"},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
        {"max_output_tokens": 1, "anything": {"else": 1}, "store": None},
        {"tools": [{"type": "web_search"}, TOOL], "tool_choice": {"type": "web_search"}},
    ],
)
def test_fine_requests(fields: dict[str, JSON]) -> None:
    call = asking(**fields)
    assert dialects.of(call).check(call) is None


def test_previous_response_and_conversation_exclude_each_other() -> None:
    call = asking(previous_response_id="resp_1", conversation="conv_1")
    found = dialects.of(call).check(call)
    assert found is not None
    assert found.code == "mutually_exclusive_parameters"


@pytest.mark.parametrize(
    ("fields", "choice", "tools", "schema"),
    [
        ({"tools": [TOOL]}, "auto", ["weather"], None),
        ({"tools": [TOOL], "tool_choice": "required"}, "required", ["weather"], None),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "weather"}}, "weather", ["weather"], None),
        (
            {
                "tools": [TOOL, {**TOOL, "name": "clock"}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "clock"}],
                },
            },
            "required",
            ["clock"],
            None,
        ),
        ({"tools": [{"type": "web_search"}]}, "auto", [], None),
        ({"text": {"format": {"type": "json_object"}}}, "auto", [], {}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}},
            "auto",
            [],
            {"type": "object"},
        ),
    ],
)
def test_asked_for(fields: dict[str, JSON], choice: str, tools: list[str], schema: JSON) -> None:
    call = asking(**fields)
    ask = dialects.of(call).ask(call)
    assert (ask.tool_choice, [tool.name for tool in ask.tools], ask.schema) == (choice, tools, schema)


def test_turns() -> None:
    call = asking(
        instructions="Be kind",
        input=[
            {"role": "developer", "content": "Be short"},
            {"role": "user", "content": [{"type": "input_text", "text": "Ulm?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "sunny"},
        ],
    )
    turns = [(turn.role, turn.text, turn.tool_calls) for turn in dialects.of(call).ask(call).turns]
    assert turns == [
        ("system", "Be kind", 0),
        ("system", "Be short", 0),
        ("user", "Ulm?", 0),
        ("assistant", "", 1),
        ("tool", "sunny", 0),
    ]


@pytest.mark.parametrize(
    ("asked", "limit", "warned"),
    [
        (None, None, False),
        (100, 100, False),
        (5, 5, True),
        (0, None, True),
        (10**6, 16_384, True),
    ],
)
def test_limits(asked: int | None, limit: int | None, warned: bool) -> None:
    call = asking(max_output_tokens=asked)
    ask = dialects.of(call).ask(call)
    assert (ask.max_tokens, bool(ask.warnings)) == (limit, warned)


@pytest.mark.parametrize(
    ("choice", "fields", "tokens"),
    [
        (Choice(SAID, Finish.STOP), {}, 4),
        (Choice(SAID, Finish.STOP), {"tools": [TOOL]}, 5),
        (Choice(SAID, Finish.LENGTH), {"max_output_tokens": 16}, 16),
        (Choice((Reasoning(("x",) * 16),), Finish.LENGTH), {"max_output_tokens": 16}, 16),
    ],
)
def test_what_is_billed(choice: Choice, fields: dict[str, JSON], tokens: int) -> None:
    call = asking(**fields)
    assert counter(call.body, call.model)(choice).tokens == tokens


def test_a_text() -> None:
    made = whole(said(*SAID), asking(metadata={"a": "b"}, temperature=0, instructions="Be kind"))
    assert list(made)[:5] == ["id", "object", "created_at", "status", "background"]
    assert list(made)[-3:] == ["usage", "user", "metadata"]
    between = [
        name for name in made if name not in ("id", "object", "created_at", "status", "usage", "user", "metadata")
    ]
    assert between == sorted(between)
    assert made["model"] == "gpt-4o-2024-08-06"
    assert made["id"].startswith("resp_0")
    assert len(made["id"]) == len("resp_") + 50
    assert (made["status"], made["temperature"], made["metadata"]) == ("completed", 0.0, {"a": "b"})
    [message] = made["output"]
    assert list(message) == ["id", "type", "status", "content", "role"]
    assert message["content"] == [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi there!"}]
    assert made["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }


def test_whole_bodies_are_indented_ascii() -> None:
    reply = dialects.of(asking()).write(said(Text(("72°F", " 🙂", "\u2028"))), asking())
    assert isinstance(reply.body, bytes)
    assert reply.body.startswith(b'{\n  "id": "resp_')
    assert b"72\\u00b0F \\ud83d\\ude42\\u2028" in reply.body
    assert reply.body.endswith(b'"metadata": {}\n}')
    assert json.dumps(json.loads(reply.body), indent=2).encode() == reply.body


def test_stream_of_a_text() -> None:
    made = events(said(*SAID), asking(stream=True))
    assert kinds(made) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    for data in made:
        EVENT.validate_python(data)
    delta = made[4]
    assert list(delta) == [
        "type",
        "content_index",
        "delta",
        "item_id",
        "logprobs",
        "obfuscation",
        "output_index",
        "sequence_number",
    ]
    assert [data["delta"] for data in made if data["type"].endswith("text.delta")] == ["Hi", " there", "!"]
    assert all((len(data["delta"]) + len(data["obfuscation"])) % 16 == 0 for data in made if "delta" in data)
    created, completed = made[0]["response"], made[-1]["response"]
    assert (created["status"], created["usage"], created["output"]) == ("in_progress", None, [])
    assert (created["service_tier"], completed["service_tier"]) == ("auto", "default")
    assert "billing" not in completed
    body = whole(said(*SAID), asking())
    del body["billing"]
    assert completed == body


def test_no_obfuscation_where_it_is_not_wanted() -> None:
    made = events(said(*SAID), asking(stream=True, stream_options={"include_obfuscation": False}))
    assert not any("obfuscation" in data for data in made)


def test_stream_of_calls() -> None:
    made = events(said(*CALLS, finish=Finish.TOOL_CALLS), asking(stream=True, tools=[TOOL]))
    one = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
    assert kinds(made) == ["created", "in_progress", *one, *one, "completed"]
    added = [data["item"] for data in made if data["type"] == "response.output_item.added"]
    assert [(item["name"], item["arguments"], item["status"]) for item in added] == [
        ("weather", "", "in_progress"),
        ("clock", "", "in_progress"),
    ]
    assert len({item["id"] for item in added} | {item["call_id"] for item in added}) == 4
    first = made[-1]["response"]["output"][0]
    assert list(first) == ["id", "type", "status", "arguments", "call_id", "name"]
    assert first["arguments"] == '{"city":"Ulm"}'
    assert made[-1]["response"]["tools"][0]["strict"] is True


THOUGHTS = (
    *(f"w{n} " for n in range(200)),
    "end.\n\n",
    *(f"x{n} " for n in range(300)),
    "end.\n\n",
    "More",
    " thought",
)


@pytest.mark.parametrize("shown", [True, False])
def test_stream_of_reasoning(shown: bool) -> None:
    call = asking(model="o4-mini", stream=True, reasoning={"summary": "auto"} if shown else {})
    completion = said(Reasoning(THOUGHTS), *SAID, usage=Usage(9, 70, reasoning=64))
    made = events(completion, call)
    for data in made:
        EVENT.validate_python(data)
    part = ["reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done"]
    summary = (*part, "reasoning_summary_part.done") * 2 if shown else ()
    assert kinds(made)[2 : 4 + len(summary)] == ["output_item.added", *summary, "output_item.done"]
    item = made[-1]["response"]["output"][0]
    assert list(item) == ["id", "type", "content", "encrypted_content", "summary"]
    assert [part["text"][:12] for part in item["summary"]] == (["**W0 w1 w2**", "**X0 x1 x2**"] if shown else [])
    assert len(item["summary"]) == 2 * shown
    assert item["encrypted_content"].startswith("gAAAAABq")
    assert made[-1]["response"]["reasoning"]["summary"] == ("detailed" if shown else None)
    assert made[-1]["response"]["usage"]["output_tokens_details"] == {"reasoning_tokens": 64}
    reply = dialects.of(call).write(completion, call)
    assert not isinstance(reply.body, bytes)
    tokens = [frame.token for frame in reply.body]
    assert tokens == sorted(tokens)
    assert tokens[-1] == len(THOUGHTS) + len(SAID[0].tokens) - 1


def test_labelled_in_the_body() -> None:
    made = whole(replace(said(*SAID), labelled=True), asking())
    assert made["id"].startswith("resp_sim_0")
    assert made["model"] == "gpt-4o-2024-08-06-simulated"


@pytest.mark.parametrize(
    ("fields", "top"),
    [
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 3}, 3),
    ],
)
def test_log_probabilities(fields: dict[str, JSON], top: int) -> None:
    made = events(said(*SAID), asking(stream=True, **fields))
    whole_text = made[-1]["response"]["output"][0]["content"][0]["logprobs"]
    assert [one["token"] for one in whole_text] == list(SAID[0].tokens)
    assert {len(one["top_logprobs"]) for one in whole_text} == {top}
    deltas = [one for data in made if data["type"].endswith("text.delta") for one in data["logprobs"]]
    assert deltas == whole_text
    assert all(one["logprob"] <= 0 for one in whole_text)


def test_a_custom_tool_takes_plain_text() -> None:
    custom = {"type": "custom", "name": "shell"}
    call = asking(stream=True, tools=[custom], tool_choice={"type": "custom", "name": "shell"})
    ask = dialects.of(call).ask(call)
    assert ([(tool.name, tool.kind) for tool in ask.tools], ask.tool_choice) == ([("shell", "custom")], "shell")
    made = events(said(ToolCall("", "shell", ("ls", " -l"), {"type": "custom"}), finish=Finish.TOOL_CALLS), call)
    for data in made:
        EVENT.validate_python(data)
    assert kinds(made)[3:5] == ["custom_tool_call_input.delta", "custom_tool_call_input.done"]
    assert made[-1]["response"]["output"][0]["input"] == "ls -l"


def test_a_refusal() -> None:
    made = events(said(Text(("I", " cannot"), extra={"type": "refusal"})), asking(stream=True))
    for data in made:
        EVENT.validate_python(data)
    assert kinds(made)[3:7] == ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]
    assert made[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot"}]
    [choice] = said(Text(("I", " cannot"), extra={"type": "refusal"})).choices
    assert counter({}, "gpt-4o")(choice).tokens == 3


@pytest.mark.parametrize(
    ("finish", "reason"), [(Finish.LENGTH, "max_output_tokens"), (Finish.CONTENT_FILTER, "content_filter")]
)
def test_incomplete(finish: Finish, reason: str) -> None:
    made = events(said(*SAID, finish=finish), asking(stream=True))
    assert made[-1]["type"] == "response.incomplete"
    last = made[-1]["response"]
    assert (last["status"], last["incomplete_details"], last["completed_at"]) == (
        "incomplete",
        {"reason": reason},
        None,
    )
    assert last["output"][0]["status"] == "incomplete"


def test_in_the_background() -> None:
    assert whole(said(*SAID), asking(background=True))["status"] == "queued"
    made = events(said(*SAID), asking(background=True, stream=True))
    assert [(data["type"], data["response"]["status"]) for data in made[:3]] == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]
    assert made[-1]["response"]["status"] == "completed"


def test_a_web_search_comes_before_the_text() -> None:
    made = events(said(*SAID), asking(stream=True, input="News of today?", tools=[{"type": "web_search_preview"}]))
    for data in made:
        EVENT.validate_python(data)
    steps = ["web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed"]
    assert kinds(made)[2:7] == ["output_item.added", *steps, "output_item.done"]
    assert "output_text.annotation.added" in kinds(made)
    response = made[-1]["response"]
    assert response["output"][0]["action"]["query"] == "News of today?"
    assert response["output"][1]["content"][0]["annotations"][0]["type"] == "url_citation"
    assert response["tool_usage"]["web_search"] == {"num_requests": 1}
    assert response["tools"][0]["search_context_size"] == "medium"


@pytest.mark.parametrize(
    ("kind", "steps", "citation"),
    [
        ("file_search", ["in_progress", "searching", "completed"], "file_citation"),
        (
            "code_interpreter",
            ["in_progress", "code.delta", "code.done", "interpreting", "completed"],
            "",
        ),
        ("image_generation", ["in_progress", "generating", "completed"], ""),
    ],
)
def test_other_hosted_tools(kind: str, steps: list[str], citation: str) -> None:
    included = ["file_search_call.results", "code_interpreter_call.outputs"]
    needs: dict[str, dict[str, JSON]] = {
        "file_search": {"vector_store_ids": ["vs_1"]},
        "code_interpreter": {"container": {"type": "auto"}},
    }
    tool = {"type": kind, **needs.get(kind, {})}
    call = asking(stream=True, include=included, tools=[tool], tool_choice={"type": kind})
    made = events(said(*SAID), call)
    for data in made:
        EVENT.validate_python(data)
    events_of_it = [name.removeprefix(f"{kind}_call").lstrip("._") for name in kinds(made) if name.startswith(kind)]
    assert events_of_it == steps
    used, message = made[-1]["response"]["output"]
    assert used["type"] == f"{kind}_call"
    assert [found["type"] for found in message["content"][0]["annotations"]] == ([citation] if citation else [])
    assert not dialects.of(call).ask(call).warnings


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        {"tools": [{"type": "web_search"}], "tool_choice": "none"},
        {"tools": [{"type": "web_search"}, TOOL], "tool_choice": {"type": "function", "name": "weather"}},
    ],
)
def test_hosted_tools_that_are_not_used(fields: dict[str, JSON]) -> None:
    assert len(whole(said(*SAID), asking(**fields))["output"]) == 1


def test_azure_tells_what_its_filter_found() -> None:
    call = asking("x.openai.azure.com", "/openai/responses", model="my-gpt")
    made = whole(said(*SAID), call)
    assert [found["source_type"] for found in made["content_filters"]] == ["prompt", "completion"]
    assert "billing" not in made
    assert made["model"] == "my-gpt"
    headers = dialects.of(call).write(said(*SAID), call).headers
    assert header(headers, "apim-request-id")
    assert not header(headers, "openai-version")


@pytest.mark.parametrize(
    ("model", "asked", "echoed"),
    [
        ("gpt-4o", {}, {"context": None, "effort": None, "summary": None}),
        ("o4-mini", {}, {"context": "current_turn", "effort": "medium", "mode": "standard", "summary": None}),
        ("gpt-5-mini", {"summary": "auto"}, {"effort": "medium", "summary": "detailed"}),
        ("gpt-5.1", {}, {"effort": "none"}),
        ("gpt-5.4", {"effort": "low", "summary": "concise"}, {"effort": "low", "summary": "concise"}),
    ],
)
def test_reasoning_is_repeated(model: str, asked: JSON, echoed: dict[str, JSON]) -> None:
    assert echoed.items() <= echo.reasoning({"reasoning": asked}, model).items()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {}, "b": {}}}},
            {
                "type": "function",
                "description": None,
                "name": "f",
                "parameters": {
                    "type": "object",
                    "properties": {"a": {}, "b": {}},
                    "required": ["a", "b"],
                    "additionalProperties": False,
                },
                "strict": True,
            },
        ),
        (
            {"name": "f", "parameters": {"type": "object"}, "strict": False, "type": "function", "description": "d"},
            {"type": "function", "description": "d", "name": "f", "parameters": {"type": "object"}, "strict": False},
        ),
        (
            {"type": "custom", "name": "c"},
            {"type": "custom", "format": {"type": "text"}, "name": "c"},
        ),
        ({"type": "mcp", "server_label": "s"}, {"type": "mcp", "server_label": "s"}),
    ],
)
def test_tools_are_repeated(given: dict[str, JSON], shown: dict[str, JSON]) -> None:
    made = echo.tool(given)
    assert made == shown
    assert list(made) == list(shown)


def test_a_schema_is_made_strict_all_the_way_down() -> None:
    inner = {"type": "object", "properties": {"x": {"enum": [{"type": "object", "properties": {}}]}}}
    made = echo.strict(
        {"type": "object", "properties": {"a": {"type": "array", "items": inner}}, "$defs": {"d": inner}}
    )
    closed = {**inner, "required": ["x"], "additionalProperties": False}
    assert made["properties"]["a"]["items"] == made["$defs"]["d"] == closed


def test_headers() -> None:
    call = asking()
    reply = dialects.of(call).write(said(*SAID), call)
    assert header(reply.headers, "content-type") == "application/json"
    assert header(reply.headers, "x-ratelimit-reset-requests") == "2ms"
    assert header(reply.headers, "x-request-id").startswith("req_")
    streamed = asking(stream=True)
    assert header(dialects.of(streamed).write(said(*SAID), streamed).headers, "content-type") == (
        "text/event-stream; charset=utf-8"
    )


def test_refusals_are_those_of_the_provider() -> None:
    condition = Condition("missing_parameter", 400, "Missing", "input", type="invalid_request_error")
    for host, path in (("api.openai.com", "/v1/responses"), ("x.openai.azure.com", "/openai/responses")):
        reply = dialects.of(asking(host, path)).refuse(condition, asking(host, path))
        assert isinstance(reply.body, bytes)
        assert (reply.status, json.loads(reply.body)["error"]["param"]) == (400, "input")


_TEXTS = st.lists(st.text(min_size=1, max_size=8), max_size=6).map(tuple)
_PARTS = st.lists(
    st.one_of(
        _TEXTS.map(lambda tokens: Text(tokens)),
        _TEXTS.map(lambda tokens: ToolCall("", "tool", tokens)),
        _TEXTS.map(lambda tokens: Reasoning(tokens)),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(_PARTS, st.booleans())
def test_what_is_written_reads_back(parts: tuple[Part, ...], streamed: bool) -> None:
    call = asking(model="gpt-5", stream=streamed, reasoning={"summary": "auto"})
    dialect = dialects.of(call)
    reply = dialect.write(said(*parts), call)
    body = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
    found = dialect.parse(200, (), body, call)
    assert found is not None
    texts = ["".join(part.tokens) for part in parts if isinstance(part, Text)]
    calls = ["".join(part.arguments) for part in parts if isinstance(part, ToolCall)]
    read = found.choices[0].parts
    assert ["".join(part.tokens) for part in read if isinstance(part, Text)] == texts
    assert ["".join(part.arguments) for part in read if isinstance(part, ToolCall)] == calls
    assert dialect.usage(200, (), body, call) == replace(Usage(9, 3), raw=found.usage.raw)
    for twin in dialect.twins(call):
        again = dialect.write(found, twin)
        other = again.body if isinstance(again.body, bytes) else b"".join(frame.data for frame in again.body)
        back = dialect.parse(200, (), other, twin)
        assert back is not None
        assert back.choices[0].extra["response"]["output"] == found.choices[0].extra["response"]["output"]


def test_a_cut_stream_reads_as_far_as_it_came() -> None:
    call = asking(stream=True)
    dialect = dialects.of(call)
    reply = dialect.write(said(*SAID), call)
    assert not isinstance(reply.body, bytes)
    frames = list(reply.body)
    found = dialect.parse(200, (), b"".join(frame.data for frame in frames[:-1]), call)
    assert found is not None
    assert [part.tokens for part in found.choices[0].parts if isinstance(part, Text)] == [("Hi", " there", "!")]
    assert not found.usage.exact
    assert dialect.usage(200, (), frames[0].data, call) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"<html>", b'{"error": {}}', b"data: [DONE]\n\n", b"data: 7\n\n"])
def test_no_response_reads_as_none(body: bytes) -> None:
    call = asking()
    assert dialects.of(call).parse(200, (), body, call) is None
    assert dialects.of(call).usage(200, (), body, call) is None


def test_twins() -> None:
    call = asking()
    [twin] = dialects.of(call).twins(call)
    assert (twin.stream, json.loads(twin.raw.body)["stream"]) == (True, True)
    assert [json.loads(one.raw.body).get("stream") for one in dialects.of(twin).twins(twin)] == [None, False]
