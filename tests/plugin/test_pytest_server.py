"""The plugin's other half by itself: what it is asked, what it answers, and that it ends with its input."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from calendar_project import write

from llm_simulator.errors import SimulatorError
from llm_simulator.testing.link import PROTOCOL, Link, LinkError, command

pytestmark = pytest.mark.wire

ASKED: dict[str, Any] = {
    "mode": "replay",
    "ignore": [],
    "after_last": "repeat",
    "speed": 0,
    "seed": 0,
    "scenario": "default",
    "upstreams": {},
    "environ": {"MY_API_KEY": "a-secret-of-many-letters"},
    "record_command": "pytest x --llm-mode=record-missing",
}


@pytest.fixture(scope="module")
def link() -> Iterator[Link]:
    made = Link(command())
    yield made
    made.close()


def ask(base_url: str, text: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=20)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_tests_are_apart_from_each_other(link: Link, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("q?", "1"), ("q?", "2"), recorded_at="2020-01-01T00:00:00.000Z")
    one = link.ask("open", test="one", cassette=str(tmp_path / "a.yaml"), **ASKED)
    two = link.ask("open", test="two", cassette=str(tmp_path / "a.yaml"), **ASKED)
    assert one["set"]["OPENAI_BASE_URL"] == f"{one['base_url']}/api.openai.com/v1"
    for opened in (one, two):
        _, answer = ask(opened["base_url"], "q?")
        assert answer["choices"][0]["message"]["content"] == "1"
    assert len(link.ask("calls", test="one")["calls"]) == 1
    assert link.ask("close", test="one", max_age=None) == {"recordings": 2, "unused": [2], "expired": [], "changed": []}
    assert link.ask("close", test="two", max_age=60) == {
        "recordings": 2,
        "unused": [2],
        "expired": [1, 2],
        "changed": [],
    }


def test_a_miss_is_told_in_full_and_without_secrets(link: Link, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", ("q?", "1"))
    opened = link.ask("open", test="one", cassette=str(tmp_path / "a.yaml"), **ASKED)
    status, answer = ask(opened["base_url"], "a-secret-of-many-letters")
    assert status == 404
    assert answer["error"]["code"] == "cassette_miss"
    (report,) = link.ask("calls", test="one")["misses"]
    assert report.startswith("No recording for POST /v1/chat/completions (openai, chat, gpt-4o-mini)")
    assert report.endswith("To record this call:         pytest x --llm-mode=record-missing")
    assert "many-letters" not in report
    link.ask("close", test="one", max_age=None)


def test_a_test_that_was_left_open_is_opened_anew(link: Link) -> None:
    first = link.ask("open", test="one", cassette="", **{**ASKED, "mode": "simulate"})
    second = link.ask("open", test="one", cassette="", **{**ASKED, "mode": "simulate"})
    with pytest.raises(ConnectionRefusedError):
        ask(first["base_url"], "x")
    assert ask(second["base_url"], "x")[0] == 200
    assert link.ask("close", test="one", max_age=60) == {"recordings": 0, "unused": [], "expired": [], "changed": []}


@pytest.mark.parametrize(
    ("what", "details", "message"),
    [
        ("dance", {}, "pytest-server does not know how to 'dance'; open, calls, scenario and close are known"),
        ("calls", {"test": "closed"}, "the simulator of closed is closed: its fixture has ended"),
        ("close", {"test": "closed", "max_age": None}, "the simulator of closed is closed: its fixture has ended"),
        (
            "open",
            {**ASKED, "test": "one", "cassette": "x", "speed": -1},
            "speed is -1; 0 (no waits) or above is allowed",
        ),
    ],
)
def test_what_it_refuses(link: Link, what: str, details: dict[str, Any], message: str) -> None:
    with pytest.raises(LinkError) as error:
        link.ask(what, **details)
    assert str(error.value) == message
    assert isinstance(error.value, SimulatorError)


def test_it_ends_with_its_input() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_simulator.cli", "pytest-server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    question = {"do": "open", "test": "one", "cassette": "", **ASKED, "mode": "simulate"}
    told, _ = process.communicate(json.dumps(question) + "\n", timeout=20)
    hello, opened = map(json.loads, told.splitlines())
    assert hello["protocol"] == PROTOCOL
    assert opened["ok"]["base_url"].startswith("http://127.0.0.1:")
    assert process.returncode == 0
