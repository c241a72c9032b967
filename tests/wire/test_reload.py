"""Another configuration while the server runs: by admin page, signal and file; what is in flight goes on as it began."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from serving import Got, ask, command_serving, serving

from llm_simulator.config.settings import Settings

pytestmark = pytest.mark.wire

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
FAST = """\
simulation: {seed: 3, speed: 0}
providers:
  gpt-4o: {latency: {ttft: {p50_ms: 100, p95_ms: 200}, tokens_per_second: 100}}
"""
SECRET = "hidden-token-of-ours"
TOKEN = {"authorization": f"Bearer {SECRET}"}


class Running:
    """A server process and its configuration file."""

    def __init__(self, url: str, process: Any, path: Path) -> None:
        self.url, self.process, self.path = url, process, path

    def write(self, text: str) -> None:
        """As an editor does: the old file stays whole until the new one is."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, "utf-8")
        os.replace(fresh, self.path)

    def called(self, **headers: str) -> Got:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.url, "/v1/chat/completions", BODY, headers={"authorization": "Bearer x", **named})

    def profile(self) -> str:
        return self.called().header("x-llm-simulator-profile")

    def config(self) -> Any:
        return ask(self.url, "/admin/config", headers=TOKEN).json()

    def post(self, text: str, page: str = "/admin/config", **headers: str) -> Got:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.url, page, text.encode(), headers={**TOKEN, **named})

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            threading.Event().wait(0.05)
        raise AssertionError("it does not come")


@contextmanager
def running(path: Path, *more: str, text: str = FAST) -> Generator[Running]:
    path.write_text(text, "utf-8")
    with command_serving("--config", str(path), "--admin-token", SECRET, *more) as (url, process):
        yield Running(url, process, path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """One that is not asked to watch: what it takes it was told to."""
    with running(tmp_path_factory.mktemp("reload") / "c.yaml", "--no-watch") as made:
        yield made


def test_a_posted_configuration_is_in_force_when_it_is_answered(server: Running) -> None:
    before = server.config()["generation"]
    got = server.post("simulation: {speed: 0}\nproviders: {gpt-4o: {enabled: false}}\n")
    assert (got.status, got.json()) == (200, {"result": "ok", "generation": before + 1})
    refused = server.called()
    assert (refused.status, refused.json()["error"]["code"]) == (404, "model_not_found")
    got = server.post('{"simulation": {"speed": 0}}', content_type="application/json")
    assert (got.status, server.profile()) == (200, "openai/gpt-4o")
    assert server.post("", "/admin/config/reload").json()["result"] == "ok"
    assert server.profile() == "config/gpt-4o"
    again = server.post("", "/admin/config/reload").json()
    assert (again["result"], again["generation"]) == ("unchanged", server.config()["generation"])


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("server: {prot: 1}\nproviders: {a: {enabeld: 1}}", 400, "POST /admin/config:2: providers.a.enabeld: no such"),
        ("server: [", 400, "POST /admin/config:2: not valid YAML"),
        ("cassettes: {mode: replay, path: x.db}", 409, "cassettes.path: is 'x.db' and was "),
        (
            "server: {host: 0.0.0.0}",
            409,
            "server.host: is '0.0.0.0' and was '127.0.0.1'; it cannot change while the server",
        ),
        (
            "cassettes: {mode: record}",
            409,
            "cassettes.mode: record forwards to providers, and the server was started to",
        ),
        ("scenario: nix", 400, "there is no scenario 'nix'"),
        ("simulation: {profiles: [/nowhere.yaml]}", 400, "/nowhere.yaml: cannot be read"),
        ("scenarios: {a: {rules: [{then: {profile: nix}}]}}\nscenario: a", 400, "there is no latency profile 'nix'"),
    ],
)
def test_a_bad_one_changes_nothing_and_says_why(server: Running, text: str, status: int, says: str) -> None:
    before, profile = server.config(), server.profile()
    got = server.post(f"{text}\n")
    assert got.status == status
    assert any(says in line for line in got.json()["errors"])
    after = server.config()
    assert (after["generation"], after["config"], server.profile()) == (before["generation"], before["config"], profile)
    assert after["last_error"]["errors"] == got.json()["errors"]
    assert after["last_error"]["result"] == {400: "invalid", 409: "refused"}[status]


def test_the_page_asks_for_the_token_and_shows_no_secret(server: Running) -> None:
    assert ask(server.url, "/admin/config").status == 403
    assert ask(server.url, "/admin/config/reload", b"").status == 403
    assert ask(server.url, "/admin/config/reload", headers=TOKEN).status == 405
    told = ask(server.url, "/admin/config", headers=TOKEN).body.decode()
    assert "hidden-token" not in told
    assert json.loads(told)["config"]["server"]["admin_token"] == "***"


def test_reloads_are_counted_by_their_result(server: Running) -> None:
    server.post("a: [")
    lines = ask(server.url, "/metrics").body.decode().splitlines()
    counts = {line.partition(" ")[0]: line for line in lines if line.startswith("llm_config_reloads_total{")}
    assert 'llm_config_reloads_total{result="invalid"}' in counts


def test_a_stream_in_flight_goes_on_as_it_began(server: Running) -> None:
    slow = "simulation: {speed: 1}\nproviders: {gpt-4o: {latency: {ttft: {mean_ms: 1}, itl: {mean_ms: 40}}}}\n"
    assert server.post(slow).status == 200
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    body = {**BODY, "stream": True, "max_tokens": 40}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": "Bearer x"})
    response = connection.getresponse()
    first = response.read1(100)
    assert server.post("simulation: {speed: 0}\nproviders: {gpt-4o: {enabled: false}}\n").status == 200
    assert server.called().status == 404
    whole = first + response.read()
    assert (response.status, response.getheader("x-llm-simulator-profile")) == (200, "config/gpt-4o")
    assert whole.endswith(b"data: [DONE]\n\n")
    assert whole.count(b'"content"') > 10
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": "Bearer x"})
    assert connection.getresponse().status == 404  # the next call of the same connection is under the new one
    connection.close()


def test_counts_sessions_and_scenario_outlive_it(server: Running) -> None:
    drill = "scenarios: {drill: {rules: [{when: {nth: 3}, then: {fault: overloaded}}]}}\nsimulation: {speed: 0}\n"
    assert server.post(drill).status == 200
    assert ask(server.url, "/admin/scenarios/drill/activate", b"", headers=TOKEN).status == 200
    assert [server.called(x_llm_simulator_session="s").status for _ in range(2)] == [200, 200]
    assert server.post(drill.replace("overloaded", "rate_limit")).status == 200
    got = server.called(x_llm_simulator_session="s")
    assert (got.status, got.header("x-llm-simulator-scenario")) == (429, "drill")  # the third, by the new rule
    gone = server.post("simulation: {speed: 0}\n")
    assert (gone.status, "scenario 'drill' is in force" in gone.json()["errors"][0]) == (400, True)
    assert ask(server.url, "/admin/scenarios/default/activate", b"", headers=TOKEN).status == 200
    assert server.post("simulation: {speed: 0}\n").status == 200


def test_a_configured_scenario_is_put_in_force(server: Running) -> None:
    assert server.post("scenario: outage\nsimulation: {speed: 0}\n").status == 200
    assert server.called().header("x-llm-simulator-scenario") == "outage"
    assert server.post("simulation: {speed: 0}\n").status == 200
    assert server.called().header("x-llm-simulator-scenario") == "default"


def test_a_signal_takes_the_file_anew(server: Running) -> None:
    server.write(FAST.replace("seed: 3", "seed: 41"))
    os.kill(server.process.pid, signal.SIGHUP)
    server.until(lambda: ask(server.url, "/").header("x-llm-simulator-seed") == "41")
    assert server.config()["seed"] == 41


def test_flags_stay_over_the_file_and_a_drawn_seed_is_drawn_once(tmp_path: Path) -> None:
    with running(
        tmp_path / "c.yaml", "--speed", "0", "--no-watch", text="simulation: {deterministic: false}\n"
    ) as made:
        seed = made.config()["seed"]
        assert str(seed) == ask(made.url, "/").header("x-llm-simulator-seed")
        assert ask(made.url, "/").json()["seed"] == seed
        made.write("simulation: {deterministic: false, speed: 7, models: [a]}\n")
        assert made.post("", "/admin/config/reload").json()["result"] == "ok"
        told = made.config()
        assert (told["seed"], told["deterministic"]) == (seed, False)
        assert (told["config"]["simulation"]["speed"], told["config"]["simulation"]["models"]) == (0.0, ["a"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_changes_is_taken_by_every_worker(tmp_path: Path, workers: str) -> None:
    path = tmp_path / "c.yaml"
    with running(path, "--workers", workers) as made:
        assert {made.profile() for _ in range(8)} == {"config/gpt-4o"}
        threading.Event().wait(1.0)  # what watches begins beside the first calls
        made.write(FAST.replace("  gpt-4o:", "  gpt-4o-mini:"))
        made.until(lambda: made.config()["generation"] == 2)
        assert {made.profile() for _ in range(8)} == {"openai/gpt-4o"}
        made.write("server: {prot: 1}\n")
        made.until(lambda: made.config()["last_error"] is not None)
        assert {made.profile() for _ in range(8)} == {"openai/gpt-4o"}
        assert made.post("simulation: {speed: 0}\nproviders: {gpt-4o: {enabled: false}}\n").status == 200
        assert {made.called().status for _ in range(16)} == {404}


def test_a_worker_that_is_replaced_begins_with_what_is_in_force(tmp_path: Path) -> None:
    with running(tmp_path / "c.yaml", "--workers", "2", "--no-watch") as made:
        assert made.post("simulation: {speed: 0}\nproviders: {gpt-4o: {enabled: false}}\n").status == 200

        def pids() -> set[int]:
            return {worker["process"] for worker in ask(made.url, "/admin/workers", headers=TOKEN).json()["workers"]}

        def replaced(gone: int) -> bool:
            try:
                now = pids()
            except OSError:
                return False  # the one that is gone was asked
            return gone not in now and len(now) == 2

        before = pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
            made.until(partial(replaced, pid))
        assert not before & pids()
        assert {made.called().status for _ in range(16)} == {404}


def test_settings_of_another_program_are_fixed() -> None:
    with serving(Settings(port=0)) as server:
        assert ask(server.base_url, "/admin/config").json()["generation"] == 1
        got = ask(server.base_url, "/admin/config", b"{}")
        assert (got.status, got.json()["result"]) == (409, "refused")
