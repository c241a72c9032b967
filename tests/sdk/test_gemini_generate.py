"""Gemini and Vertex AI on the wire: bodies, chunks, errors and models as the API spells them, valid to its own SDK."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from asking import completed, data, frames, read
from desks import desk
from google.genai import types as sdk

from llm_simulator.dialects.base import Tool, Turn
from llm_simulator.dialects.gemini_ask import json_schema
from llm_simulator.dialects.gemini_generate import DIALECT, VERTEX, GeminiGenerate
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
    Reply,
    Text,
    ToolCall,
    Usage,
    header,
)

CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
BODY = {"contents": CONTENTS}
FLASH = "/v1beta/models/gemini-2.5-flash:"
ON_VERTEX = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro:"


def ask(body: JSON = BODY, path: str = FLASH + "generateContent", query: str = "") -> Call:
    return read(VERTEX if "publishers" in path else DIALECT, path, body, query=query)


SSE = ask(path=FLASH + "streamGenerateContent", query="alt=sse")
ARRAY = ask(path=FLASH + "streamGenerateContent")
THOUGHTFUL = ask(
    {**BODY, "generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
    FLASH + "streamGenerateContent",
    "alt=sse",
)


def said(*parts: Part, finish: Finish = Finish.STOP, model: str = "gemini-2.5-flash") -> Completion:
    return completed(*parts, model=model, finish=finish, usage=Usage(12, 9, 2, 4))


def chunks(completion: Completion, call: Call = SSE, dialect: GeminiGenerate = DIALECT) -> list[JSON]:
    return [json.loads(frame.data.removeprefix(b"data: ")) for frame in frames(dialect.write(completion, call))]


ALL = (Reasoning(("Hm", "m")), Text(("It ", "is.")), ToolCall("cd" * 16, "weather", ('{"city"', ':"Ulm"}')))


def test_a_whole_answer() -> None:
    reply = DIALECT.write(said(Text(("It <is>",))), ask())
    body = data(reply).decode()
    response = json.loads(body)["responseId"]
    assert len(response) == 23
    assert body == (
        "{\n"
        '  "candidates": [\n'
        "    {\n"
        '      "content": {\n'
        '        "parts": [\n'
        "          {\n"
        '            "text": "It \\u003cis\\u003e"\n'
        "          }\n"
        "        ],\n"
        '        "role": "model"\n'
        "      },\n"
        '      "finishReason": "STOP",\n'
        '      "index": 0\n'
        "    }\n"
        "  ],\n"
        '  "usageMetadata": {\n'
        '    "promptTokenCount": 12,\n'
        '    "candidatesTokenCount": 5,\n'
        '    "totalTokenCount": 21,\n'
        '    "cachedContentTokenCount": 2,\n'
        '    "promptTokensDetails": [\n'
        "      {\n"
        '        "modality": "TEXT",\n'
        '        "tokenCount": 12\n'
        "      }\n"
        "    ],\n"
        '    "thoughtsTokenCount": 4,\n'
        '    "serviceTier": "standard"\n'
        "  },\n"
        '  "modelVersion": "gemini-2.5-flash",\n'
        f'  "responseId": "{response}"\n'
        "}\n"
    )


def test_headers() -> None:
    reply = DIALECT.write(said(Text(("x",))), ask())
    assert header(reply.headers, "content-type") == "application/json; charset=UTF-8"
    assert [value for name, value in reply.headers if name == "vary"] == ["Origin", "X-Origin", "Referer"]
    assert header(reply.headers, "server-timing").startswith("gfet4t7; dur=")
    assert header(DIALECT.write(said(Text(("x",))), SSE).headers, "content-type") == "text/event-stream"
    assert header(DIALECT.write(said(Text(("x",))), ARRAY).headers, "content-type") == "application/json; charset=UTF-8"


def test_the_first_sse_frame() -> None:
    first, last = frames(DIALECT.write(said(Text(("It ", "is."))), SSE))
    response = chunks(said(Text(("It ", "is."))))[0]["responseId"]
    assert first.data.decode() == (
        'data: {"candidates": [{"content": {"parts": [{"text": "It "}],"role": "model"},"index": 0}],'
        '"usageMetadata": {"promptTokenCount": 12,"candidatesTokenCount": 1,"totalTokenCount": 17,'
        '"cachedContentTokenCount": 2,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 12}],'
        '"thoughtsTokenCount": 4,"serviceTier": "standard"},"modelVersion": "gemini-2.5-flash",'
        f'"responseId": "{response}"}}\r\n\r\n'
    )
    assert (first.token, last.token) == (0, 1)
    assert b'"finishReason": "STOP"' in last.data


def test_the_array_form() -> None:
    body = b"".join(frame.data for frame in frames(DIALECT.write(said(Text(("It ", "is."))), ARRAY)))
    assert body.startswith(b'[{\n  "candidates": [')
    assert body.count(b"\n}\n,\r\n{\n") == 1
    assert body.endswith(b"\n}\n]")
    assert [chunk["candidates"][0]["content"]["parts"] for chunk in json.loads(body)] == [
        [{"text": "It "}],
        [{"text": "is."}],
    ]


def test_chunks_hold_about_a_line() -> None:
    tokens = tuple(f"word{number} " for number in range(100))
    lengths = [len(chunk["candidates"][0]["content"]["parts"][0]["text"]) for chunk in chunks(said(Text(tokens)))]
    assert lengths[0] == 6
    assert all(95 <= length <= 102 for length in lengths[1:-1])
    due = [frame.token for frame in frames(DIALECT.write(said(Text(tokens)), SSE))]
    assert (due[0], due[-1]) == (0, 99)


@pytest.mark.parametrize("call", [ask(), SSE, ARRAY])
def test_answers_are_valid_to_the_sdk(call: Call) -> None:
    completion = said(*ALL, finish=Finish.TOOL_CALLS)
    reply = DIALECT.write(completion, call)
    if isinstance(reply.body, bytes):
        bodies = [json.loads(reply.body)]
    elif call is SSE:
        bodies = chunks(completion)
    else:
        bodies = json.loads(b"".join(frame.data for frame in reply.body))
    tiers = [body["usageMetadata"].pop("serviceTier") for body in bodies]  # on the wire, but not in the SDK's type
    assert tiers == ["standard"] * len(bodies)
    found = [sdk.GenerateContentResponse.model_validate(body) for body in bodies]  # forbids unknown fields
    calls = [one for answer in found for one in answer.function_calls or []]
    assert [(one.name, one.args, one.id) for one in calls] == [("weather", {"city": "Ulm"}, None)]


def test_parts_and_counts_of_a_stream() -> None:
    found = chunks(said(*ALL, finish=Finish.TOOL_CALLS), THOUGHTFUL)
    signature = found[3]["candidates"][0]["content"]["parts"][0].pop("thoughtSignature")
    assert signature.startswith("E")
    assert [chunk["candidates"][0]["content"]["parts"] for chunk in found] == [
        [{"text": "Hm", "thought": True}],
        [{"text": "m", "thought": True}],
        [{"text": "It is."}],
        [{"functionCall": {"name": "weather", "args": {"city": "Ulm"}}}],
    ]
    counts = [
        (chunk["usageMetadata"].get("candidatesTokenCount"), chunk["usageMetadata"]["totalTokenCount"])
        for chunk in found
    ]
    assert counts == [(None, 12), (None, 12), (2, 18), (5, 21)]
    assert [chunk["candidates"][0].get("finishReason") for chunk in found] == [None, None, None, "STOP"]
    assert found[-1]["candidates"][0]["finishMessage"] == "Model generated function call(s)."


@pytest.mark.parametrize(
    ("model", "named"), [("gemini-2.0-flash", False), ("gemini-2.5-pro", False), ("gemini-3-pro", True)]
)
def test_calls_have_ids_since_gemini_3(model: str, named: bool) -> None:
    answer = json.loads(data(DIALECT.write(said(ALL[2], model=model), ask())))
    call = answer["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert ("id" in call, len(call.get("id", "")) == 8) == (named, named)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, "STOP"),
        (Finish.STOP_SEQUENCE, "STOP"),
        (Finish.TOOL_CALLS, "STOP"),
        (Finish.LENGTH, "MAX_TOKENS"),
        (Finish.CONTENT_FILTER, "SAFETY"),
    ],
)
def test_finish_reasons(finish: Finish, reason: str) -> None:
    answer = json.loads(data(DIALECT.write(said(Text(("a",)), finish=finish), ask())))
    assert answer["candidates"][0]["finishReason"] == reason


def test_vertex_with_numbers_for_enums() -> None:
    call = ask(path=ON_VERTEX + "generateContent", query="%24alt=json%3Benum-encoding%3Dint")
    answer = json.loads(data(VERTEX.write(said(Text(("a",)), finish=Finish.LENGTH), call)))
    created = answer.pop("createTime")
    assert -1 < answer["candidates"][0].pop("avgLogprobs") < 0
    assert created.startswith("2026-05-28T20:26:40.")
    assert answer.pop("responseId")
    assert answer == {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": 2}],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 5,
            "totalTokenCount": 21,
            "cachedContentTokenCount": 2,
            "trafficType": 1,
            "promptTokensDetails": [{"modality": 1, "tokenCount": 12}],
            "candidatesTokensDetails": [{"modality": 1, "tokenCount": 5}],
            "thoughtsTokenCount": 4,
        },
        "modelVersion": "gemini-2.5-flash",
    }


def test_vertex_counts_only_at_the_end() -> None:
    call = ask(path=ON_VERTEX + "streamGenerateContent", query="alt=sse")
    first, last = chunks(said(Text(("It ", "is."))), call, VERTEX)
    assert first["usageMetadata"] == {"trafficType": "ON_DEMAND"}
    assert (last["usageMetadata"]["totalTokenCount"], last["usageMetadata"]["trafficType"]) == (21, "ON_DEMAND")


def test_several_candidates() -> None:
    choices = (Choice((Text(("a",)),), Finish.STOP), Choice((Text(("b",)),), Finish.LENGTH))
    two = Completion("ab" * 16, 0, "gemini-2.5-flash", choices, Usage(1, 2))
    for call in (ask(), SSE, ARRAY):
        reply = DIALECT.write(two, call)
        body = reply.body if isinstance(reply.body, bytes) else b"".join(frame.data for frame in reply.body)
        found = DIALECT.parse(200, (), body, call)
        assert found
        assert [(choice.parts, choice.finish) for choice in found.choices] == [
            ((Text(("a",)),), Finish.STOP),
            ((Text(("b",)),), Finish.LENGTH),
        ]


RECORDED = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "Think.", "thought": True, "thoughtSignature": "c2ln"},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                    {"text": "One.", "thoughtSignature": "c2ln"},
                    {"functionCall": {"name": "f", "args": {"a": 1}, "id": "j80tal12"}, "thoughtSignature": "c2ln"},
                ],
                "role": "model",
            },
            "finishReason": "MALFORMED_FUNCTION_CALL",
            "index": 0,
            "finishMessage": "m",
            "avgLogprobs": -0.5,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 5,
        "candidatesTokenCount": 7,
        "totalTokenCount": 20,
        "toolUsePromptTokenCount": 4,
        "thoughtsTokenCount": 4,
        "serviceTier": "standard",
    },
    "modelVersion": "gemini-3.5-flash",
    "responseId": "OYpyaqycKd2V_uMP65TsgA0",
}


@pytest.mark.parametrize("stream", [SSE, ARRAY])
def test_what_a_recording_holds_is_kept_when_it_is_converted(stream: Call) -> None:
    found = DIALECT.parse(200, (), json.dumps(RECORDED).encode(), ask())
    assert found
    assert (found.usage.prompt, found.usage.completion, found.usage.reasoning) == (9, 11, 4)
    again = DIALECT.parse(200, (), b"".join(frame.data for frame in frames(DIALECT.write(found, stream))), stream)
    assert again
    assert json.loads(data(DIALECT.write(again, ask()))) == RECORDED


BLOCKED = {
    "promptFeedback": {"blockReason": "SAFETY"},
    "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5},
    "modelVersion": "gemini-2.5-flash",
    "responseId": "x",
}


def test_a_blocked_prompt() -> None:
    found = DIALECT.parse(200, (), json.dumps(BLOCKED).encode(), ask())
    assert found
    assert found.choices[0].finish is Finish.CONTENT_FILTER
    assert json.loads(data(DIALECT.write(found, ask()))) == BLOCKED
    assert chunks(found) == [BLOCKED]


def test_an_array_that_was_cut_is_read_as_far_as_it_goes() -> None:
    body = b"".join(frame.data for frame in frames(DIALECT.write(said(Text(("It ", "is."))), ARRAY)))
    found = DIALECT.parse(200, (), body[:-20], ARRAY)
    assert found
    assert found.choices[0].parts == (Text(("It ",)),)


@pytest.mark.parametrize("body", [b'data: {"error": {"code": 503}}\r\n\r\n', b'[{"error": {"code": 429}}]'])
def test_an_error_in_the_stream_is_no_completion(body: bytes) -> None:
    assert DIALECT.parse(200, (), body, SSE) is None


@pytest.mark.parametrize(
    ("path", "provider", "model", "stream"),
    [
        (FLASH + "generateContent", "gemini", "gemini-2.5-flash", False),
        ("/v1/models/gemini-2.5-flash:streamGenerateContent", "gemini", "gemini-2.5-flash", True),
        ("/v1beta/tunedModels/my%2Done:generateContent", "gemini", "my-one", False),
        (ON_VERTEX + "streamGenerateContent", "vertex", "gemini-2.5-pro", True),
        ("/v1beta1/publishers/google/models/gemini-2.5-pro:generateContent", "vertex", "gemini-2.5-pro", False),
    ],
)
def test_paths(path: str, provider: str, model: str, stream: bool) -> None:
    call = ask(path=path)
    assert (call.provider, call.family, call.model, call.stream) == (provider, "gemini.generate", model, stream)
    assert call.semantic == ()


def test_twins() -> None:
    whole = ask(query="key=k&%24alt=json%3Benum-encoding%3Dint")
    assert [twin.raw.target for twin in DIALECT.twins(whole)] == [
        FLASH + "streamGenerateContent?key=k&%24alt=json%3Benum-encoding%3Dint&alt=sse",
        FLASH + "streamGenerateContent?key=k&%24alt=json%3Benum-encoding%3Dint",
    ]
    assert [twin.raw.target for twin in DIALECT.twins(SSE)] == [
        FLASH + "generateContent",
        FLASH + "streamGenerateContent",
    ]
    assert [twin.raw.target for twin in DIALECT.twins(ARRAY)] == [
        FLASH + "generateContent",
        FLASH + "streamGenerateContent?alt=sse",
    ]


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b"{", "Invalid JSON payload received. ", None),
        ({}, "* GenerateContentRequest.contents: contents is not specified\n", "contents"),
        ({"contents": []}, "* GenerateContentRequest.contents: contents is not specified\n", "contents"),
        (
            {"contents": "hi"},
            "Invalid value at 'contents' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content), \"hi\"",
            "contents",
        ),
        (
            {"contents": [{"parts": [{"text": 3}]}]},
            "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 3",
            "contents[0].parts[0].text",
        ),
        (
            {**BODY, "generation_config": {"max_output_tokens": []}},
            "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), []",
            "generation_config.max_output_tokens",
        ),
        (
            {**BODY, "generationConfig": 3},
            "Invalid value at 'generation_config' "
            "(type.googleapis.com/google.ai.generativelanguage.v1beta.GenerationConfig), 3",
            "generation_config",
        ),
    ],
)
def test_structural_faults(body: JSON, message: str, param: str | None) -> None:
    call = ask(body)
    found = DIALECT.check(call)
    assert found
    assert found.message.startswith(message)
    error = json.loads(data(DIALECT.refuse(found, call)))["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert [detail["fieldViolations"][0]["field"] for detail in error.get("details", [])] == ([param] if param else [])


def test_vertex_names_missing_contents_in_its_own_words() -> None:
    found = VERTEX.check(ask({}, path=ON_VERTEX + "generateContent"))
    assert found
    assert found.message.startswith("Unable to submit request because at least one contents field is required.")


@pytest.mark.parametrize(
    "body",
    [
        {"contents": {"parts": {"text": "hi"}}},
        {"contents": CONTENTS, "generationConfig": {"maxOutputTokens": "12", "temperature": 9}},
        {"contents": [{"role": "assistant", "parts": [{"text": "hi"}]}]},
    ],
)
def test_what_is_not_structure_passes(body: JSON) -> None:
    assert DIALECT.check(ask(body)) is None


def test_an_error_in_the_envelope() -> None:
    condition = Condition(
        "cassette_miss", 404, "No.", code="cassette_miss", retry=False, retry_after=34, extra={"near": []}
    )
    reply = DIALECT.refuse(condition, ask())
    assert data(reply).startswith(b'{\n  "error": {\n    "code": 404,\n    "message": "No.",\n')
    assert data(reply).endswith(b"}\n")
    assert json.loads(data(reply)) == {
        "error": {
            "code": 404,
            "message": "No.",
            "status": "NOT_FOUND",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "cassette_miss",
                    "domain": "googleapis.com",
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"},
            ],
            "llm_simulator": {"near": []},
        }
    }
    assert header(reply.headers, "retry-after") == ""


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "UNAUTHENTICATED"),
        (405, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (503, "UNAVAILABLE"),
        (599, "INTERNAL"),
    ],
)
def test_error_statuses(status: int, word: str) -> None:
    assert json.loads(data(DIALECT.refuse(Condition("x", status, "m"), ask())))["error"]["status"] == word


def test_what_is_asked() -> None:
    picture = b64encode(b"x").decode()
    body = {
        "system_instruction": {"parts": {"text": "Be brief."}},
        "contents": [
            {"parts": [{"text": "2+2?"}, {"inline_data": {"mime_type": "image/png", "data": picture}}]},
            {"role": "model", "parts": [{"text": "t", "thought": True}, {"functionCall": {"name": "f", "args": {}}}]},
            {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"r": 4}}}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}},
                    {"name": "g", "parameters_json_schema": {"type": "object"}},
                ]
            },
            {"googleSearch": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "maxOutputTokens": "50",
            "candidateCount": 2,
            "stopSequences": ["END"],
            "response_mime_type": "application/json",
            "response_schema": {"type": "STRING", "nullable": True},
        },
    }
    found = DIALECT.ask(ask(body))
    assert found.turns == (
        Turn("system", "Be brief."),
        Turn("user", "2+2?"),
        Turn("assistant", "", 1),
        Turn("tool", '{"r":4}'),
    )
    assert found.tools == (Tool("f", "d", {"type": "object"}), Tool("g", "", {"type": "object"}))
    assert (found.max_tokens, found.choices, found.stop, found.tool_choice) == (50, 2, ("END",), "f")
    assert found.schema == {"type": ["string", "null"]}
    assert (found.exact, found.warnings) == (False, ())
    assert found.prompt_tokens > 258


@pytest.mark.parametrize(
    ("mode", "names", "expected"),
    [
        ("AUTO", [], "auto"),
        ("any", [], "required"),
        ("ANY", ["f", "g"], "required"),
        ("NONE", [], "none"),
        ("", [], "auto"),
    ],
)
def test_tool_choices(mode: str, names: list[str], expected: str) -> None:
    config = {"functionCallingConfig": {"mode": mode, "allowedFunctionNames": names}}
    assert DIALECT.ask(ask({**BODY, "toolConfig": config})).tool_choice == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"responseMimeType": "application/json"}, {}),
        ({"responseJsonSchema": {"type": "object"}}, {"type": "object"}),
        ({"stopSequences": "END"}, None),
    ],
)
def test_schemas(config: JSON, expected: JSON) -> None:
    assert DIALECT.ask(ask({**BODY, "generationConfig": config})).schema == expected


def test_an_odd_role_is_taken_leniently() -> None:
    found = DIALECT.ask(ask({"contents": [{"role": "assistant", "parts": [{"text": "hi"}]}]}))
    assert found.warnings == ("contents[0].role: Please use a valid role: user, model; 'assistant' taken",)


def test_google_schemas_become_json_schemas() -> None:
    given = {"type": "ARRAY", "items": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": False}}}}
    assert json_schema(given) == {
        "type": "array",
        "items": {"type": "object", "properties": {"a": {"type": "integer"}}},
    }
    deep: JSON = {"type": "STRING"}
    for _ in range(300):
        deep = {"type": "ARRAY", "items": deep}
    assert json_schema(deep)["type"] == "array"


def models(path: str = "/v1beta/models", query: str = "") -> tuple[Call, Reply]:
    call = DIALECT.read(RawRequest("GET", path, query=query), "gemini")
    assert call
    return call, DIALECT.respond(call, desk())


def test_models_are_paged() -> None:
    call, reply = models(query="pageSize=2")
    assert (call.family, call.operation) == ("models", "models.list")
    page = json.loads(data(reply))
    assert len(page["models"]) == 2
    following = json.loads(data(models(query=f"pageSize=1000&pageToken={page['nextPageToken']}")[1]))
    assert "nextPageToken" not in following
    assert page["models"][0] not in following["models"]
    assert all(model["name"].startswith("models/") for model in page["models"])


def test_one_model() -> None:
    call, reply = models("/v1/models/gemini-2.5-flash")
    assert (call.operation, call.model) == ("models.get", "gemini-2.5-flash")
    found = json.loads(data(reply))
    assert (found["name"], found["inputTokenLimit"], found["outputTokenLimit"]) == (
        "models/gemini-2.5-flash",
        1_048_576,
        65_536,
    )
    assert "generateContent" in found["supportedGenerationMethods"]


def test_an_unknown_model() -> None:
    reply = models("/v1beta/models/nope")[1]
    assert reply.status == 404
    assert json.loads(data(reply))["error"]["message"].startswith("models/nope is not found for API version v1beta")
