"""Rate limits and keys through the real server: headers that count down, refusals in the provider's words, SDKs that wait."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from serving import Got, ask, command_serving, serving
from standin import Script, standin

from llm_simulator.config.load import from_mapping
from llm_simulator.proxy.server import Server

pytestmark = pytest.mark.wire

HI: Any = [{"role": "user", "content": "Hi"}]
CHAT = {"model": "gpt-4o", "messages": HI}
CLAUDE = {"model": "claude-opus-5", "max_tokens": 64, "messages": HI}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
FORMATS: dict[str, tuple[str, Any]] = {
    "openai": ("/api.openai.com/v1/chat/completions", CHAT),
    "responses": ("/api.openai.com/v1/responses", {"model": "gpt-4o", "input": "Hi"}),
    "anthropic": ("/api.anthropic.com/v1/messages", CLAUDE),
    "azure": ("/x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21", {"messages": HI}),
    "gemini": ("/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent", GEMINI),
    "cohere": ("/api.cohere.com/v2/chat", {"model": "command-a-03-2025", "messages": HI}),
    "mistral": ("/api.mistral.ai/v1/chat/completions", {"model": "mistral-small-latest", "messages": HI}),
    "groq": ("/api.groq.com/openai/v1/chat/completions", {"model": "llama-3.3-70b-versatile", "messages": HI}),
    "together": ("/api.together.xyz/v1/chat/completions", {"model": "meta-llama/Llama-3-70b-chat-hf", "messages": HI}),
}


@contextmanager
def limited(limits: Any, environ: dict[str, str] | None = None, **sections: Any) -> Generator[Server]:
    settings = from_mapping({"simulation": {"speed": 0}, "limits": limits, **sections})
    with serving(replace(settings, port=0), environ) as server:
        yield server


def posted(server: Server, name: str = "openai", key: str = "sk-test", session: str = "", **more: str) -> Got:
    path, body = FORMATS[name]
    own = {"x-llm-simulator-session": session} if session else {}
    return ask(server.base_url, path, body, headers={"authorization": f"Bearer {key}", **own, **more})


def named(got: Got, pattern: str) -> dict[str, str]:
    return {name: value for name, value in got.headers if re.search(pattern, name)}


COUNTED = [
    ("openai", "x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"),
    ("responses", "x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"),
    ("anthropic", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-limit"),
    ("azure", "x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"),
    ("cohere", "x-trial-endpoint-call-remaining", "x-trial-endpoint-call-limit"),
    ("mistral", "x-ratelimit-remaining-req-minute", "x-ratelimit-limit-req-minute"),
    ("groq", "x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"),
    ("together", "x-ratelimit-remaining", "x-ratelimit-limit"),
]


@pytest.mark.parametrize(("name", "remaining", "limit"), COUNTED)
def test_headers_count_down_on_every_answer_in_the_providers_names(name: str, remaining: str, limit: str) -> None:
    with limited({"*": {"rpm": 3, "tpm": 100_000}}) as server:
        answers = [posted(server, name) for _ in range(4)]
    assert [got.status for got in answers] == [200, 200, 200, 429]
    assert [got.header(remaining) for got in answers] == ["2", "1", "0", "0"]
    assert {got.header(limit) for got in answers} == {"3"}
    assert all("limits" in got.header("x-llm-simulator-state") for got in answers)
    assert all(len([each for each, _ in got.headers if each == remaining]) == 1 for got in answers)
    assert 1 <= int(answers[3].header("retry-after")) <= 20


def test_each_provider_spells_resets_its_own_way() -> None:
    with limited({"*": {"rpm": 30, "tpm": 600}, "anthropic": {"tpm": "none", "itpm": 5000, "otpm": 2000}}) as server:
        assert re.fullmatch(r"\d+(\.\d+)?m?s", posted(server).header("x-ratelimit-reset-requests"))
        claude = named(posted(server, "anthropic"), "^anthropic-ratelimit")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", claude["anthropic-ratelimit-requests-reset"])
        assert {name.split("-", 2)[2].rpartition("-")[0] for name in claude} == {
            *("requests", "tokens", "input-tokens", "output-tokens"),
        }
        assert 1 <= int(posted(server, "azure").header("x-ratelimit-reset-requests")) <= 2000
        assert not named(posted(server, "gemini"), "ratelimit")


def test_gemini_says_in_its_body_when_to_come_back() -> None:
    with limited({"gemini": {"rpm": 1}}) as server:
        posted(server, "gemini")
        refused = posted(server, "gemini")
    assert (refused.status, refused.header("retry-after")) == (429, "")
    details = {each["@type"].rpartition(".")[2]: each for each in refused.json()["error"]["details"]}
    assert re.fullmatch(r"[3-6]\ds", details["RetryInfo"]["retryDelay"])
    assert details["QuotaFailure"]["violations"][0]["quotaValue"] == "1"


def test_errors_and_replayed_or_failed_answers_count_down_too() -> None:
    rules = [{"when": {"header": {"x-fail": "yes"}}, "then": {"fault": "server_error"}}, {"then": "server"}]
    with limited({"openai": {"rpm": 10}}, scenario="bad", scenarios={"bad": {"rules": rules}}) as server:
        first = posted(server, **{"x-fail": "yes"})
        second = ask(
            server.base_url, FORMATS["openai"][0], {"model": "gpt-4o"}, headers={"authorization": "Bearer sk-test"}
        )
    assert (first.status, second.status) == (500, 400)
    assert [got.header("x-ratelimit-remaining-requests") for got in (first, second)] == ["9", "8"]


def test_tokens_are_counted_as_they_were_used() -> None:
    with limited({"openai": {"tpm": 2000}}) as server:
        got = posted(server)
        used = got.json()["usage"]["total_tokens"]
        assert 2000 - used <= int(got.header("x-ratelimit-remaining-tokens")) < 2000 - used / 2  # a little comes back
        body = {**CHAT, "max_tokens": 3000}
        large = ask(server.base_url, FORMATS["openai"][0], body, headers={"authorization": "Bearer sk-test"})
    assert large.status == 429
    assert "Request too large" in large.json()["error"]["message"]
    assert not named(large, "retry-after")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({}, {}, True),
        ({}, {"key": "sk-other"}, False),
        ({"session": "a"}, {"session": "b"}, False),
        ({"session": "a"}, {"session": "a", "key": "sk-other"}, False),
    ],
)
def test_limits_are_by_key_and_session(one: Any, other: Any, shared: bool) -> None:
    with limited({"openai": {"rpm": 1}}) as server:
        assert posted(server, **one).status == 200
        assert posted(server, **other).status == (429 if shared else 200)


def test_snapshots_share_and_other_models_do_not() -> None:
    with limited({"openai": {"rpm": 1}}) as server:
        path = FORMATS["openai"][0]
        statuses = [
            ask(server.base_url, path, {"model": model, "messages": HI}).status
            for model in ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini")
        ]
    assert statuses == [200, 429, 200]


def test_limits_may_stand_with_what_else_is_said_of_a_provider() -> None:
    with limited(
        {"gpt-4o": {"rpm": 3}}, providers={"openai": {"limits": "tier-1"}, "cohere": {"enabled": False}}
    ) as server:
        assert named(posted(server), "^x-ratelimit-limit") == {
            "x-ratelimit-limit-requests": "3",
            "x-ratelimit-limit-tokens": "10000",
        }


def test_a_rule_has_limits_of_its_own() -> None:
    rules = [{"name": "few", "when": {"model": "gpt-4o"}, "then": {"limits": {"rpm": 2}}}, {"then": "server"}]
    with limited({}, scenario="tight", scenarios={"tight": {"rules": rules}}) as server:
        answers = [posted(server) for _ in range(3)]
        assert posted(server, "anthropic").status == 200
    assert [got.status for got in answers] == [200, 200, 429]
    assert answers[0].header("x-ratelimit-remaining-requests") == "1"
    assert answers[2].header("x-llm-simulator-rule") == "few"


def test_a_server_without_limits_says_nothing_of_them() -> None:
    with limited({}) as server:
        assert posted(server).header("x-llm-simulator-state") == ""
        assert ask(server.base_url, "/admin/limits").json() == {"limits": [], "slots": []}


@pytest.mark.parametrize(("mode", "used"), [("record", 60), ("passthrough", 6)])
def test_what_a_provider_counted_is_taken_at_the_end(mode: str, used: int, tmp_path: Path) -> None:
    """Where nobody reads its answer, the estimate stays."""
    usage = {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60}
    answer = {"id": "x", "object": "chat.completion", "choices": [], "usage": usage}
    own = (("content-type", "application/json"), ("x-ratelimit-remaining-requests", "77"))
    with standin(lambda _: Script(headers=own, chunks=((0, json.dumps(answer).encode()),)), None) as upstream:
        sections = {
            "cassettes": {"path": str(tmp_path / "c.db") if mode == "record" else "", "mode": mode},
            "upstreams": {"api.openai.com": upstream.url},
        }
        with limited({"openai": {"rpm": 10, "tpm": 1000}}, **sections) as server:
            first, second = posted(server), posted(server)
    assert (first.status, first.header("x-ratelimit-remaining-requests")) == (200, "9")
    left = [int(got.header("x-ratelimit-remaining-tokens")) for got in (first, second)]
    assert used / 2 < left[0] - left[1] <= used  # a little comes back


# --- SDKs


QUICK = 240
"""A minute: one in a quarter of a second."""
BEFORE = 5
"""That many others wait already."""


def drained(server: Server, name: str, key: str) -> None:
    """Uses up what there is, and a second more: others wait already."""
    path, body = FORMATS[name]
    refused = n = 0
    while refused < BEFORE:
        said = [{"role": "user", "content": f"before {(n := n + 1)}"}]
        refused += (
            ask(server.base_url, path, {**body, "messages": said}, headers={"authorization": f"Bearer {key}"}).status
            == 429
        )


def test_the_openai_sdk_waits_as_told_and_succeeds_at_its_first_retry() -> None:
    with limited({"openai": {"rpm": QUICK}}) as server:
        client = openai.OpenAI(api_key="sk-sdk", base_url=f"{server.base_url}/api.openai.com/v1", max_retries=1)
        drained(server, "openai", "sk-sdk")
        with ThreadPoolExecutor(3) as pool:  # each is told a time of its own, and each holds

            def asked(n: int) -> str | None:
                words: Any = [{"role": "user", "content": f"Hi {n}"}]
                return client.chat.completions.create(model="gpt-4o", messages=words).choices[0].message.content

            assert all(pool.map(asked, range(3)))
    statuses = [entry.status for entry in server.observer.journal]  # once stopped: an answer is noted after it is sent
    assert 1 <= statuses.count(429) - BEFORE <= 3


def test_the_anthropic_sdk_waits_as_told_and_succeeds_at_its_first_retry() -> None:
    with limited({"anthropic": {"rpm": QUICK}}) as server:
        client = anthropic.Anthropic(api_key="sk-ant", base_url=f"{server.base_url}/api.anthropic.com", max_retries=1)
        client = client.with_options(default_headers={"authorization": "Bearer sk-ant"})
        drained(server, "anthropic", "sk-ant")
        assert client.messages.create(model="claude-opus-5", max_tokens=64, messages=HI).content
    statuses = [entry.status for entry in server.observer.journal]
    assert statuses[-2:] == [429, 200]


# --- calls at once


def test_who_is_one_too_many_at_once_is_told_to_come_back_and_then_let_in() -> None:
    """The provider's own 429, not ours; coming back waits for its turn."""
    hang = [{"when": {"header": {"x-hang": None}}, "then": {"fault": "hang_before_headers"}}, {"then": "server"}]
    tiers = {"openai": {"concurrent": 1}}
    with limited(tiers, scenario="hang", scenarios={"hang": {"rules": hang}}) as server:
        client = openai.OpenAI(api_key="sk", base_url=f"{server.base_url}/api.openai.com/v1", max_retries=0)
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(
                lambda: client.with_options(timeout=3).chat.completions.create(
                    model="gpt-4o", messages=HI, extra_headers={"x-hang": "1"}
                )
            )
            while (refused := posted(server, key="sk")).status == 200:
                pass
            assert (refused.status, refused.header("retry-after")) == (429, "1")
            words: Any = [{"role": "user", "content": "Hello"}]
            again = client.with_options(max_retries=1).chat.completions.create(model="gpt-4o", messages=words)
            assert again.choices[0].message.content
            with pytest.raises(openai.APITimeoutError):
                held.result()


# --- keys

LISTED = {
    "policy": "listed",
    "listed": [
        "sk-good-1234567890",
        {"key": "env:OLD_KEY", "state": "expired"},
        {"key": "sk-broke-1234567890", "state": "no_credit"},
    ],
}


@pytest.mark.parametrize(
    ("name", "key", "status"),
    [
        ("openai", "sk-good-1234567890", 200),
        ("openai", "sk-stranger-1234567890", 401),
        ("openai", "sk-old-1234567890", 401),
        ("openai", "sk-broke-1234567890", 429),
        ("anthropic", "sk-good-1234567890", 200),
        ("anthropic", "sk-broke-1234567890", 400),
        ("gemini", "sk-old-1234567890", 400),
        ("gemini", "sk-broke-1234567890", 402),
        ("cohere", "sk-broke-1234567890", 402),
        ("mistral", "sk-stranger-1234567890", 401),
    ],
)
def test_keys_are_answered_by_what_is_known_of_them(name: str, key: str, status: int) -> None:
    with limited({}, {"OLD_KEY": "sk-old-1234567890"}, keys=LISTED) as server:
        assert posted(server, name, key).status == status


def test_keys_are_never_shown() -> None:
    with limited({}, {"OLD_KEY": "sk-old-1234567890"}, keys=LISTED) as server:
        for key in ("sk-broke-1234567890", "sk-old-1234567890"):
            posted(server, key=key)
        shown = "".join(
            ask(server.base_url, page).body.decode() for page in ("/admin/calls", "/admin/sessions", "/admin/limits")
        )
        assert "1234567890" not in shown
        assert "1234567890" not in repr(server.settings)
    entries = [entry.note for entry in server.observer.journal]
    assert entries == ["key no_credit", "key expired"]


def test_without_a_policy_any_key_goes() -> None:
    with limited({}) as server:
        assert ask(server.base_url, *FORMATS["openai"]).status == 200


# --- workers

SHARED_LIMITS = """
server: {workers: 2}
simulation: {speed: 0, concurrency: {max_concurrent_requests: 8, queue_size: 200}}
limits: {openai: {rpd: 25}}
sessions: {ttl_secs: 600}
breaker: {guards: all}
"""


def test_limits_slots_and_sessions_are_common_to_all_workers(tmp_path: Path) -> None:
    config = tmp_path / "llm-simulator.yaml"
    config.write_text(SHARED_LIMITS, encoding="utf-8")
    with command_serving("--config", str(config)) as (base_url, _):

        def asked(n: int) -> Got:
            words = [{"role": "user", "content": f"Hi {n}"}]
            own = {"x-llm-simulator-session": "all"}
            return ask(base_url, FORMATS["openai"][0], {"model": "gpt-4o", "messages": words}, headers=own)

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(asked, range(60)))
        assert sorted(got.status for got in answers) == [200] * 25 + [429] * 35
        left = [int(got.header("x-ratelimit-remaining-requests")) for got in answers if got.status == 200]
        assert sorted(left) == list(range(25))
        listed = ask(base_url, "/admin/sessions").json()["sessions"]
        assert [(each["id"], each["calls"], each["active"]) for each in listed] == [("all", 60, 0)]
        assert ask(base_url, "/admin/sessions/all", method="DELETE").status == 200
        assert asked(0).status == 200
        assert ask(base_url, "/admin/breakers/api.openai.com/gpt-4o/trip", method="POST").status == 200
        assert [asked(n).status for n in range(4)] == [503] * 4  # whichever worker is asked
