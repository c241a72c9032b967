"""Model lists of OpenAI, its look-alikes and Azure."""

from __future__ import annotations

import json

import pytest
from desks import desk
from openai.types import Model as SdkModel

from llm_simulator import dialects
from llm_simulator.dialects.catalogue import find, models
from llm_simulator.types import JSON, Call, Completion, RawRequest, Usage, header


def get(path: str, host: str = "api.openai.com", method: str = "GET") -> Call:
    return dialects.read(RawRequest(method, path, host))


def answer(call: Call) -> JSON:
    reply = dialects.of(call).respond(call, desk())
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


def test_a_list() -> None:
    found = answer(get("/v1/models"))
    assert list(found) == ["object", "data"]
    assert {"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"} in found["data"]
    assert all(SdkModel.model_validate(model, strict=True).model_extra == {} for model in found["data"])


def test_one_model_to_the_byte() -> None:
    call = get("/v1/models/gpt-4")
    reply = dialects.of(call).respond(call, desk())
    assert reply.body == (
        b'{\n  "id": "gpt-4",\n  "object": "model",\n  "created": 1687882411,\n  "owned_by": "openai"\n}\n'
    )
    assert header(reply.headers, "x-request-id").startswith("req_")


def test_an_unknown_model() -> None:
    call = get("/v1/models/ft%3A123")
    condition = dialects.of(call).check(call)
    assert condition
    assert (condition.status, condition.message) == (404, "The model 'ft:123' does not exist")
    assert dialects.of(call).respond(call, desk()).status == 404


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gpt-4o"])
def test_a_known_one_passes_the_check(path: str) -> None:
    assert dialects.of(get(path)).check(get(path)) is None


def test_a_wrong_method() -> None:
    call = get("/v1/models", method="POST")
    condition = dialects.of(call).check(call)
    assert condition
    assert condition.status == 405


def test_azure_lists_in_its_own_form() -> None:
    found = answer(get("/openai/models", "x.openai.azure.com"))["data"]
    one = next(model for model in found if model["id"] == "gpt-4o")
    assert (one["status"], one["created_at"], one["capabilities"]["chat_completion"]) == ("succeeded", 1715367049, True)
    assert list(answer(get("/openai/v1/models", "x.openai.azure.com"))["data"][0]) == [
        "id",
        "object",
        "created",
        "owned_by",
    ]
    call = get("/openai/models/nope", "x.openai.azure.com")
    assert "apim-request-id" in dict(dialects.of(call).respond(call, desk()).headers)


@pytest.mark.parametrize(
    ("host", "path", "first"),
    [
        ("api.groq.com", "/openai/v1/models", "llama-3.1-8b-instant"),
        ("api.mistral.ai", "/v1/models", "codestral-2508"),
        ("api.x.ai", "/v1/models", "chat-latest"),
    ],
)
def test_look_alikes(host: str, path: str, first: str) -> None:
    assert answer(get(path, host))["data"][0]["id"] == first


def test_ids_with_a_slash() -> None:
    assert answer(get("/openai/v1/models/openai/gpt-oss-20b", "api.groq.com"))["id"] == "openai/gpt-oss-20b"


def test_nothing_else_is_asked_of_it() -> None:
    call = get("/v1/models")
    dialect = dialects.of(call)
    assert (dialect.ask(call).turns, dialect.twins(call)) == ((), ())
    assert dialect.parse(200, (), b"{}", call) is None
    assert dialect.usage(200, (), b"{}", call) is None
    with pytest.raises(AssertionError, match="generates nothing"):
        dialect.write(Completion("ab", 0, "", (), Usage(0, 0)), call)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "cohere", "mistral", "groq", "deepseek"])
def test_every_catalogue_is_sound(provider: str) -> None:
    listed = models(provider)
    names = [model.id for model in listed]
    assert len(set(names)) == len(names) > 0
    assert all(model.serves in names for model in listed if model.serves)
    assert find(provider, names[-1]) is listed[-1]
    assert find(provider, "nope") is None


def test_an_unknown_provider_lists_none() -> None:
    assert models("nobody") == ()


def test_mistrals_cards_say_what_a_model_can_do() -> None:
    call = dialects.read(RawRequest("GET", "/v1/models", "api.mistral.ai"))
    reply = dialects.of(call).respond(call, desk())
    assert isinstance(reply.body, bytes)
    assert b'": ' not in reply.body
    cards = {card["id"]: card for card in json.loads(reply.body)["data"]}
    card = cards["mistral-large-latest"]
    assert (card["type"], card["owned_by"], card["capabilities"]["function_calling"]) == ("base", "mistralai", True)
    assert cards["codestral-latest"]["capabilities"]["completion_fim"]
