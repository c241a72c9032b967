"""The short way for requests that come again byte for byte: the answers are those of the long way, however they arrive."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import serving

from llm_simulator.config.settings import Settings
from llm_simulator.proxy import lane
from llm_simulator.proxy.lane import Ticket, Tickets, framed
from llm_simulator.proxy.server import Server

pytestmark = pytest.mark.wire

SETTINGS = Settings(port=0, speed=0.0)
_VARIES = re.compile(rb"(x-llm-simulator-(?:ttft|total)-ms): [\d.]+\r\n")


def request(prompt: str, *more: str, stream: bool = False, version: str = "1.1") -> bytes:
    body = json.dumps({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": prompt}]})
    lines = (
        f"POST /v1/chat/completions HTTP/{version}",
        "host: localhost",
        *more,
        f"content-length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


HELLO, WORLD, STREAM = request("Hello"), request("world"), request("Hello", stream=True)
MODELS = b"GET /v1/models/gpt-4o HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEAD = b"HEAD /v1/models/gpt-4o HTTP/1.1\r\nhost: localhost\r\n\r\n"
CHUNKED = (
    HELLO.partition(b"\r\n\r\n")[0].replace(b"content-length:", b"x-length:")
    + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HELLO.partition(b"\r\n\r\n")[2]), HELLO.partition(b"\r\n\r\n")[2])
)
BAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n{]]"
LAST = request("Hello", "connection: close")
KINDS = (HELLO, WORLD, STREAM, MODELS, HEAD, CHUNKED, BAD)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(SETTINGS) as running:
        yield running


def connected(server: Server) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_all(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    pieces: list[bytes] = []
    while piece := sock.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def same_but_for_times(answers: bytes) -> bytes:
    return _VARIES.sub(rb"\1\r\n", answers)


def alone(server: Server, kind: bytes) -> bytes:
    """The answer on a connection of its own, sent in two pieces: never the short way."""
    with closing(connected(server)) as sock:
        sock.sendall(kind[:5])
        time.sleep(0.02)
        sock.sendall(kind[5:])
        return _until_idle(sock)


def _until_idle(sock: socket.socket) -> bytes:
    sock.settimeout(20)
    found = sock.recv(65536)
    sock.settimeout(0.08)
    try:
        while piece := sock.recv(65536):
            found += piece
    except TimeoutError:
        pass
    return found


@pytest.fixture(scope="module")
def expected(server: Server) -> dict[bytes, bytes]:
    return {kind: same_but_for_times(alone(server, kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_again_is_answered_alike(server: Server, expected: dict[bytes, bytes], kind: bytes) -> None:
    with closing(connected(server)) as sock:
        for _ in range(3):
            sock.sendall(kind)
            assert same_but_for_times(_until_idle(sock)) == expected[kind]


def test_it_is_taken_without_a_request_of_aiohttps(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    find = Tickets.of

    def noted(tickets: Tickets, data: bytes) -> Ticket | None:
        found = find(tickets, data)
        if found is not None:
            taken.append(data)
        return found

    monkeypatch.setattr(Tickets, "of", noted)
    once = request("only here")
    with closing(connected(server)) as sock:
        for _ in range(3):
            sock.sendall(once)
            assert b"200 OK" in _until_idle(sock)
    assert taken == [once, once]


def test_an_aiohttp_of_another_make_goes_its_own_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lane, "FITS", False)
    with serving(SETTINGS) as running, closing(connected(running)) as sock:
        for _ in range(3):
            sock.sendall(MODELS)
            assert b"200 OK" in _until_idle(sock)
    assert "not known well enough" in caplog.text


@settings(max_examples=25, deadline=None)
@given(data=st.data(), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
def test_however_requests_are_cut(
    server: Server, expected: dict[bytes, bytes], data: st.DataObject, kinds: list[bytes]
) -> None:
    """Pipelined, in pieces that end anywhere, with and without pauses: each gets its own answer, in order."""
    sent = b"".join(kinds) + LAST
    cuts = sorted(set(data.draw(st.lists(st.integers(1, len(sent) - 1), max_size=5))))
    with closing(connected(server)) as sock:
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            sock.sendall(sent[start:end])
            time.sleep(data.draw(st.sampled_from([0, 0.003])))
        answers = same_but_for_times(read_all(sock))
    wanted = b"".join(expected[kind] for kind in kinds)
    assert answers.startswith(wanted)
    assert answers[len(wanted) :].startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answers[len(wanted) :]


@pytest.mark.parametrize("kind", [LAST, request("Hello", version="1.0")])
def test_the_last_request_of_a_connection_ends_it(server: Server, kind: bytes) -> None:
    answers: list[bytes] = []
    for _ in range(3):
        with closing(connected(server)) as sock:
            sock.sendall(kind)
            answers.append(same_but_for_times(read_all(sock)))
    assert answers[0] == answers[1] == answers[2]


def test_a_paced_answer_waits_in_a_task_and_a_client_that_leaves_ends_it() -> None:
    with serving(Settings(port=0, speed=1.0)) as server:
        with closing(connected(server)) as sock:
            sock.sendall(MODELS)  # known to the connection, so that the next ones come at a boundary
            assert b"200 OK" in _until_idle(sock)
        for number in range(3):
            sock = connected(server)
            sock.sendall(STREAM)
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
            sock.close()
            assert ended(server, 2 + number)
        outcomes = [entry.outcome for entry in server.observer.journal][-3:]
        assert outcomes == ["client-gone"] * 3


def ended(server: Server, calls: int) -> bool:
    """Whether so many calls come to their end within ten seconds."""
    deadline = time.monotonic() + 10
    while server.observer.journal.total < calls and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.observer.journal.total == calls


def test_what_is_sent_ahead_of_a_waiting_answer_is_answered_after_it() -> None:
    with serving(Settings(port=0, speed=20.0)) as server, closing(connected(server)) as sock:
        sock.sendall(HELLO)
        first = same_but_for_times(_reply(sock))
        sock.sendall(HELLO)  # the short way, waiting
        time.sleep(0.005)
        sock.sendall(MODELS + HELLO)
        assert same_but_for_times(_reply(sock)) == first
        assert b'"id": "gpt-4o"' in _reply(sock)
        assert same_but_for_times(_reply(sock)) == first


def _reply(sock: socket.socket) -> bytes:
    """One answer with a content-length."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += sock.recv(1)
    length = int(re.findall(rb"content-length: (\d+)", found)[0])
    while not found.partition(b"\r\n\r\n")[2][length - 1 : length]:
        found += sock.recv(1)
    return found


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (HELLO, len(HELLO)),
        (HELLO[:-5], len(HELLO)),
        (HELLO + WORLD, len(HELLO)),
        (MODELS, len(MODELS)),
        (HELLO[:40], 0),
        (CHUNKED, 0),
        (request("x", "content-length: 5"), 0),
        (request("x", "Expect: 100-continue"), 0),
        (request("x", "upgrade: websocket"), 0),
        (b"", 0),
    ],
)
def test_where_a_request_ends(data: bytes, size: int) -> None:
    assert framed(data) == size
