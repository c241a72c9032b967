"""The audit hook: loopback and configured stores pass, everything else is refused and counted."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from llm_simulator.proxy import egress


@pytest.fixture
def policy() -> Iterator[egress.Policy]:
    yield egress.confine(frozenset({"db.example"}))
    egress.release()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::1%lo", True),
        ("localhost", True),
        (b"localhost", True),
        ("", True),
        ("10.0.0.1", False),
        ("api.openai.com", False),
        ("fe80::1", False),
    ],
)
def test_is_local(host: str | bytes, local: bool) -> None:
    assert egress.is_local(host) is local


def test_a_connect_outside_is_refused_before_a_packet(policy: egress.Policy) -> None:
    with socket.socket() as sock, pytest.raises(egress.EgressRefused, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 443))  # TEST-NET-1: no such host, and it is never tried
    assert policy.refused == {"192.0.2.1": 1}


def test_a_name_look_up_is_refused(policy: egress.Policy) -> None:
    with pytest.raises(egress.EgressRefused):
        socket.getaddrinfo("api.openai.com", 443)
    assert policy.refused == {"api.openai.com": 1}


def test_older_ways_to_the_network_are_refused_as_well(policy: egress.Policy) -> None:
    with pytest.raises(egress.EgressRefused):
        socket.gethostbyname("api.openai.com")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(egress.EgressRefused):
            sock.sendto(b"x", ("192.0.2.1", 9))
        with pytest.raises(egress.EgressRefused):
            sock.sendmsg([b"x"], [], 0, ("192.0.2.1", 9))
    assert policy.refused == {"api.openai.com": 1, "192.0.2.1": 2}


def test_an_allowed_name_is_reached_at_its_addresses(policy: egress.Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"db.example": "192.0.2.7"}

    def look_up(name: str, port: int) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, 0, 0, "", (found[name], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.7", 9))  # a datagram connect sends nothing
        with pytest.raises(egress.EgressRefused):
            sock.connect(("192.0.2.8", 9))
    assert (policy.addresses, policy.refused) == ({"192.0.2.7"}, {"192.0.2.8": 1})


def test_the_refusal_says_why() -> None:
    egress.confine(why="--llm-block-network")
    with pytest.raises(egress.EgressRefused, match=r"^--llm-block-network: refused to contact 'a\.example'$"):
        socket.getaddrinfo("a.example", 443)
    egress.release()


def test_loopback_passes(policy: egress.Policy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    assert not policy.refused


def test_release_lifts_it() -> None:
    egress.confine()
    egress.release()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))  # a datagram connect sends nothing
