"""Every dialect declares what it answers, and its examples are answered."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest

from llm_simulator import dialects
from llm_simulator.dialects import registry
from llm_simulator.dialects.base import Dialect, Plain, Route
from llm_simulator.errors import SimulatorError
from llm_simulator.proxy import providers
from llm_simulator.proxy.openapi import document
from llm_simulator.proxy.selfcheck import host_of, request_of, trials
from llm_simulator.simulator.engine import Engine

NOT_BY_HTTP = {"realtime", "realtime.response", "responses.connect", "responses.turn"}  # over WebSocket
ANTHROPIC = [dialect for dialect in registry.dialects() if dialect.provider == "anthropic"]
BY_A_LINK = {"images.file"}  # the path is given by an answer


@pytest.mark.parametrize("dialect", registry.dialects(), ids=lambda dialect: f"{dialect.name} {dialect.provider}")
def test_every_example_is_answered(dialect: Dialect) -> None:
    tried = trials(dialect)
    assert [(trial.route.method, trial.route.path, trial.problem) for trial in tried if trial.problem] == []
    for trial in tried:
        call = dialects.read(trial.request)
        assert call.operation == trial.route.operation, trial.route
        assert (call.provider, call.problem) == (dialect.provider, ""), trial.route
        assert bool(trial.streamed) is trial.route.streams


def test_every_operation_has_an_example() -> None:
    simulated, shown = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for dialect in registry.dialects():
        simulated[dialect.name] |= dialect.simulates
        shown[dialect.name] |= {route.operation for route in dialect.routes}
    lacking = {name: simulated[name] - shown[name] - NOT_BY_HTTP - BY_A_LINK for name in simulated}
    assert {name: operations for name, operations in lacking.items() if operations} == {}


def test_an_example_that_needs_an_id_says_so_where_there_is_none() -> None:
    route = Route("GET", "/v1/files/{file_id}", "files.retrieve", "A file", values={"file_id": "$files.create"})
    with pytest.raises(SimulatorError, match=r"no answer to files\.create gave an id"):
        request_of(route, "api.openai.com", {})
    assert request_of(route, "api.openai.com", {"files.create": "file-1"}).path == "/v1/files/file-1"


def test_a_leaf_of_a_body_is_filled_in() -> None:
    route = Route("POST", "/v1/x", "x", "X", {"a": [{"b": "$y"}], "n": 1})
    assert request_of(route, "h", {"y": "made"}).body == b'{"a": [{"b": "made"}], "n": 1}'


class Broken(Plain):
    """A third party's dialect that reads nothing of its own."""

    name, provider, api_version = "broken", "openai", "v1"
    features = simulates = frozenset[str]()
    routes: tuple[Route, ...] = (Route("POST", "/v1/chat/completions", "chat", "Chat", {"model": "gpt-4o-mini"}),)


def test_a_dialect_that_fails_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "dialects", lambda: (Broken(), *ANTHROPIC))
    told = providers.listing()
    assert (told["status"], told["failed"]) == ("failed", 1)
    assert told["providers"][0]["health"]["status"] == "failed"
    (reason,) = told["providers"][0]["health"]["reasons"]
    assert reason.startswith("chat (POST /v1/chat/completions): 400: ")
    assert all(item["health"]["status"] == "ok" for item in told["providers"][1:])


def test_a_dialect_that_raises_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken()
    broken.routes = (replace(broken.routes[0], body={1, 2}),)  # no JSON
    silent = Broken()
    silent.routes = ()
    monkeypatch.setattr(registry, "dialects", lambda: (broken, silent))
    states = [item["health"] for item in providers.listing()["providers"]]
    assert [state["status"] for state in states] == ["failed", "unknown"]
    assert states[0]["reasons"][0].startswith("TypeError: ")


def test_hosts() -> None:
    assert (host_of("openai"), host_of("azure"), host_of("nobody")) == (
        "api.openai.com",
        "my-resource.openai.azure.com",
        "",
    )


def test_the_document_says_what_requests_and_answers_have() -> None:
    shown = document(())["paths"]
    create = shown["/api.openai.com/v1/files"]["post"]
    assert list(create["requestBody"]["content"]) == ["multipart/form-data"]
    one = shown["/api.openai.com/v1/files/{file_id}"]
    assert {"get", "delete"} <= one.keys()
    assert one["get"]["parameters"][0]["name"] == "file_id"
    speech = shown["/api.openai.com/v1/audio/speech"]["post"]["responses"]["200"]["content"]
    assert list(speech) == ["audio/mpeg"]
    stream = shown["/generativelanguage.googleapis.com/v1beta/models/{model}:streamGenerateContent"]["post"]
    assert stream["responses"]["200"]["content"].keys() == {"application/json", "text/event-stream"}
    assert stream["parameters"][1]["name"] == "alt"


def test_examples_do_not_depend_on_each_other_s_engine() -> None:
    (dialect, *_) = ANTHROPIC
    engine = Engine(0)
    assert [trial.body for trial in trials(dialect, engine)] == [trial.body for trial in trials(dialect, engine)]
