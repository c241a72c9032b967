"""Equal requests are read once; what the door takes off does not make two calls of one; memory is bounded."""

from __future__ import annotations

import pytest

from llm_simulator.cassettes.key import Matcher
from llm_simulator.errors import RequestError
from llm_simulator.proxy.known import KEPT_BYTES, LARGEST, SEEN_BYTES, Reader

TARGET = "/v1/chat/completions"
BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
JSON = (b"content-type", b"application/json")


def reader() -> Reader:
    return Reader(Matcher())


def test_an_equal_request_is_not_read_again() -> None:
    made = reader()
    first = made.read("POST", TARGET, (JSON,), BODY)
    assert made.read("POST", TARGET, (JSON,), bytes(bytearray(BODY))) is first
    assert (first.known.call.model, first.known.accepted, first.session) == ("gpt-4o", "", "")


@pytest.mark.parametrize(
    ("target", "headers", "session", "occurrence"),
    [
        ("/session/a" + TARGET, (JSON,), "a", None),
        (TARGET, (JSON, (b"x-llm-simulator-session", b"b")), "b", None),
        (TARGET, (JSON, (b"x-llm-simulator-occurrence", b"3")), "", 3),
    ],
)
def test_the_call_is_the_same_whatever_the_door_takes_off(
    target: str, headers: tuple[tuple[bytes, bytes], ...], session: str, occurrence: int | None
) -> None:
    made = reader()
    plain = made.read("POST", TARGET, (JSON,), BODY)
    other = made.read("POST", target, headers, BODY)
    assert other.known is plain.known
    assert (other.session, other.visit.occurrence) == (session, occurrence)


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [
        ("PUT", TARGET, (JSON,), BODY),
        ("POST", TARGET + "?a=1", (JSON,), BODY),
        ("POST", TARGET, (JSON, (b"accept-encoding", b"gzip")), BODY),
        ("POST", TARGET, (JSON,), BODY.replace(b"hi", b"ho")),
    ],
)
def test_what_differs_is_another_request(
    method: str, target: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    made = reader()
    assert made.read(method, target, headers, body).known is not made.read("POST", TARGET, (JSON,), BODY).known


def test_the_session_is_the_credentials_digest_where_none_is_named() -> None:
    asked = reader().read("POST", TARGET, (JSON, (b"authorization", b"Bearer secret-of-mine")), BODY)
    assert asked.session.startswith("key-")
    assert "secret" not in asked.session


def test_a_malformed_request_is_refused_each_time() -> None:
    made = reader()
    for _ in range(2):
        with pytest.raises(RequestError, match="x-llm-simulator-occurrence is 'often'"):
            made.read("POST", TARGET, ((b"x-llm-simulator-occurrence", b"often"),), BODY)


def test_large_requests_are_not_kept_and_old_ones_are_forgotten() -> None:
    made = reader()
    large = BODY.replace(b"hi", b"h" * LARGEST)
    assert made.read("POST", TARGET, (JSON,), large) is not made.read("POST", TARGET, (JSON,), large)
    first = made.read("POST", TARGET, (JSON,), BODY)
    half = LARGEST // 2
    for number in range(max(KEPT_BYTES // (6 * half), SEEN_BYTES // half) + 2):
        made.read("POST", TARGET, (JSON,), BODY.replace(b"hi", b"%d" % number * (half // len(b"%d" % number))))
    again = made.read("POST", TARGET, (JSON,), BODY)
    assert again.known is not first.known
