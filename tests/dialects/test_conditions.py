"""The catalogue of conditions: its form, its look-up, and that a request gets its own values."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import conditions, registry
from llm_simulator.dialects.base import Dialect
from llm_simulator.types import Call, Condition, RawRequest, Reply, header

COUNTS = {"openai": 153, "azure": 45, "anthropic": 176, "gemini": 99, "cohere": 105, "mistral": 16, "network": 205}
SPELLED = {
    provider: tuple(entry for entry in conditions.entries() if entry.spelled and entry.provider == provider)
    for provider in COUNTS
}
REQUEST_IDS = {
    "openai": ("x-request-id", r"req_[0-9a-f]{32}"),
    "anthropic": ("request-id", r"req_011C[1-9A-HJ-NP-Za-km-z]{20}"),
    "azure": ("apim-request-id", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "cohere": ("x-debug-trace-id", r"[0-9a-f]{32}"),
    "mistral": ("mistral-correlation-id", r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
}


def call(
    provider: str, path: str = "/v1/chat/completions", model: str = "m-1", key: str = "sk-abcdefghijklmnop"
) -> Call:
    raw = RawRequest("POST", path, headers=(("authorization", f"Bearer {key}"),), body=b"{}")
    return Call(provider, "openai.chat", "chat", raw, model=model, body={})


def text(reply: Reply) -> str:
    body = reply.body
    return body.decode() if isinstance(body, bytes) else b"".join(frame.data for frame in body).decode()


def test_all_are_there() -> None:
    assert Counter(entry.provider for entry in conditions.entries()) == COUNTS
    kinds = Counter(entry.transport for entry in conditions.entries())
    assert kinds == {"http": 480, "result": 73, "sse": 30, "websocket": 9, "network": 205, "client": 2}


@pytest.mark.parametrize("provider", COUNTS)
def test_no_placeholder_is_left(provider: str) -> None:
    for entry in SPELLED[provider]:
        reply = conditions.spell(entry)
        assert reply.status == entry.status, entry.id
        assert not re.search(r"\{[a-z_]+\}", text(reply)), entry.id
        assert not any("{" in value for _, value in reply.headers), entry.id
        assert not {name for name, _ in reply.headers} & set(entry.removed), entry.id


@pytest.mark.parametrize("provider", COUNTS)
def test_a_request_gets_ids_of_its_own(provider: str) -> None:
    for entry in SPELLED[provider]:
        _ids_of_its_own(entry)


def _ids_of_its_own(entry: conditions.Entry) -> None:
    asked = call(entry.provider)
    condition = Condition(entry.id, entry.status or 0, "")
    reply, again = conditions.answer(condition, asked), conditions.answer(condition, asked)
    assert reply is not None
    assert again is not None
    assert (reply.status, reply.headers, text(reply)) == (again.status, again.headers, text(again))
    name, form = REQUEST_IDS.get(entry.provider, ("", ""))
    if name and entry.status != 101 and name not in entry.removed and entry.id != "mistral.unauthorized":
        assert re.fullmatch(form, header(reply.headers, name))
        assert header(reply.headers, name) != header(conditions.spell(entry).headers, name)


@pytest.mark.parametrize(
    ("name", "provider", "found"),
    [
        ("rate_limit_requests", "openai", "openai.rate_limit_requests"),
        ("openai.rate_limit_requests", "", "openai.rate_limit_requests"),
        ("anthropic.overloaded", "openai", "anthropic.overloaded"),
        ("code.already_member", "anthropic", "anthropic.code.already_member"),
        ("rate_limit_requests", "groq", "openai.rate_limit_requests"),
        ("rate_limited", "mistral", "mistral.rate_limited"),
        ("insufficient_quota", "mistral", "openai.insufficient_quota"),
        ("deployment_not_found", "azure", "azure.deployment_not_found"),
        ("invalid_type", "azure", "openai.invalid_type"),
        ("model_not_found", "vertex", "gemini.model_not_found"),
        ("model_not_found", "openai", "openai.model_not_found"),
        ("network.openai.connection_refused", "openai", "network.openai.connection_refused"),
        ("deployment_not_found", "openai", None),
        ("cassette_miss", "openai", None),
        ("rate_limit_requests", "", None),
        ("", "openai", None),
    ],
)
def test_look_up(name: str, provider: str, found: str | None) -> None:
    entry = conditions.find(name, provider)
    assert (entry.id if entry else None) == found


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("model_not_found", call("openai", model="gpt-x"), "The model `gpt-x` does not exist"),
        ("invalid_url", call("openai", path="/v1/nope"), "Invalid URL (POST /v1/nope)"),
        ("invalid_api_key_gateway", call("openai"), "Incorrect API key provided: sk-abcde****"),
        (
            "model_not_found",
            call("gemini", "/v1/models/g-x:countTokens", "g-x"),
            "models/g-x is not found for API version v1,",
        ),
        ("model_not_found", call("gemini", "/v1/models/g-x:countTokens", "g-x"), "is not supported for countTokens."),
        ("model_not_found", call("anthropic", model='a"b'), r"model: a\"b"),
        ("stream_error_first_event", call("openai"), '"code": "rate_limit_exceeded"'),
    ],
)
def test_values_of_the_request(name: str, asked: Call, words: str) -> None:
    reply = conditions.answer(Condition(name, 0, ""), asked)
    assert reply is not None
    assert words in text(reply)


def test_own_values_and_words() -> None:
    condition = conditions.raised("openai.decimal_above_max_value", param="top_p", limit=1, value=1.5)
    assert condition.status == 400
    assert (
        condition.message == "Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 1.5 instead."
    )
    reply = conditions.answer(condition, call("openai"))
    assert reply is not None
    assert json.loads(text(reply))["error"]["param"] == "top_p"
    own = Condition(
        "openai.invalid_type", 400, "mine", "x[0]", extra={"a": 1}, headers=(("x-more", "1"),), retry_after=0.4
    )
    reply = conditions.answer(own, call("openai"))
    assert reply is not None
    error = json.loads(text(reply))["error"]
    assert (error["message"], error["param"], error["code"]) == ("mine", "x[0]", "invalid_type")
    assert error["llm_simulator"] == {"a": 1}
    assert header(reply.headers, "x-more") == "1"
    assert (header(reply.headers, "retry-after"), header(reply.headers, "retry-after-ms")) == ("1", "400")


@pytest.mark.parametrize(("provider", "name"), [("azure", "apim-request-id"), ("mistral", "mistral-correlation-id")])
def test_borrowed_words_come_under_ones_own_headers(provider: str, name: str) -> None:
    reply = conditions.answer(Condition("invalid_prompt", 400, ""), call(provider))
    assert reply is not None
    assert re.fullmatch(REQUEST_IDS[provider][1], header(reply.headers, name))
    assert header(reply.headers, "x-request-id") == ""
    assert header(reply.headers, "content-type") == "application/json"


@pytest.mark.parametrize(
    ("method", "start", "end"),
    [
        ("generateContent", '{\n  "candidates": [', "\n}\n"),
        ("streamGenerateContent", '[{\n  "candidates": [', "\n}\n]\n"),
        ("streamGenerateContent?alt=sse", 'data: {"candidates"', "}\r\n\r\n"),
    ],
)
def test_a_result_comes_in_the_form_that_was_asked_for(method: str, start: str, end: str) -> None:
    path, _, query = f"/v1beta/models/gemini-2.5-pro:{method}".partition("?")
    asked = dialects.read(RawRequest("POST", path, query=query, body=b'{"contents":[]}'))
    reply = dialects.of(asked).refuse(Condition("finish_safety", 200, ""), asked)
    said = text(reply)
    assert said.startswith(start)
    assert said.endswith(end)
    assert "gemini-2.5-pro" in said
    assert ("event-stream" in header(reply.headers, "content-type")) is ("sse" in query)


NAMES = {
    "openai": "openai.invalid_prompt",
    "azure": "azure.no_capacity",
    "anthropic": "anthropic.overloaded",
    "gemini": "gemini.model_overloaded",
    "vertex": "gemini.model_overloaded",
    "cohere": "cohere.internal",
}
SPEAKERS = [dialect for dialect in registry.dialects() if dialect.provider in NAMES]


@pytest.mark.parametrize("dialect", SPEAKERS, ids=lambda dialect: f"{dialect.name} {dialect.provider}")
def test_every_dialect_refuses_so(dialect: Dialect) -> None:
    name = NAMES[dialect.provider]
    asked = call(dialect.provider)
    exact = conditions.answer(Condition(name, 0, ""), asked)
    reply = dialect.refuse(Condition(name, 0, ""), asked)
    assert exact is not None
    assert (reply.status, reply.headers, text(reply)) == (exact.status, exact.headers, text(exact))


def test_not_the_catalogues() -> None:
    assert conditions.answer(Condition("cassette_miss", 404, "no"), call("openai")) is None
    assert conditions.answer(Condition("invalid_type", 400, "words of its own"), call("openai")) is None
    assert conditions.answer(Condition("network.openai.read_timeout", 0, ""), call("openai")) is None
    with pytest.raises(KeyError):
        conditions.raised("openai.no_such_thing")


def test_websocket_message_and_close() -> None:
    event = conditions.answer(Condition("realtime_server_error", 101, ""), call("openai"))
    assert event is not None
    assert event.headers == ()
    assert json.loads(text(event))["error"]["code"] == "server_error"
    closed = conditions.answer(Condition("realtime_close_1001", 101, ""), call("openai"))
    assert closed == Reply(101, (), b"")
