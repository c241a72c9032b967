"""Sessions by header, path prefix or key: what each keeps for itself, when it ends, and that nothing of it is left then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from serving import Got, ask, serving

from llm_simulator.config.load import from_mapping
from llm_simulator.proxy.server import Server

pytestmark = pytest.mark.wire

HI: Any = [{"role": "user", "content": "Hi"}]
CHAT = {"model": "gpt-4o", "messages": HI}
PATH = "/api.openai.com/v1/chat/completions"
AGAIN = [{"when": {"nth": {"every": 1, "by": "calls"}}, "then": {"respond": "{{ occurrence }}"}}]
COUNTING = {"rules": AGAIN}


@contextmanager
def kept(**sections: Any) -> Generator[Server]:
    sections.setdefault("simulation", {"speed": 0})
    with serving(replace(from_mapping(sections), port=0)) as server:
        yield server


def by_header(server: Server, name: str, body: Any = CHAT) -> Got:
    return ask(server.base_url, PATH, body, headers={"x-llm-simulator-session": name})


def by_path(server: Server, name: str, body: Any = CHAT) -> Got:
    return ask(server.base_url, f"/session/{name}{PATH}", body)


def by_key(server: Server, name: str, body: Any = CHAT) -> Got:
    return ask(server.base_url, PATH, body, headers={"authorization": f"Bearer sk-{name}"})


def said(got: Got) -> str:
    text: str = got.json()["choices"][0]["message"]["content"]
    return text


def ids(server: Server) -> set[str]:
    return {each["id"] for each in ask(server.base_url, "/admin/sessions").json()["sessions"]}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


@pytest.mark.parametrize("called", [by_header, by_path, by_key])
def test_each_session_counts_for_itself(called: Callable[[Server, str], Got]) -> None:
    with kept(scenario="count", scenarios={"count": COUNTING}) as server:
        counts = [said(called(server, name)) for name in ("a", "a", "b", "a", "b")]
    assert counts == ["0", "1", "0", "2", "1"]


@pytest.mark.parametrize("called", [by_header, by_path, by_key])
def test_each_session_has_its_own_limits(called: Callable[[Server, str], Got]) -> None:
    with kept(limits={"openai": {"rpm": 1}}) as server:
        assert [called(server, name).status for name in ("a", "b", "a", "b")] == [200, 200, 429, 429]


def test_header_and_path_name_the_same_session() -> None:
    with kept(limits={"openai": {"rpm": 1}}) as server:
        assert [by_header(server, "a").status, by_path(server, "a").status] == [200, 429]


@pytest.mark.parametrize("sessions", [{}, {"ttl_secs": 600}])
def test_they_are_listed_and_ended(sessions: Any) -> None:
    with kept(scenario="count", scenarios={"count": COUNTING}, sessions=sessions) as server:
        names = ["a", "b/c d"]
        for name in names:
            by_header(server, name)
        assert ids(server) == set(names)
        one = ask(server.base_url, f"/admin/sessions/{quote(names[1], safe='')}")
        assert (one.status, one.json()["id"]) == (200, names[1])
        ended = ask(server.base_url, f"/admin/sessions/{quote(names[1], safe='')}", method="DELETE")
        assert (ended.status, ended.json()) == (200, {"ended": names[1]})
        assert ids(server) == {"a"}
        assert ask(server.base_url, "/admin/sessions/nobody", method="DELETE").status == 404
        assert [said(by_header(server, name)) for name in names] == ["1", "0"]


def test_nothing_of_an_ended_session_is_left() -> None:
    """Counts, shelf, order of recordings, limits, breakers, scenario."""
    cassette = str(Path(__file__).parents[2] / "cassettes" / "demo.yaml")
    with kept(
        cassettes={"path": cassette},
        limits={"openai": {"rpm": 1}},
        breaker={"failures": 1, "guards": "all"},
        scenarios={"down": {"rules": [{"then": {"fault": "server_error"}}]}},
    ) as server:
        stored = ask(
            server.base_url,
            "/session/a/api.openai.com/v1/files",
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x\r\nContent-Disposition: form-data; '
            b'name="file"; filename="f.jsonl"\r\n\r\n{}\r\n--x--\r\n',
            headers={"content-type": "multipart/form-data; boundary=x"},
        ).json()["id"]
        ask(server.base_url, "/admin/scenarios/down/activate?session=a", method="POST")
        assert [by_header(server, "a").status for _ in range(2)] == [500, 429]
        assert ask(server.base_url, "/admin/breakers").json()["breakers"]
        assert ask(server.base_url, "/admin/sessions/a", method="DELETE").status == 200
        assert ids(server) == set()
        assert ask(server.base_url, "/admin/breakers").json() == {"breakers": []}
        assert ask(server.base_url, "/admin/scenarios").json()["sessions"] == {}
        assert by_header(server, "a").status == 200
        listing = ask(server.base_url, f"/session/a/api.openai.com/v1/files/{stored}")
        assert listing.status == 404


def test_a_silent_session_is_forgotten() -> None:
    with kept(scenario="count", scenarios={"count": COUNTING}, sessions={"ttl_secs": 1.0}) as server:
        assert [said(by_header(server, "a")) for _ in range(2)] == ["0", "1"]
        until(lambda: ids(server) == set())
        assert said(by_header(server, "a")) == "0"


def test_a_session_that_expires_during_a_call_completes_then_expires() -> None:
    slow = [
        {"when": {"header": {"x-slow": None}}, "then": {"fault": {"delay": 2.5}, "respond": "{{ occurrence }}"}},
        *AGAIN,
    ]
    sections = {"simulation": {"speed": 1}, "sessions": {"ttl_secs": 0.3}}
    with kept(scenario="slow", scenarios={"slow": {"rules": slow}}, **sections) as server:
        own = {"x-llm-simulator-session": "a", "x-slow": "1"}
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(ask, server.base_url, PATH, CHAT, headers=own)
            until(lambda: "a" in ids(server))
            threading.Event().wait(0.4)  # its time is over, and yet it is there
            assert ids(server) == {"a"}
            assert first.result(20).status == 200
        until(lambda: ids(server) == set())


def test_two_calls_on_an_expiring_session_share_the_new_one() -> None:
    with kept(scenario="count", scenarios={"count": COUNTING}, sessions={"ttl_secs": 0.5}) as server:
        by_header(server, "a")
        for _ in range(2):
            threading.Event().wait(0.51)
            with ThreadPoolExecutor(2) as pool:
                both = [pool.submit(by_header, server, "a") for _ in range(2)]
                assert {said(each.result(20)) for each in both} == {"0", "1"}


def test_there_are_only_so_many() -> None:
    with kept(scenario="count", scenarios={"count": COUNTING}, sessions={"max": 20}) as server:
        for n in range(60):
            by_header(server, f"s{n}")
        until(lambda: len(ids(server)) <= 20)
        assert "s59" in ids(server)
        assert "s0" not in ids(server)


def test_sessions_have_scenarios_of_their_own() -> None:
    with kept(scenarios={"down": {"rules": [{"then": {"fault": "server_error"}}]}}) as server:
        ask(server.base_url, "/admin/scenarios/down/activate?session=a", method="POST")
        assert [by_header(server, name).status for name in ("a", "b")] == [500, 200]
