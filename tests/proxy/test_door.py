"""The base-URL door: prefixes, hosts, our own headers, and who is let in."""

from __future__ import annotations

import pytest

from llm_simulator.errors import RequestError
from llm_simulator.proxy.door import Guard, enter, read_target

TARGETS = [
    ("/v1/chat/completions", "", "https", "", "/v1/chat/completions", ""),
    ("/api.openai.com/v1/models?limit=2", "", "https", "api.openai.com", "/v1/models", "limit=2"),
    ("/API.OpenAI.com/v1/models", "", "https", "api.openai.com", "/v1/models", ""),
    ("/https:api.openai.com/v1", "", "https", "api.openai.com", "/v1", ""),
    ("/https://api.openai.com:443/v1", "", "https", "api.openai.com", "/v1", ""),
    ("/http:localhost:11434/api/chat", "", "http", "localhost:11434", "/api/chat", ""),
    ("/http%3Alocalhost%3A11434/api/chat", "", "http", "localhost:11434", "/api/chat", ""),
    ("/http:vllm:8000/v1/models", "", "http", "vllm:8000", "/v1/models", ""),
    ("/http:example.com:80/x", "", "http", "example.com", "/x", ""),
    ("/127.0.0.1:9000/x", "", "https", "127.0.0.1:9000", "/x", ""),
    ("/http:[::1]:9000/x", "", "http", "[::1]:9000", "/x", ""),
    ("/api.openai.com", "", "https", "api.openai.com", "/", ""),
    ("/session/t%201/api.cohere.com/v2/chat", "t 1", "https", "api.cohere.com", "/v2/chat", ""),
    ("/session/a/v1/messages?beta=true", "a", "https", "", "/v1/messages", "beta=true"),
    ("/session/a", "a", "https", "", "/", ""),
    ("/v1.5/models", "", "https", "", "/v1.5/models", ""),
    (
        "/v1beta/models/gemini-2.0-flash:generateContent",
        "",
        "https",
        "",
        "/v1beta/models/gemini-2.0-flash:generateContent",
        "",
    ),
    ("/sessions/x", "", "https", "", "/sessions/x", ""),
]


@pytest.mark.parametrize(("target", "session", "scheme", "host", "path", "query"), TARGETS)
def test_target(target: str, session: str, scheme: str, host: str, path: str, query: str) -> None:
    assert read_target(target) == (session, scheme, host, path, query)


@pytest.mark.parametrize("target", ["/http:/v1/models", "/https:", "/api.openai.com:99999/v1"])
def test_malformed_host(target: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_target(target)
    assert (caught.value.name, caught.value.status) == ("bad_host", 400)


def test_own_headers_are_ours_and_the_rest_is_the_providers() -> None:
    raw, visit = enter(
        "POST",
        "/v1/messages",
        (
            (b"Authorization", b"Bearer k"),
            (b"X-LLM-Simulator-Session", b"s1"),
            (b"x-llm-simulator-occurrence", b"3"),
            (b"X-Stainless-Retry-Count", b"2"),
            (b"x-llm-simulator-scenario", b"outage"),
        ),
        b"{}",
    )
    assert raw.headers == (("Authorization", "Bearer k"), ("X-Stainless-Retry-Count", "2"))
    assert (visit.session, visit.attempt, visit.occurrence, visit.scenario) == ("s1", 2, 3, "outage")


def test_the_path_names_the_session_before_the_header() -> None:
    _, visit = enter("GET", "/session/path/v1/models", ((b"x-llm-simulator-session", b"header"),), b"")
    assert visit.session == "path"


@pytest.mark.parametrize("value", [b"-1", b"x", b"1.5", b"9" * 30])
def test_bad_occurrence(value: bytes) -> None:
    with pytest.raises(RequestError, match="whole number"):
        enter("GET", "/v1/models", ((b"x-llm-simulator-occurrence", value),), b"")


HOSTS = [
    ("localhost:8080", True, True),
    ("127.0.0.1:8080", True, True),
    ("[::1]:8080", True, True),
    ("192.168.0.5", True, True),
    ("evil.example.com", False, False),
    ("simulator:8080", False, True),  # a container's name: cannot be rebound, but is not loopback
    ("llm.corp.example", True, True),  # configured
    ("[bad", False, True),
]


@pytest.mark.parametrize(("host", "on_loopback", "on_all"), HOSTS)
def test_host_header(host: str, on_loopback: bool, on_all: bool) -> None:
    allowed = frozenset({"llm.corp.example"})
    assert (Guard(frozenset(), allowed, True).problem(host, "") == "") is on_loopback
    assert (Guard(frozenset(), allowed, False).problem(host, "") == "") is on_all


@pytest.mark.parametrize(
    ("configured", "origin", "passes"),
    [
        ((), "https://evil.example", False),
        ((), "", True),
        ((), "null", False),
        (("http://localhost:3000",), "http://localhost:3000", True),
        (("http://localhost:3000",), "http://localhost:3001", False),
        (("*",), "https://any.example", True),
    ],
)
def test_origin(configured: tuple[str, ...], origin: str, passes: bool) -> None:
    problem = Guard(frozenset(configured), frozenset(), True).problem("localhost", origin)
    assert (problem == "") is passes
    if not passes:
        assert "--allow-origin" in problem


@pytest.mark.parametrize(
    ("target", "headers", "base_url"),
    [
        ("/v1/files", ((b"Host", b"localhost:8080"),), "http://localhost:8080"),
        ("/api.openai.com/v1/files?limit=1", ((b"host", b"localhost:1"),), "http://localhost:1/api.openai.com"),
        ("/session/a/http:h:80/v1/x", ((b"Host", b"[::1]:8080"),), "http://[::1]:8080/session/a/http:h:80"),
        ("/api.openai.com", ((b"Host", b"h"),), "http://h/api.openai.com"),
        ("/v1/files", (), "http://127.0.0.1"),
        ("/api.anthropic.com/v1/x", ((b"host", b"h"), (b"x-llm-simulator-door", b"t")), "https://api.anthropic.com"),
    ],
)
def test_the_base_url_is_how_the_client_came(
    target: str, headers: tuple[tuple[bytes, bytes], ...], base_url: str
) -> None:
    assert enter("POST", target, headers, b"")[1].base_url == base_url
