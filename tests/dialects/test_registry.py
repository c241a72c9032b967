"""The list of dialects, and what is not on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module

import pytest
from desks import desk

from llm_simulator import dialects
from llm_simulator.dialects.registry import ANY, ENTRIES, Entry
from llm_simulator.dialects.registry import dialects as all_dialects
from llm_simulator.types import Call, Condition, RawRequest

GEMINI_COMPATIBLE = "/v1beta/openai/chat/completions"


def read(method: str, path: str, host: str = "", body: object = None) -> Call:
    return dialects.read(RawRequest(method, path, host, body=json.dumps(body).encode() if body is not None else b""))


@pytest.mark.parametrize(
    ("method", "path", "host", "family", "operation", "name"),
    [
        ("POST", "/v1/chat/completions", "", "openai.chat", "chat", "openai_chat"),
        ("GET", "/v1/chat/completions", "", "openai.chat", "unknown", "openai_chat"),
        ("POST", "/openai/v1/chat/completions", "api.groq.com", "openai.chat", "chat", "openai_chat"),
        ("POST", GEMINI_COMPATIBLE, "generativelanguage.googleapis.com", "openai.chat", "chat", "openai_chat"),
        ("POST", "/openai/deployments/d/chat/completions", "", "openai.chat", "chat", "azure_chat"),
        ("POST", "/models/chat/completions", "x.services.ai.azure.com", "openai.chat", "chat", "azure_chat"),
        ("POST", "/v1/messages", "", "anthropic.messages", "chat", "anthropic_messages"),
        ("POST", "/v1beta/models/m:streamGenerateContent", "", "gemini.generate", "chat", "gemini_generate"),
        ("POST", "/v2/chat", "", "cohere.chat", "chat", "cohere_chat"),
        ("GET", "/v1/models", "", "models", "models.list", "models_list"),
        ("GET", "/v1/models/gpt-4o", "api.openai.com", "models", "models.get", "models_list"),
        ("POST", "/v1/models", "", "models", "unknown", "models_list"),
        ("GET", "/v1/models", "api.anthropic.com", "models", "models.list", "anthropic_messages"),
        ("GET", "/v1/models", "api.cohere.com", "models", "models.list", "cohere_chat"),
        ("GET", "/openai/models", "x.openai.azure.com", "models", "models.list", "models_list"),
        ("POST", "/v1/embeddings", "", "openai.embeddings", "embeddings.create", "openai_embeddings"),
        ("POST", "/v1/responses", "", "openai.responses", "responses.create", "openai_responses"),
        ("POST", "/openai/v1/responses", "x.openai.azure.com", "openai.responses", "responses.create", "azure_responses"),
        ("POST", "/v1/completions", "", "openai.completions", "completions.create", "openai_completions"),
        ("POST", "/v1/conversations", "", "openai.conversations", "conversations.create", "openai_conversations"),
        ("DELETE", "/v1/models/ft:x", "", "opaque", "models", "opaque"),
        ("POST", "/nowhere", "", "opaque", "unknown", "opaque"),
    ],
)  # fmt: skip
def test_every_call_has_its_dialect(method: str, path: str, host: str, family: str, operation: str, name: str) -> None:
    call = read(method, path, host, {})
    assert (call.family, call.operation, dialects.of(call).name) == (family, operation, name)


@pytest.mark.parametrize(
    ("path", "body", "operation", "model", "stream"),
    [
        ("/v1/threads/t/runs", {"model": "gpt-5", "stream": True}, "runs", "gpt-5", True),
        ("/v1/threads/t_1/runs", {"stream": False}, "runs", "", False),
        ("/model/a.claude%3A0/invoke-with-response-stream", {}, "invoke-with-response-stream", "a.claude", True),
        ("/v1beta/tunedModels", {}, "tunedModels", "", False),
        ("/v1/edits", [], "edits", "", False),
        ("/v1/videos", {"model": 1}, "videos", "", False),
    ],
)  # fmt: skip
def test_what_an_opaque_call_still_tells(path: str, body: object, operation: str, model: str, stream: bool) -> None:
    call = read("POST", path, "", body)
    assert (call.family, call.operation, call.stream) == ("opaque", operation, stream)
    assert call.model.startswith(model)
    assert call.body == body


def test_an_opaque_call_is_never_simulated() -> None:
    call = read("POST", "/v1/videos", "", {"model": "m"})
    dialect = dialects.of(call)
    condition = dialect.check(call)
    assert condition
    assert (condition.name, condition.status, condition.retry) == ("not_simulated", 501, False)
    assert "openai_chat: chat" in condition.message
    assert dialect.simulates == frozenset()
    assert (dialect.parse(200, (), b"{}", call), dialect.usage(200, (), b"{}", call), dialect.twins(call)) == (
        None,
        None,
        (),
    )
    assert dialect.ask(call).turns == ()
    reply = dialect.respond(call, desk())
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["error"]["code"] == "not_simulated"


@pytest.mark.parametrize(
    ("host", "path", "message"),
    [
        ("api.openai.com", "/v1/chat/completion", "Invalid URL (POST /v1/chat/completion)"),
        ("", "/v1/chat/completion", "Invalid URL (POST /v1/chat/completion)"),
        ("api.groq.com", "/v1/foo", "Invalid URL (POST /v1/foo)"),
        ("api.anthropic.com", "/v1/foo", "Not Found"),
        ("my.openai.azure.com", "/openai/foo", "Resource not found"),
        ("api.cohere.com", "/v2/foo", "404 page not found"),
        ("generativelanguage.googleapis.com", "/v1beta/foo", "Requested entity was not found."),
    ],
)
def test_a_path_that_says_nothing_is_a_404(host: str, path: str, message: str) -> None:
    call = read("POST", path, host, {})
    condition = dialects.of(call).check(call)
    assert condition
    assert (condition.status, condition.message) == (404, message)
    reply = dialects.of(call).refuse(condition, call)
    assert isinstance(reply.body, bytes)
    assert message in reply.body.decode()


def test_of_an_unknown_host_no_path_is_known_not_to_exist() -> None:
    call = read("POST", "/v1/foo", "api.example.com", {})
    condition = dialects.of(call).check(call)
    assert condition
    assert (condition.status, condition.code) == (501, "not_simulated")


@pytest.mark.parametrize(
    ("host", "path", "keys"),
    [
        ("api.openai.com", "/v1/embeddings", {"error"}),
        ("api.anthropic.com", "/v1/messages/count_tokens", {"type", "error", "request_id"}),
        ("generativelanguage.googleapis.com", "/v1beta/cachedContents", {"error"}),
        ("api.cohere.com", "/v1/rerank", {"id", "message"}),
        ("api.voyageai.com", "/v1/rerank", {"error"}),
    ],
)
def test_errors_of_an_opaque_call_are_the_providers(host: str, path: str, keys: set[str]) -> None:
    call = read("POST", path, host, {})
    reply = dialects.of(call).refuse(Condition("cassette_miss", 404, "nothing recorded", code="cassette_miss"), call)
    assert isinstance(reply.body, bytes)
    assert set(json.loads(reply.body)) >= keys
    assert reply.status == 404


def test_the_list_holds_every_dialect_once() -> None:
    names = [dialect.name for dialect in all_dialects()]
    assert {"openai_chat", "azure_chat", "models_list", "anthropic_messages", "gemini_generate", "cohere_chat"} <= set(
        names
    )
    assert "opaque" not in names
    assert all(dialect.api_version and dialect.features for dialect in all_dialects())


def test_what_an_entry_serves() -> None:
    entry = Entry("m:D", {"a": ("x",), "b": ANY})
    assert [entry.serves("x", "a"), entry.serves("y", "a"), entry.serves("y", "b"), entry.serves("y", "c")] == [
        True,
        False,
        True,
        False,
    ]
    assert entry.serves("y")
    assert not Entry("m:D", {"a": ("x",)}).serves("y")


@pytest.mark.parametrize(
    ("path", "provider", "family"),
    [
        ("//v1/messages", "anthropic", "anthropic.messages"),
        ("/v1/chat/c%6Fmpletions", "openai", "openai.chat"),
        ("/v1/chat/completions/", "openai", "openai.chat"),
    ],
)
def test_another_spelling_of_a_path_is_read_alike_and_kept_as_sent(path: str, provider: str, family: str) -> None:
    call = dialects.read(RawRequest("POST", path, body=b"{}"))
    assert (call.provider, call.family, call.raw.path) == (provider, family, path)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.spec)
def test_the_paths_of_an_entry_are_in_all_that_its_dialect_reads(entry: Entry) -> None:
    """Else a request would go past the dialect that knows it."""
    module, _, attribute = entry.spec.partition(":")
    dialect = getattr(import_module(module), attribute)
    providers = [name for named in entry.claims.values() for name in named if name != "*"] or ["openai", "groq"]
    paths = {re.sub(r"\{[^}]+\}", "x", route.path) for other in all_dialects() for route in other.routes}
    assert len(paths) > 50
    for path in paths:
        for method in ("GET", "POST", "DELETE"):
            for provider in providers:
                if dialect.read(RawRequest(method, path, body=b"{}"), provider) is not None:
                    assert any(part in path for part in entry.paths), path


def test_a_dialect_is_loaded_when_it_is_needed() -> None:
    code = (
        "import sys; from llm_simulator import dialects; from llm_simulator.types import RawRequest\n"
        "dialects.read(RawRequest('POST', '/v1/chat/completions', body=b'{}'))\n"
        "print(sorted(name for name in sys.modules if name.endswith(('_images', '_audio', '_files', '_realtime'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
