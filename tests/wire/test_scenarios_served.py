"""Scenarios through the real server and the real SDKs: what a fault raises, that a retry succeeds, and the same mix twice."""

from __future__ import annotations

import json
import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from calendar_project import write
from serving import Got, ask, llm_simulator, serving

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

HI: Any = [{"role": "user", "content": "Hi"}]
BODY = {"model": "gpt-4o", "messages": HI}
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@contextmanager
def playing(*rules: Any, name: str = "drill", speed: float = 0, **more: Any) -> Generator[Server]:
    scenario = {"rules": list(rules), **more.pop("scenario", {})}
    settings = from_mapping({"scenario": name, "scenarios": {name: scenario}, "simulation": {"speed": speed}})
    with serving(replace(settings, port=0, **more)) as server:
        yield server


def openai_client(server: Server, max_retries: int = 0, timeout: float = 20) -> openai.OpenAI:
    url = f"{server.base_url}/api.openai.com/v1"
    return openai.OpenAI(api_key="sk-test", base_url=url, max_retries=max_retries, timeout=timeout)


def anthropic_client(server: Server, max_retries: int = 0) -> anthropic.Anthropic:
    url = f"{server.base_url}/api.anthropic.com"
    return anthropic.Anthropic(api_key="sk-ant-test", base_url=url, max_retries=max_retries, timeout=20)


def posted(server: Server, body: Any = BODY, path: str = "/v1/chat/completions", **headers: str) -> Got:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(server.base_url, path, body, headers={"authorization": "Bearer sk-test", **sent})


def said(server: Server, **headers: str) -> Mapping[str, str]:
    got = posted(server, **headers)
    return {name.removeprefix("x-llm-simulator-"): value for name, value in got.headers if "llm-simulator" in name}


def entries(server: Server) -> list[Entry]:
    """The journal, once what was sent before is in it: a call is noted in the same step of the loop that ends it."""
    assert ask(server.base_url, "/live").status == 200
    return list(server.observer.journal)


# --- faults and the SDKs

RAISED: list[tuple[Any, str, str]] = [
    ("rate_limit", "RateLimitError", "RateLimitError"),
    ("overloaded", "InternalServerError", "OverloadedError"),
    ("server_error", "InternalServerError", "InternalServerError"),
    ("bad_gateway", "InternalServerError", "InternalServerError"),
    ("key_revoked", "AuthenticationError", "AuthenticationError"),
    ("forbidden", "PermissionDeniedError", "PermissionDeniedError"),
    ("model_not_found", "NotFoundError", "NotFoundError"),
    ("context_overflow", "BadRequestError", "BadRequestError"),
    ({"status": 409, "message": "Busy."}, "ConflictError", "ConflictError"),
    ("reset_before_headers", "APIConnectionError", "APIConnectionError"),
    ("close_before_response", "APIConnectionError", "APIConnectionError"),
    ("garbage_status_line", "APIConnectionError", "APIConnectionError"),
    ("early_close", "APIConnectionError", "APIConnectionError"),
    ("reset_mid_stream", "APIConnectionError", "APIConnectionError"),
    ("truncated_chunk", "APIConnectionError", "APIConnectionError"),
    ("wrong_content_length", "APIConnectionError", "APIConnectionError"),
    ("corrupt_gzip_200", "APIConnectionError", "APIConnectionError"),
    ("malformed_json", "JSONDecodeError", "JSONDecodeError"),
]


def test_a_fault_raises_what_it_does_at_the_provider() -> None:
    rules = [
        {"name": f"r{at}", "when": {"header": {"x-case": str(at)}}, "then": {"fault": fault}}
        for at, (fault, _, _) in enumerate(RAISED)
    ]
    with playing(*rules) as server, openai_client(server) as one, anthropic_client(server) as other:
        for at, (fault, of_openai, of_anthropic) in enumerate(RAISED):
            case = {"x-case": str(at)}
            with pytest.raises(Exception, check=lambda error: type(error).__name__ == of_openai):  # noqa: B023, B017
                one.chat.completions.create(model="gpt-4o", messages=HI, extra_headers=case)
            with pytest.raises(Exception, check=lambda error: type(error).__name__ == of_anthropic) as found:  # noqa: B023
                other.messages.create(model="claude-opus-5", max_tokens=50, messages=HI, extra_headers=case)
            if fault == "rate_limit":
                assert isinstance(found.value, anthropic.RateLimitError)
                assert found.value.response.headers["x-llm-simulator-rule"] == "r0"
                assert found.value.response.headers["x-llm-simulator-source"] == "fault"


def test_silence_until_the_clients_patience_ends() -> None:
    with (
        playing({"then": {"fault": "hang_before_headers"}}, drain_secs=0.0) as server,
        openai_client(server, timeout=0.5) as client,
    ):
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="gpt-4o", messages=HI)
        with pytest.raises(openai.APITimeoutError):
            list(client.chat.completions.create(model="gpt-4o", messages=HI, stream=True))


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "reset_before_headers"])
def test_the_first_attempts_fail_and_the_sdks_retry_succeeds(kind: str) -> None:
    fault = {"kind": kind, "first_attempts": 2, "retry_after": 0}
    with playing({"name": "all", "then": {"faults": [fault]}}) as server:
        with openai_client(server, max_retries=2) as one, anthropic_client(server, max_retries=2) as other:
            assert one.chat.completions.create(model="gpt-4o", messages=HI).choices[0].message.content
            assert other.messages.create(model="claude-opus-5", max_tokens=50, messages=HI).content
        statuses = [entry.status for entry in entries(server)]
        assert statuses == [*statuses[:2], 200, *statuses[3:5], 200]
        assert [entry.fault for entry in entries(server)] == [kind, kind, "", kind, kind, ""]
        with openai_client(server) as one, pytest.raises(openai.APIError):
            one.chat.completions.create(model="gpt-4o", messages=HI)


@pytest.mark.parametrize("kind", ["reset_mid_stream", "early_close", "truncated_chunk"])
@pytest.mark.parametrize("speed", [0.0, 50.0])
def test_a_stream_breaks_after_so_many_tokens(kind: str, speed: float) -> None:
    fault = {"kind": kind, "after_tokens": 3}
    with playing({"then": {"mode": "simulate", "fault": fault}}, speed=speed) as server:
        with openai_client(server) as client:
            seen: list[str] = []
            stream = client.chat.completions.create(model="gpt-4o", messages=HI, stream=True)
            with pytest.raises(openai.APIConnectionError):
                seen.extend(chunk.choices[0].delta.content or "" for chunk in stream)
        assert "".join(seen)
        entry = entries(server)[0]
        assert (entry.fault, entry.outcome, entry.source) == (kind, "truncated", "simulator")


def test_a_stream_breaks_in_the_middle_of_a_tool_call() -> None:
    respond = {"text": "Let me look.", "tool_calls": [{"name": "weather", "arguments": {"city": "Oslo and Bergen"}}]}
    fault = {"kind": "early_close", "in_tool_call": True, "after_tokens": 2}
    with playing({"then": {"respond": respond, "fault": fault}}) as server:
        got = posted(server, {**BODY, "tools": [TOOL], "stream": True})
    assert not got.complete
    pieces = [json.loads(line[6:]) for line in got.body.decode().split("\n\n") if line.startswith("data: {")]
    calls = [call for piece in pieces for call in piece["choices"][0]["delta"].get("tool_calls") or []]
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces) == "Let me look."
    assert '{"city":"Oslo and Bergen"}'.startswith(arguments)
    assert 0 < len(arguments) < 20


DEMO = str(resources.files("llm_simulator.cassettes") / "demo.yaml")
HELLO: Any = [{"role": "user", "content": "Say hello to the demo cassette."}]
RECORDED: list[tuple[str, Any]] = [
    ("/api.openai.com/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO, "max_tokens": 40, "stream": True}),
    (
        "/api.anthropic.com/v1/messages",
        {"model": "claude-sonnet-4-5", "max_tokens": 40, "messages": HELLO, "stream": True},
    ),
]


@pytest.mark.parametrize(("path", "body"), RECORDED)
def test_a_recorded_stream_breaks_like_a_simulated_one(path: str, body: Any) -> None:
    whole = {"name": "whole", "when": {"header": {"x-whole": None}}, "then": "replay"}
    broken = {"then": {"mode": "replay", "fault": {"kind": "early_close", "after_tokens": 4}}}
    with playing(whole, broken, cassette=DEMO, mode=Mode.REPLAY) as server:
        one, other = posted(server, body, path, x_whole="1"), posted(server, body, path)
    assert (one.complete, other.complete) == (True, False)
    assert other.header("x-llm-simulator-source") == "cassette"
    assert one.body.startswith(other.body)
    assert 0 < len(other.body) < len(one.body)
    assert other.body.endswith(b"\n\n")


# --- templates


def test_a_conversation_in_turns_in_both_formats() -> None:
    turns = [{"tool_calls": [{"name": "weather", "arguments": {"city": "{{ user }}"}}]}, "It is {{ tool_result }}."]
    with playing({"name": "agent", "then": {"respond": turns}}) as server:
        with openai_client(server) as client:
            first = client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Oslo"}], tools=[TOOL]
            )
            message = first.choices[0].message
            assert first.choices[0].finish_reason == "tool_calls"
            assert message.tool_calls is not None
            call: Any = message.tool_calls[0]
            assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})
            messages: Any = [
                {"role": "user", "content": "Oslo"},
                message.model_dump(exclude_none=True),
                {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"},
            ]
            second = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL])
            assert second.choices[0].message.content == "It is 12 degrees."
            stream = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[TOOL], stream=True)
            assert (
                "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
                == "It is 12 degrees."
            )
        with anthropic_client(server) as other:
            tool: Any = {"name": "weather", "input_schema": {"type": "object"}}
            asked: Any = [{"role": "user", "content": "Oslo"}]
            answer = other.messages.create(model="claude-opus-5", max_tokens=99, messages=asked, tools=[tool])
            used: Any = answer.content[0]
            assert (answer.stop_reason, used.name, used.input) == ("tool_use", "weather", {"city": "Oslo"})
            result = {"type": "tool_result", "tool_use_id": used.id, "content": "12 degrees"}
            asked += [{"role": "assistant", "content": [used.model_dump()]}, {"role": "user", "content": [result]}]
            with other.messages.stream(model="claude-opus-5", max_tokens=99, messages=asked, tools=[tool]) as streamed:
                assert streamed.get_final_text() == "It is 12 degrees."
        assert {entry.source for entry in entries(server)} == {"response"}


FORMATS: list[tuple[str, str, Any, list[Any]]] = [
    (
        "/api.openai.com/v1/responses",
        "responses",
        {"model": "gpt-4o", "input": "Hi"},
        ["output", 0, "content", 0, "text"],
    ),
    (
        "/generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
        "gemini",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        ["candidates", 0, "content", "parts", 0, "text"],
    ),
    (
        "/api.cohere.com/v2/chat",
        "cohere",
        {"model": "command-a-03-2025", "messages": HI},
        ["message", "content", 0, "text"],
    ),
    (
        "/api.mistral.ai/v1/chat/completions",
        "mistral",
        {"model": "mistral-small-latest", "messages": HI},
        ["choices", 0, "message", "content"],
    ),
    (
        "/api.openai.com/v1/completions",
        "completions",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"},
        ["choices", 0, "text"],
    ),
]


def test_a_template_in_every_format() -> None:
    with playing({"then": {"respond": {"json": {"said": "{{ user }}", "to": "{{ provider }}"}}}}) as server:
        for path, name, body, where in FORMATS:
            got = posted(server, body, path)
            value = got.json()
            for step in where:
                value = value[step]
            assert json.loads(value)["said"] in ("Hi", ""), name
            assert got.header("x-llm-simulator-source") == "response"
        listed = ask(server.base_url, "/api.openai.com/v1/models", headers={"authorization": "Bearer sk-test"})
        assert listed.status == 501


def test_a_template_that_fails_says_which_rule() -> None:
    with playing({"name": "bad", "then": {"respond": "{{ nothing.here }}"}}) as server:
        got = posted(server)
    assert got.status == 500
    assert "scenario drill, rule bad: template" in got.json()["error"]["message"]


# --- shares


def _sources(server: Server, order: list[int]) -> dict[int, str]:
    found = {}
    for which in order:
        got = posted(server, {**BODY, "messages": [{"role": "user", "content": f"call {which}"}]})
        found[which] = got.header("x-llm-simulator-rule")
    return found


def test_a_share_of_30_percent_is_the_same_twice_in_any_order() -> None:
    rules = (
        {"name": "made up", "when": {"share": 0.3}, "then": {"respond": "Hi"}},
        {"name": "rest", "then": "simulate"},
    )
    order = list(range(150))
    with playing(*rules) as server:
        one = _sources(server, order)
    random.Random(7).shuffle(order)
    with playing(*rules) as server:
        assert _sources(server, order) == one
    assert 30 <= list(one.values()).count("made up") <= 60


def test_recorded_synthetic_templated_and_failed_in_one_run_counted_and_the_same_twice(tmp_path: Path) -> None:
    cassette = tmp_path / "c.yaml"
    write(cassette, *((f"days in month {month}?", str(month)) for month in range(40)))
    bodies = [
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"days in month {month}?"}]}
        for month in range(40)
    ]
    rules = (
        {"name": "failed", "when": {"share": 0.2}, "then": {"fault": "rate_limit"}},
        {"name": "templated", "when": {"share": 0.3}, "then": {"respond": "{{ choice('a', 'b') }} to {{ user }}"}},
        {"name": "synthetic", "when": {"share": 0.4}, "then": "simulate"},
        {"name": "recorded", "then": "replay"},
    )

    def run() -> tuple[Any, list[tuple[int, bytes]]]:
        with playing(*rules, name="mix", cassette=str(cassette)) as server:
            answers = [posted(server, body) for body in bodies]
            entries(server)
            return server.observer.tally.as_json()["scenarios"], [(got.status, got.body) for got in answers]

    scenarios, answers = run()
    mix = scenarios["mix"]
    assert mix["calls"] == 40
    assert set(mix["answered"]) == {"failed", "templated", "simulated", "replayed"}
    assert sum(mix["rules"].values()) == 40
    assert mix["faults"] == {"rate_limit": mix["answered"]["failed"]}
    assert run() == (scenarios, answers)


def test_a_rule_records_what_another_mode_would_simulate(tmp_path: Path) -> None:
    store = tmp_path / "c.yaml"
    with serving(Settings(port=0, mode=Mode.SIMULATE, speed=0)) as upstream:
        more: Any = {"cassette": str(store), "upstreams": {"api.openai.com": upstream.base_url}}
        path = "/api.openai.com/v1/chat/completions"
        rules = (
            {"name": "new", "when": {"user": "Hi"}, "then": "record-missing"},
            {"name": "rest", "then": "simulate"},
        )
        with playing(*rules, **more) as server:
            found = [posted(server, BODY, path) for _ in range(2)]
            other = posted(server, {**BODY, "messages": [{"role": "user", "content": "Bye"}]}, path)
            assert [got.header("x-llm-simulator-source") for got in found] == ["upstream", "cassette"]
            assert other.header("x-llm-simulator-source") == "simulator"
            assert server.observer.tally.total().recorded == 1
    assert store.exists()


def test_vary_gives_each_occurrence_an_answer_of_its_own() -> None:
    with playing({"then": "simulate"}) as server:
        assert posted(server).body == posted(server).body
    with playing({"then": "simulate"}, scenario={"vary": "occurrence"}) as server:
        first, second = posted(server).body, posted(server).body
        assert first != second
        assert posted(server, x_llm_simulator_occurrence="0").body == first


# --- choosing


def test_a_header_chooses_and_an_unknown_name_is_refused() -> None:
    with playing({"name": "all", "then": {"respond": "Hi"}}) as server:
        assert said(server)["scenario"] == "drill"
        down = said(server, x_llm_simulator_scenario="failover-drill")
        assert (down["scenario"], down["rule"], down["source"]) == ("failover-drill", "primary down", "fault")
        assert said(server, x_llm_simulator_scenario="default")["scenario"] == "default"
        got = posted(server, x_llm_simulator_scenario="nope")
        assert got.status == 400
        assert "no scenario 'nope'; there are default, drill, agent-loop" in got.json()["error"]["message"]
        assert got.json()["error"]["code"] == "unknown_scenario"


def test_a_scenario_is_activated_for_all_or_for_a_session() -> None:
    with playing({"name": "all", "then": {"respond": "Hi"}}) as server:
        base = server.base_url
        assert ask(base, "/admin/scenarios/failover-drill/activate?session=s1", b"", method="POST").status == 200
        assert said(server, x_llm_simulator_session="s1")["rule"] == "primary down"
        assert said(server, x_llm_simulator_session="s2")["rule"] == "all"
        assert ask(base, "/admin/scenarios/default/activate", b"", method="POST").json() == {"active": "default"}
        assert said(server)["scenario"] == "default"
        shown = ask(base, "/admin/scenarios").json()
        assert (shown["active"], shown["sessions"]) == ("default", {"s1": "failover-drill"})
        assert {"name": "drill", "about": "", "shipped": False} in shown["scenarios"]
        assert ask(base, "/admin/scenarios/nope/activate", b"", method="POST").status == 404
        assert ask(base, "/admin/scenarios/flaky/activate").status == 405


def test_a_websocket_handshake_is_under_the_scenario_too() -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    upgrade |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "authorization": "Bearer sk-test"}
    refused = {"name": "refused", "when": {"header": {"x-bad": None}}, "then": {"fault": "rate_limit"}}
    with playing(refused, {"name": "rest", "then": "simulate"}, drain_secs=0.0) as server:
        path = "/api.openai.com/v1/realtime?model=gpt-realtime"
        got = ask(server.base_url, path, headers={**upgrade, "x-bad": "1"})
        assert (got.status, got.header("x-llm-simulator-source")) == (429, "fault")
        assert got.header("x-llm-simulator-rule") == "refused"
        got = ask(server.base_url, path, headers=upgrade)
        assert (got.status, got.header("x-llm-simulator-scenario")) == (101, "drill")


def test_a_key_is_revoked_after_ten_calls_of_a_session() -> None:
    with playing({"then": "server"}) as server:
        ask(server.base_url, "/admin/scenarios/key-revoked/activate", b"", method="POST")
        found = [posted(server, {**BODY, "n": 1, "seed": at}) for at in range(12)]
    assert [got.status for got in found] == [200] * 10 + [401] * 2
    assert found[-1].header("x-llm-simulator-state") == "phase revoked"


def test_a_rule_has_its_own_speed_and_validation() -> None:
    slow = {"name": "paced", "when": {"header": {"x-paced": None}}, "then": {"mode": "simulate", "speed": 20}}
    strict = {
        "name": "strict",
        "when": {"header": {"x-strict": None}},
        "then": {"mode": "simulate", "validation": "provider"},
    }
    with playing(slow, strict) as server:
        quick, paced = posted(server), posted(server, x_paced="1")
        assert float(paced.header("x-llm-simulator-total-ms")) > 0
        assert paced.body == quick.body
        assert posted(server, {**BODY, "temperature": 9}).status == 200
        assert posted(server, {**BODY, "temperature": 9}, x_strict="1").status == 400


def test_the_commands_know_scenarios(tmp_path: Path) -> None:
    listed = llm_simulator("scenario", "list")
    assert "failover-drill" in listed.stdout
    assert llm_simulator("scenario", "show", "flaky").stdout.startswith("# What it tests: ")
    own = tmp_path / "c.yaml"
    own.write_text("scenarios:\n  mine:\n    about: my own\n    rules: [{name: all, then: {respond: Hi}}]\n", "utf-8")
    assert "my own  (yours)" in llm_simulator("scenario", "list", "--config", str(own)).stdout
    shown = llm_simulator("scenario", "show", "mine", "--config", str(own), "--json")
    assert json.loads(shown.stdout) == {"name": "mine", "about": "my own", "rules": ["all"], "phases": []}
    wrong = llm_simulator("scenario", "show", "nope")
    assert (wrong.returncode, "no scenario 'nope'" in wrong.stderr) == (2, True)
    wrong = llm_simulator("serve", "--port", "0", "--scenario", "nope")
    assert (wrong.returncode, "no scenario 'nope'" in wrong.stderr) == (2, True)
    drill = tmp_path / "drill.yaml"
    drill.write_text("rules:\n - {name: down, then: {fault: server_error}}\n", "utf-8")
    program = (
        "import os, urllib.request as u, urllib.error as e\n"
        "try: u.urlopen(u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b'{}'))\n"
        "except e.HTTPError as error: print(error.code)"
    )
    ran = llm_simulator("run", "--mode", "simulate", "--scenario", str(drill), "--", "python3", "-c", program)
    assert ran.stdout.strip() == "500"
    assert "scenario drill: 1 failed; by rule: down 1; faults: server_error 1" in ran.stderr
