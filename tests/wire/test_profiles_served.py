"""The user's profiles in the running server: headers, journal, failures, load, pings; and an unpaced run tells its times."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import COMMAND, Got, ask, command_serving, serving

from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.perform import Performer
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]}
MESSAGE = {"model": "claude-sonnet-4-5", "max_tokens": 40, "messages": [{"role": "user", "content": "Hello!"}]}
MINE = """\
profiles:
  - name: mine/failing
    models: failing*
    ttft: 5
    tokens_per_second: 100
    errors: [{status: 429, rate: 0.25, condition: openai.rate_limit_requests}, {status: 503, rate: 0.25}]
  - name: mine/busy
    models: busy*
    ttft: 10
    rate: 0.1
    load: {slots: 2, slowdown: 0.1}
  - name: mine/slow
    provider: anthropic
    models: "*"
    ttft: 100
    itl: 4
  - name: mine/clockwork
    models: gpt-4o*
    ttft: {p50_ms: 5000, p95_ms: 5000}
    rate: 0.1
    length: 20
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mine.yaml").write_text(MINE)
    return Settings(
        port=0, speed=0.0, mode=Mode.SIMULATE, profiles=(str(tmp_path / "mine.yaml"),), models=("failing", "busy")
    )


def chat(url: str, **more: Any) -> Got:
    return ask(url, "/v1/chat/completions", {**CHAT, **more})


def test_an_unpaced_answer_still_tells_when_it_would_have_come(settings: Settings) -> None:
    with serving(settings) as server:
        whole, streamed = chat(server.base_url), chat(server.base_url, stream=True)
        (first, second) = ask(server.base_url, "/admin/calls").json()["calls"]
    for got in (whole, streamed):
        assert got.header("x-llm-simulator-profile") == "mine/clockwork"
        assert got.header("x-llm-simulator-ttft-ms") == "5000.000"
        assert float(got.header("x-llm-simulator-total-ms")) > 6900
    calls = sorted((first, second), key=lambda call: bool(call["stream"]))
    assert [call["virtual_ttft"] for call in calls] == [5.0, 5.0]
    assert [f"{call['virtual_total'] * 1e3:.3f}" for call in calls] == [
        got.header("x-llm-simulator-total-ms") for got in (whole, streamed)
    ]
    assert {call["profile"] for call in calls} == {"mine/clockwork"}
    assert whole.reads[-1][0] - whole.reads[0][0] < 5


def test_embeddings_and_lists_have_times_of_their_own(settings: Settings) -> None:
    with serving(settings) as server:
        embedded = ask(server.base_url, "/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"})
        listed = ask(server.base_url, "/v1/models", headers={"authorization": "Bearer sk-x"})
    assert embedded.header("x-llm-simulator-profile") == "openai/embeddings"
    assert 50 < float(embedded.header("x-llm-simulator-total-ms")) < 2000
    assert listed.header("x-llm-simulator-profile") == "openai/objects-read"


def test_a_model_without_a_profile_names_its_nearest(settings: Settings) -> None:
    with serving(settings) as server:
        near, own = chat(server.base_url, model="gpt-5-mini"), chat(server.base_url, model="gpt-5.2")
    assert near.header("x-llm-simulator-profile") == "openai/gpt-5.2"
    assert near.header("x-llm-simulator-profile-by") == "pattern gpt-5*"
    assert own.header("x-llm-simulator-profile") == "openai/gpt-5.2"


def test_failures_come_as_often_as_the_profile_says(settings: Settings) -> None:
    with serving(settings) as server:
        made = [chat(server.base_url, model="failing") for _ in range(40)]
    counts = [sum(got.status == status for got in made) for status in (200, 429, 503)]
    assert counts == [pytest.approx(20, abs=2), pytest.approx(10, abs=2), pytest.approx(10, abs=2)]
    limited = next(got for got in made if got.status == 429)
    assert limited.header("x-llm-simulator-source") == "fault"
    assert limited.json()["error"]["code"] == "rate_limit_exceeded"
    assert limited.header("x-llm-simulator-total-ms") == "5000.000"


def test_who_finds_no_slot_waits_and_is_told_so(settings: Settings) -> None:
    with (
        serving(replace(settings, speed=100.0)) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        waiting = [pool.submit(chat, server.base_url, model="busy", user=str(n), max_tokens=5) for n in range(4)]
        made = [each.result() for each in waiting]
    states = [got.header("x-llm-simulator-state") for got in made]
    waits = sorted(float(state.rpartition("=")[2]) for state in states)
    assert all(state.startswith("load running=") for state in states)
    assert waits[:2] == [0.0, 0.0]
    assert min(waits[2:]) > 5000  # virtual ms: until one of the first two has ended
    assert max(float(got.header("x-llm-simulator-ttft-ms")) for got in made) > 15_000


def test_anthropic_pings_in_long_waits_and_gemini_does_not(settings: Settings) -> None:
    with serving(replace(settings, speed=1000.0)) as server:
        streamed = ask(server.base_url, "/v1/messages", {**MESSAGE, "stream": True})
        again = ask(
            server.base_url, "/v1/messages", {**MESSAGE, "stream": True}, headers={"x-llm-simulator-occurrence": "0"}
        )
    assert streamed.status == 200
    assert streamed.body.startswith(b"event: message_start")  # a ping never comes before it
    pings = streamed.body.count(b'event: ping\ndata: {"type": "ping"}\n\n')
    total = float(streamed.header("x-llm-simulator-total-ms")) / 1e3
    assert pings == 1 + int((total - 100) / 30)
    assert streamed.body == again.body


def test_the_command_takes_files_of_profiles(settings: Settings) -> None:
    (mine,) = settings.profiles
    with command_serving("--mode", "simulate", "--speed", "0", "--profile", mine) as (url, _):
        assert chat(url).header("x-llm-simulator-profile") == "mine/clockwork"


def test_a_wrong_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("profiles:\n- {name: x, models: '*', ttft: {p50: 3}, itl: fast}\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml:2: profiles\[0\]\.ttft\.p50"):
        Performer(Settings(profiles=(str(tmp_path / "wrong.yaml"),)), None, None)
    made = subprocess.run(
        [*COMMAND, "serve", "--port", "0", "--profile", str(tmp_path / "wrong.yaml")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert made.returncode == 2
    assert "profiles[0].itl: got 'fast'" in made.stderr
    assert "Traceback" not in made.stderr
