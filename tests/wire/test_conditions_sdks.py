"""Every condition of the catalogue over a real socket: the real SDKs raise what it says, after as many requests as it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conditions_rig import Refusing, Seen, hear_all, hurried, named, see_all, sent
from serving import serving

from llm_simulator.config.settings import Settings
from llm_simulator.dialects import conditions
from llm_simulator.dialects.conditions import Entry

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

OVER_HTTP = tuple(entry for entry in conditions.entries() if entry.spelled and entry.transport != "websocket")
OVER_WEBSOCKET = tuple(entry for entry in conditions.entries() if entry.transport == "websocket")
REQUEST_ID = {
    "openai": "x-request-id",
    "azure": "apim-request-id",
    "anthropic": "request-id",
    "cohere": "x-debug-trace-id",
    "mistral": "mistral-correlation-id",
}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """The real server; only what it decides is replaced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llm_simulator.proxy.server.Performer", Refusing)
        sent.clear()
        with serving(Settings(port=0)) as server:
            yield server.base_url


@pytest.fixture(scope="module")
def seen(base_url: str) -> dict[str, Seen]:
    """All that go over HTTP, asked once."""
    return hurried(see_all(OVER_HTTP, base_url))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("entry", OVER_HTTP, ids=lambda entry: entry.id)
def test_over_http(entry: Entry, seen: dict[str, Seen]) -> None:
    found = seen[entry.id]
    if entry.python is None:
        assert found.error is None
        assert found.result is not None
    else:
        assert type(found.error) is named(entry.python)
        assert plain(fixed(entry)) in plain(told(entry, found.error))
        assert_identified(entry, found.error)
    assert found.requests == entry.requests


def fixed(entry: Entry) -> str:
    """The longest piece of its message that does not depend on the request."""
    own = [re.escape(value) for value in entry.examples.values() if value in entry.message]
    return max(re.split("|".join(own), entry.message) if own else [entry.message], key=len)[:100]


def told(entry: Entry, error: Any) -> str:
    """What an error says; the OpenAI SDK finds nothing to say in the array that Gemini wraps its errors in."""
    return str(error.response.text) if isinstance(entry.body, list) else str(error)


def plain(text: str) -> str:
    """What is left of a message however an error quotes it."""
    return re.sub(r"[\W_]+", "", text.replace("\\n", " ").replace("\\u0026", "&"))


def assert_identified(entry: Entry, error: Any) -> None:
    """The request id is where the SDK shows it, or in the headers that it keeps."""
    name = REQUEST_ID.get(entry.provider)
    if name is None or entry.transport != "http":
        return
    response = getattr(error, "response", None) or getattr(error, "raw_response", None)
    headers = response.headers if response is not None else error.headers
    assert headers[name]
    if entry.provider in ("openai", "anthropic"):
        assert error.request_id == headers[name]


@pytest.fixture(scope="module")
def heard(base_url: str) -> dict[str, Seen]:
    """All that go over a WebSocket, asked once."""
    return asyncio.run(hear_all(OVER_WEBSOCKET, base_url))


@pytest.mark.parametrize("entry", OVER_WEBSOCKET, ids=lambda entry: entry.id)
def test_over_a_websocket(entry: Entry, heard: dict[str, Seen]) -> None:
    found = heard[entry.id]
    if entry.python is None:
        assert found.error is None
        assert found.result.type == "error"
        assert found.result.error.message == entry.message
    else:
        assert type(found.error) is named(entry.python)
    assert found.requests == entry.requests
