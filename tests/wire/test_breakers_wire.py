"""Circuit breakers before real upstreams and before simulated answers, seen and set by hand."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from serving import Got, ask, serving
from standin import Asked, Script, Standin, standin

from llm_simulator.config.load import from_mapping
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
PATH = "/api.openai.com/v1/chat/completions"
ADMIN = "/admin/breakers/api.openai.com/gpt-4o"
QUICK = {"failures": 2, "successes": 1, "timeout_secs": 0.05}
SLOW = {"failures": 2, "successes": 1, "timeout_secs": 600}


def script(asked: Asked) -> Script:
    failing = b"fail" in asked.body
    if b"break" in asked.body:
        return Script(chunks=((0, b'{"id":'),), end="reset")
    body = json.dumps({"error": {"message": "down"}} if failing else {"id": "x"}).encode()
    return Script(500 if failing else 200, chunks=((0, body),))


@contextmanager
def guarded(breaker: Any, **more: Any) -> Generator[tuple[Server, Standin]]:
    with standin(script, None) as upstream:
        sections = {
            "breaker": breaker,
            "upstreams": {"api.openai.com": upstream.url},
            "simulation": {"speed": 0},
            **more,
        }
        settings = replace(from_mapping(sections), port=0)
        if not settings.scenarios:
            settings = replace(settings, mode=Mode.PASSTHROUGH)
        with serving(settings) as server:
            yield server, upstream


def called(server: Server, word: str = "ok", session: str = "", path: str = PATH) -> Got:
    body = {**CHAT, "messages": [{"role": "user", "content": word}]}
    return ask(server.base_url, path, body, headers={"x-llm-simulator-session": session} if session else {})


def listed(server: Server) -> dict[str, str]:
    found = ask(server.base_url, "/admin/breakers").json()["breakers"]
    return {f"{each['upstream']}/{each['model']}/{each['session']}": each["state"] for each in found}


def until_ok(server: Server) -> Got:
    while (got := called(server)).status != 200:
        assert got.status == 503
    return got


def test_it_opens_after_failures_in_a_row_and_then_the_upstream_is_left_alone() -> None:
    with guarded(SLOW) as (server, upstream):
        assert [called(server, word).status for word in ("fail", "ok", "fail", "fail", "ok")] == [
            500,
            200,
            500,
            500,
            503,
        ]
        refused = called(server)
        assert len(upstream.asked) == 4
        assert refused.header("x-llm-simulator-state") == "breaker open"
        assert 590 < int(refused.header("retry-after")) <= 600
        assert refused.json()["error"]["code"] == "breaker_open"
        assert listed(server) == {"api.openai.com/gpt-4o/": "open"}
        metrics = ask(server.base_url, "/metrics").body.decode()
        notes = [entry.note for entry in server.observer.journal]
    assert 'llm_breaker_transitions_total{model="gpt-4o",state="open",upstream="api.openai.com"} 1.0' in metrics
    assert "closed -> open" in notes[3]
    assert "is open" in notes[4]


def test_half_open_a_success_closes_it_and_a_failure_opens_it_again() -> None:
    with guarded(QUICK) as (server, _):
        for _ in range(2):
            called(server, "fail")
        while (got := called(server, "fail")).status == 503:
            pass
        assert got.status == 500  # the probe
        until_ok(server)
        assert listed(server) == {"api.openai.com/gpt-4o/": "closed"}


def test_an_answer_that_breaks_off_is_a_failure_and_an_unreachable_upstream_too() -> None:
    with guarded(SLOW) as (server, _):
        for _ in range(2):
            called(server, "break")
        assert called(server).status == 503
    with guarded(SLOW, upstreams={"api.openai.com": "http://127.0.0.1:9"}) as (server, _):
        assert [called(server).status for _ in range(3)] == [502, 502, 503]


def test_it_is_of_its_upstream_and_model() -> None:
    with guarded(SLOW) as (server, _):
        for _ in range(2):
            called(server, "fail")
        other = ask(server.base_url, PATH, {**CHAT, "model": "gpt-4o-mini"})
        assert (called(server).status, other.status) == (503, 200)


def test_sessions_have_breakers_of_their_own() -> None:
    with guarded(SLOW) as (server, _):
        for _ in range(2):
            called(server, "fail", "a")
        assert (called(server, session="a").status, called(server, session="b").status, called(server).status) == (
            *(503, 200, 200),
        )
        assert listed(server)["api.openai.com/gpt-4o/a"] == "open"


def test_tripped_and_reset_by_hand() -> None:
    with guarded(SLOW) as (server, upstream):
        called(server, session="a")
        tripped = ask(server.base_url, f"{ADMIN}/trip", method="POST")
        assert tripped.json() == {"upstream": "api.openai.com", "model": "gpt-4o", "state": "open"}
        assert (called(server).status, called(server, session="a").status, called(server, session="new").status) == (
            *(503, 503, 503),
        )
        assert len(upstream.asked) == 1
        assert ask(server.base_url, f"{ADMIN}/reset", method="POST").json()["state"] == "closed"
        assert (called(server).status, called(server, session="a").status) == (200, 200)
        only = ask(server.base_url, f"{ADMIN}/trip?session=a", method="POST")
        assert only.status == 200
        assert (called(server).status, called(server, session="a").status) == (200, 503)
        waits = called(server, session="a").header("retry-after")
        assert 590 < int(waits) <= 600  # by the terms of the server
        assert ask(server.base_url, "/admin/breakers/x/y/burn", method="POST").status == 404
        assert ask(server.base_url, f"{ADMIN}/trip").status == 405


def test_it_guards_simulated_answers_where_that_is_asked_for() -> None:
    rules = [{"when": {"user": "fail"}, "then": {"fault": "server_error"}}, {"then": "simulate"}]
    scenario = {"scenario": "drill", "scenarios": {"drill": {"rules": rules}}}
    with guarded({**SLOW, "guards": "all"}, **scenario) as (server, _):
        assert [called(server, word).status for word in ("fail", "fail", "ok")] == [500, 500, 503]
    with guarded(SLOW, **scenario) as (server, _):
        assert [called(server, word).status for word in ("fail", "fail", "ok")] == [500, 500, 200]


def test_a_rule_has_a_breaker_of_its_own() -> None:
    faults = [{"kind": "server_error", "header": {"x-fail": None}}]
    rules = [{"when": {"model": "gpt-4o"}, "then": {"mode": "simulate", "breaker": SLOW, "faults": faults}}]
    with guarded(None, scenario="drill", scenarios={"drill": {"rules": rules}}) as (server, _):
        failing = [ask(server.base_url, PATH, CHAT, headers={"x-fail": "1"}).status for _ in range(3)]
        assert failing == [500, 500, 503]
        assert called(server, path="/api.anthropic.com/v1/messages").status != 503


def test_without_one_configured_nothing_is_guarded() -> None:
    with guarded(None) as (server, upstream):
        assert [called(server, "fail").status for _ in range(8)] == [500] * 8
        assert len(upstream.asked) == 8
        assert listed(server) == {}
        nothing = ask(server.base_url, f"{ADMIN}/trip", method="POST")
        assert (nothing.status, "nothing guards" in nothing.json()["error"]) == (409, True)
