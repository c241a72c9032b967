"""Several workers on one port: what they share is exact, none of them is missed when it dies, all end together."""

from __future__ import annotations

import asyncio
import ctypes
import http.client
import itertools
import json
import os
import re
import signal
import socket
import tempfile
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from crew_rig import CHAT, Crewed, alive, crewed, question, until
from serving import ask, free_port, llm_simulator, serving
from standin import Asked, Script, standin

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.types import Exchange, Mode, RawRequest

pytestmark = [pytest.mark.wire, pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")]

CALLS = 200
VARIES = ("date", "x-llm-simulator-state")  # law (c)
CONFIG = """
version: "2.0"
scenarios:
  counted:
    vary: occurrence
    phases: {by: calls, steps: [{name: up, for: 60}, {name: down, for: 90}, {name: again}]}
    rules:
      - {when: {phase: down}, then: {fault: overloaded}}
  mixed:
    rules:
      - name: some
        when: {share: 0.3}
        then: {faults: [{kind: rate_limit, probability: 0.2}, {kind: overloaded, first_attempts: 1, priority: 2}]}
      - name: others
        then: {faults: [{kind: server_error, probability: 0.1}]}
  down:
    rules:
      - {then: {fault: overloaded}}
"""


@pytest.fixture(scope="module")
def simulating(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Crewed, int]]:
    """Two workers that simulate, and the port of their metrics."""
    config, port = tmp_path_factory.mktemp("workers") / "config.yaml", free_port()
    config.write_text(CONFIG + f"telemetry: {{metrics: {{prometheus_port: {port}}}}}\n")
    with crewed("--mode", "simulate", "--speed", "0", "--config", str(config)) as server:
        yield server, port


def test_equal_calls_are_counted_once_each(simulating: tuple[Crewed, int]) -> None:
    server, _ = simulating
    got = server.at_once(CALLS, question("vary"), x_llm_simulator_scenario="counted", x_llm_simulator_session="vary")
    told = Counter(answer.status for answer in got)
    assert told == {200: CALLS - 90, 503: 90}
    bodies = Counter(answer.body for answer in got if answer.status == 200)
    assert set(bodies.values()) == {1}, "two calls were counted as the same occurrence"


def test_two_workers_answer_as_one_does(simulating: tuple[Crewed, int]) -> None:
    """Distinct calls, and equal ones that come without a number of their own: the same answers, in any order."""
    settings = replace(from_mapping(yaml.safe_load(CONFIG)), mode=Mode.SIMULATE, port=0, speed=0.0)
    with serving(settings) as alone:
        one = answers(alone.base_url, clients=1)
    assert answers(simulating[0].base_url, clients=16) == one
    assert {status for status, _, _ in one} >= {200, 429, 500, 503}


def answers(base_url: str, clients: int) -> Counter[tuple[int, tuple[tuple[str, str], ...], bytes]]:
    """Status, headers and body of many calls under one scenario, equal ones counted."""
    bodies = [question(f"distinct {number}", stream=number % 2 == 0, max_tokens=8) for number in range(60)]
    bodies += [question(f"equal {number % 3}", max_tokens=8) for number in range(60)]
    headers = {"x-llm-simulator-scenario": "mixed", "x-llm-simulator-session": "law"}
    with ThreadPoolExecutor(clients) as pool:
        asked = [pool.submit(ask, base_url, CHAT, body, headers=headers) for body in bodies]
        got = [one.result() for one in asked]
    return Counter(
        (one.status, tuple(header for header in one.headers if header[0].lower() not in VARIES), one.body)
        for one in got
    )


def test_every_call_is_in_the_books(simulating: tuple[Crewed, int]) -> None:
    server, port = simulating
    before = server.get("/admin/summary")["total"]["calls"]
    server.at_once(50, question("books"))
    assert server.get("/admin/summary")["total"]["calls"] == before + 50
    calls = server.get("/admin/calls?limit=10")
    assert (calls["total"], len(calls["calls"])) == (before + 50, 10)
    for url in (server.base_url, f"http://127.0.0.1:{port}"):
        text = ask(url, "/metrics").body.decode()
        counts = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("llm_requests_total{")]
        assert sum(counts) == before + 50
        assert "llm_workers 2.0" in text
    assert ask(f"http://127.0.0.1:{port}", "/admin/calls").status == 404


def test_a_scenario_is_switched_for_all(simulating: tuple[Crewed, int]) -> None:
    server, _ = simulating
    assert ask(server.base_url, "/admin/scenarios/down/activate", method="POST").status == 200
    assert {answer.status for answer in server.at_once(40, question("switch"))} == {503}
    named = ask(server.base_url, "/admin/scenarios/default/activate?session=mine", method="POST")
    assert named.json()["scenario"] == "default"
    mine = server.at_once(40, question("switch"), x_llm_simulator_session="mine")
    assert {answer.status for answer in mine} == {200}
    seen = [server.get("/admin/scenarios") for _ in range(20)]
    assert {(one["active"], json.dumps(one["sessions"])) for one in seen} == {("down", '{"mine": "default"}')}
    ask(server.base_url, "/admin/scenarios/default/activate", method="POST")
    assert {answer.status for answer in server.at_once(40, question("switch"))} == {200}
    assert ask(server.base_url, "/admin/scenarios/nothing/activate", method="POST").status == 404


def test_small_writes_go_out_at_once(simulating: tuple[Crewed, int]) -> None:
    """TCP_NODELAY is set on the sockets of every worker: looked up in the worker's own table of files."""
    server, _ = simulating
    parts = urlsplit(server.base_url)
    connections = [http.client.HTTPConnection(str(parts.hostname), parts.port or 0) for _ in range(12)]
    try:
        for connection in connections:
            connection.request("GET", "/live")
            connection.getresponse().read()
        found = [option for pid in server.workers() for option in no_delays(pid, parts.port or 0)]
        assert len(found) >= len(connections)
        assert all(found)
    finally:
        for connection in connections:
            connection.close()


def no_delays(pid: int, port: int) -> list[int]:
    """TCP_NODELAY of each connection that a process has accepted on a port."""
    established = {
        line.split()[9]
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01"
    }
    descriptor = os.pidfd_open(pid)
    found: list[int] = []
    try:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            inode = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(file))
            if inode is None or inode[1] not in established:
                continue
            got = ctypes.CDLL(None, use_errno=True).syscall(438, descriptor, int(file.name), 0)  # pidfd_getfd
            if got < 0:
                pytest.skip(f"the sockets of another process cannot be looked at: {os.strerror(ctypes.get_errno())}")
            with socket.socket(fileno=got) as sock:
                found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    finally:
        os.close(descriptor)
    return found


def test_a_worker_that_is_killed_is_replaced_and_its_counts_remain() -> None:
    with crewed("--mode", "simulate", "--speed", "0") as server:
        server.at_once(40, question())
        assert server.get("/admin/summary")["total"]["calls"] == 40
        for killed in server.workers():  # both, so that whoever answers next has seen none of the calls
            os.kill(killed, signal.SIGKILL)
            until(lambda killed=killed: _replaced(server, killed))  # type: ignore[misc]
        assert server.get("/admin/summary")["total"]["calls"] == 40
        assert server.get("/admin/calls")["total"] == 40
        server.at_once(10, question())
        text = ask(server.base_url, "/metrics").body.decode()
        assert "llm_worker_restarts_total 2.0" in text
        assert server.get("/admin/summary")["total"]["calls"] == 50


def test_one_that_comes_later_has_what_is_in_force(tmp_path: Path) -> None:
    """A configuration that was taken, a scenario of it that was activated, and a response that was stored, after the start."""
    config = tmp_path / "config.yaml"
    config.write_text("simulation: {speed: 0}\n")
    with crewed("--mode", "simulate", "--config", str(config)) as server:
        config.write_text("simulation: {speed: 0}\nscenarios: {late: {rules: [{then: {fault: overloaded}}]}}\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: ask(server.base_url, "/admin/scenarios/late/activate", method="POST").status == 200)
        ask(server.base_url, "/admin/scenarios/default/activate", method="POST")
        left = ask(server.base_url, "/v1/responses", {"model": "gpt-4o", "input": "Hi"}).json()
        ask(server.base_url, "/admin/scenarios/late/activate", method="POST")
        for killed in server.workers():
            os.kill(killed, signal.SIGKILL)
            until(lambda killed=killed: _replaced(server, killed))  # type: ignore[misc]
        assert {answer.status for answer in server.at_once(30, question())} == {503}
        assert server.get("/admin/scenarios")["active"] == "late"
        ask(server.base_url, "/admin/scenarios/default/activate", method="POST")
        assert {ask(server.base_url, f"/v1/responses/{left['id']}").status for _ in range(8)} == {200}


def _replaced(server: Crewed, killed: int) -> bool:
    try:
        workers = server.workers()
    except (OSError, http.client.HTTPException):
        return False  # asked the dead one
    return len(workers) == 2 and killed not in workers


def test_the_end_waits_for_a_stream() -> None:
    with crewed("--mode", "simulate", "--scenario", "slow", "--speed", "3") as server:
        parts = urlsplit(server.base_url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 0, timeout=30)
        body = question("Tell me", stream=True, max_tokens=20)
        connection.request("POST", CHAT, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        first = response.read1(64)
        server.process.send_signal(signal.SIGTERM)
        rest = response.read()
        assert (first + rest).endswith(b"data: [DONE]\n\n")
        assert server.process.wait(30) == 0, server.log()
        connection.close()


def test_without_the_keeper_nobody_serves() -> None:
    with crewed("--mode", "simulate") as server:
        supervisor, workers = server.process.pid, server.workers()
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        (keeper,) = {*map(int, children)} - {*workers}
        os.kill(keeper, signal.SIGKILL)
        assert server.process.wait(30) == 1
        assert "the process that keeps what workers share ended (SIGKILL)" in server.log()
        assert not any(map(alive, workers))


def test_an_interrupt_from_the_terminal_ends_all() -> None:
    """Ctrl-C reaches every process of the group."""
    with crewed("--mode", "simulate") as server:
        supervisor = server.process.pid
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        for process in (supervisor, *map(int, children)):
            os.kill(process, signal.SIGINT)
        assert server.process.wait(30) == 0, server.log()
        assert "Traceback" not in server.log()


def test_workers_do_not_outlive_their_supervisor() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        crewed("--mode", "simulate", environ={"TMPDIR": folder}) as server,
    ):
        (private,) = Path(folder).iterdir()
        assert private.stat().st_mode & 0o777 == 0o700
        workers = server.workers()
        server.process.kill()
        until(lambda: not any(map(alive, workers)))
        with pytest.raises(OSError, match="refused"):
            ask(server.base_url, "/live")
        until(lambda: not private.exists())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cassette", "/nowhere/a.db", "--mode", "replay"), "/nowhere/a.db"),
        (("--proxy-port", "0"), "--proxy-port needs one worker"),
    ],
    ids=["cassette", "door"],
)
def test_what_cannot_start_says_why(arguments: tuple[str, ...], said: str) -> None:
    done = llm_simulator("serve", "--port", "0", "--workers", "2", *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    with crewed("--mode", "simulate") as server:
        done = llm_simulator("serve", "--port", server.base_url.rpartition(":")[2], "--workers", "2")
        assert (done.returncode, "cannot listen" in done.stderr) == (2, True)


def test_what_a_call_left_behind_is_found_by_every_worker(simulating: tuple[Crewed, int]) -> None:
    server, _ = simulating
    last: dict[str, Any] = {}
    for number in range(6):  # a conversation that goes on from response to response, each call on another connection
        more = {"previous_response_id": last["id"]} if last else {}
        last = ask(server.base_url, "/v1/responses", {"model": "gpt-4o", "input": f"turn {number}", **more}).json()
        assert last["object"] == "response", last
        found = [ask(server.base_url, f"/v1/responses/{last['id']}").status for _ in range(8)]
        assert found == [200] * 8
    gone = ask(server.base_url, f"/v1/responses/{last['id']}", method="DELETE")
    assert gone.status == 200
    assert {ask(server.base_url, f"/v1/responses/{last['id']}").status for _ in range(8)} == {404}


# --- recordings


def recorded(number: int, text: str = "again") -> Exchange:
    body = json.dumps({"number": number}).encode()
    kind = ("content-type", "application/json")
    asked = json.dumps(question(text)).encode()
    request = RawRequest("POST", CHAT, headers=(kind,), body=asked)
    headers = (kind, ("content-length", str(len(body))))
    return Exchange(request, "openai", "openai.chat", "chat", "gpt-4o", False, 200, headers, ((0, body),), "OK")


def cassette(path: Path, exchanges: list[Exchange]) -> Path:
    async def write() -> None:
        made = await Cassette.open(str(path), read=dialects.read, writable=True)
        for exchange in exchanges:
            await made.add(exchange, dialects.read(exchange.request), replace=False)
        await made.close()

    asyncio.run(write())
    return path


@pytest.mark.parametrize("name", ["many.db", "many.yaml"])
def test_equal_calls_play_each_recording_once(tmp_path: Path, name: str) -> None:
    many = cassette(tmp_path / name, [*(recorded(number) for number in range(30)), recorded(99, "never")])
    with crewed("--cassette", str(many), "--mode", "replay") as server:
        played = Counter(answer.json()["number"] for answer in server.at_once(40, question("again")))
        assert played == {**dict.fromkeys(range(29), 1), 29: 11}  # the last one again and again
        assert len(server.get("/admin/cassette")["unused"]) == 1


def test_what_one_worker_recorded_all_know(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Script:
        return Script(headers=(("content-type", "application/json"),), chunks=((0.0, b"{}"),), chunked=False)

    with (
        standin(answer, None) as upstream,
        crewed(
            "--cassette",
            str(tmp_path / "new.db"),
            "--mode",
            "record-missing",
            "--upstream",
            f"api.openai.com={upstream.url}",
        ) as server,
    ):
        for number in range(5):
            assert ask(server.base_url, f"/api.openai.com{CHAT}", question(f"call {number}")).status == 200
            for _ in range(6):
                again = ask(server.base_url, f"/api.openai.com{CHAT}", question(f"call {number}"))
                assert again.header("x-llm-simulator-source") == "cassette"
        assert len(upstream.asked) == 5
        state = server.get("/admin/cassette")
        assert (state["recordings"], state["recorded"], state["unused"]) == (5, 5, [])


def test_a_run_replaces_what_others_recorded_once(tmp_path: Path) -> None:
    """Mode record: the first call of a key drops the old recordings, whichever worker it meets; the order stays."""
    numbers = itertools.count()

    def answer(asked: Asked) -> Script:
        body = json.dumps({"number": next(numbers)}).encode()
        return Script(headers=(("content-type", "application/json"),), chunks=((0.0, body),), chunked=False)

    old = cassette(tmp_path / "old.db", [recorded(100, "again"), recorded(101, "again")])
    target = f"/api.openai.com{CHAT}"
    with standin(answer, None) as upstream:
        record = ("--mode", "record", "--upstream", f"api.openai.com={upstream.url}")
        with crewed("--cassette", str(old), *record) as server:
            for _ in range(8):
                ask(server.base_url, target, question("again"))
            with ThreadPoolExecutor(16) as pool:
                bodies = [question(f"other {number}") for number in range(100)]
                asked = [pool.submit(ask, server.base_url, target, body) for body in bodies]
                assert {one.result().status for one in asked} == {200}
    with crewed("--cassette", str(old), "--mode", "replay") as server:
        assert server.get("/admin/cassette")["recordings"] == 108
        played = [ask(server.base_url, CHAT, question("again")).json()["number"] for _ in range(8)]
        assert played == list(range(8))


# --- connections


def test_connections_above_the_limit_are_turned_away() -> None:
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0.0, max_connections=2)) as server:
        parts = urlsplit(server.base_url)
        held = [http.client.HTTPConnection(str(parts.hostname), parts.port or 0) for _ in range(2)]
        for connection in held:
            connection.request("GET", "/live")
            assert connection.getresponse().read()
        refused = ask(server.base_url, CHAT, question())
        assert (refused.status, refused.header("retry-after"), refused.complete) == (503, "1", True)
        assert refused.json()["error"]["code"] == "max_connections"
        held[1].request("GET", "/metrics")
        assert b"llm_connections_refused_total 1.0" in held[1].getresponse().read()
        held.pop().close()
        until(lambda: ask(server.base_url, CHAT, question()).status == 200)
        held.pop().close()


def test_metrics_have_a_port_of_their_own() -> None:
    port = free_port()
    with serving(Settings(mode=Mode.SIMULATE, port=0, speed=0.0, metrics_port=port)) as server:
        ask(server.base_url, CHAT, question())
        text = ask(f"http://127.0.0.1:{port}", "/metrics").body
        assert b"llm_requests_total{" in text
        assert ask(f"http://127.0.0.1:{port}", "/live").status == 404
