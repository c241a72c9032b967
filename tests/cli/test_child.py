"""The environment of a child: every SDK's variables, what was there already, proxies."""

from __future__ import annotations

import pytest

from llm_simulator.cli.child import PLACEHOLDER_KEY, child_environment, unwrap, wrap
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.refusing import wanted_host
from llm_simulator.types import Mode

BASE = "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("target", "wrapped"),
    [
        ("https://api.groq.com/openai/v1", f"{BASE}/api.groq.com/openai/v1"),
        ("https://api.groq.com/openai/v1/", f"{BASE}/api.groq.com/openai/v1"),
        ("http://localhost:11434/v1", f"{BASE}/http:localhost:11434/v1"),
        ("https://user:secret@gw.example/v1", f"{BASE}/gw.example/v1"),
    ],
)
def test_wrap(target: str, wrapped: str) -> None:
    assert wrap(BASE, target) == wrapped


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://gateway/v1", "http://gateway/v1"),
        ("https://user:secret@gw.example:8443/v1", "https://gw.example:8443/v1"),
        ("https://api.cohere.com", "https://api.cohere.com"),
    ],
)
def test_unwrap_is_the_way_back(target: str, kept: str) -> None:
    assert unwrap(BASE, wrap(BASE, target)) == kept
    assert unwrap(BASE, BASE) == unwrap(BASE, f"{BASE}/v1") == ""


@pytest.mark.parametrize("environ", [{}, {"OPENAI_BASE_URL": "https://api.groq.com/openai/v1"}])
@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD])
def test_a_simulator_within_another_ones_run_wraps_the_providers_not_the_outer_one(
    environ: dict[str, str], mode: Mode
) -> None:
    outer = child_environment(environ, BASE, mode).over(environ)
    inner = child_environment(outer, "http://127.0.0.1:9001", mode)
    fresh = child_environment(environ, "http://127.0.0.1:9001", mode)
    assert inner.over(outer) == fresh.over(environ)
    assert inner.hosts == [host for host in inner.hosts if not host.startswith("127.0.0.1")]
    assert "http://127.0.0.1:9000" not in " ".join([*inner.set.values(), *inner.wrapped])
    other = {**outer, "LLM_SIMULATOR_BASE_URL": "http://127.0.0.1:900", "OPENAI_BASE_URL": "http://127.0.0.1:9000/v1"}
    kept = child_environment(other, "http://127.0.0.1:9001", mode).wrapped
    assert "OPENAI_BASE_URL=http://127.0.0.1:9000/v1" in kept  # another server, whose address only begins like it


def test_a_base_url_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"OPENAI_BASE_URL is 'http://gw\.example:90001/v1'"):
        child_environment({"OPENAI_BASE_URL": "http://gw.example:90001/v1"}, BASE, Mode.REPLAY)


def test_replay_needs_no_keys_and_reaches_nobody() -> None:
    made = child_environment({}, BASE, Mode.REPLAY, "http://127.0.0.1:1").set
    assert made["OPENAI_BASE_URL"] == f"{BASE}/api.openai.com/v1"
    assert made["ANTHROPIC_BASE_URL"] == f"{BASE}/api.anthropic.com"
    assert made["GOOGLE_GEMINI_BASE_URL"] == f"{BASE}/generativelanguage.googleapis.com"
    assert made["CO_API_URL"] == f"{BASE}/api.cohere.com"
    assert made["AZURE_OPENAI_ENDPOINT"] == BASE
    assert {made[k] for k in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "CO_API_KEY")} == {
        PLACEHOLDER_KEY
    }
    assert {made[k] for k in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy")} == {"http://127.0.0.1:1"}
    assert made["NO_PROXY"] == "localhost,127.0.0.1,::1"


def test_recording_keeps_real_keys_and_proxies() -> None:
    environ = {"OPENAI_API_KEY": "real", "HTTPS_PROXY": "http://corp:3128", "NO_PROXY": "internal"}
    made = child_environment(environ, BASE, Mode.RECORD)
    child = made.over(environ)
    assert child["OPENAI_API_KEY"] == "real"
    assert "ANTHROPIC_API_KEY" not in child
    assert "AZURE_OPENAI_ENDPOINT" not in child
    assert child["HTTPS_PROXY"] == "http://corp:3128"
    assert child["NO_PROXY"] == "internal,localhost,127.0.0.1,::1"


def test_a_base_url_already_set_is_wrapped_allowed_and_named() -> None:
    environ = {"OPENAI_BASE_URL": "https://api.groq.com/openai/v1", "GOOGLE_API_KEY": "k"}
    made = child_environment(environ, BASE, Mode.REPLAY)
    assert made.set["OPENAI_BASE_URL"] == f"{BASE}/api.groq.com/openai/v1"
    assert made.hosts == ["api.groq.com"]
    assert made.wrapped == ["OPENAI_BASE_URL=https://api.groq.com/openai/v1"]
    assert "GEMINI_API_KEY" not in made.set  # any one key of an SDK is enough


@pytest.mark.parametrize(
    ("head", "host"),
    [
        (b"CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n", "api.openai.com"),
        (b"GET http://example.com/x HTTP/1.1\r\n\r\n", "example.com"),
        (b"GET / HTTP/1.1\r\n\r\n", "(not a proxy request)"),
        (b"", "(not a proxy request)"),
        (b"CONNECT [bad HTTP/1.1\r\n\r\n", "(not a proxy request)"),
    ],
)
def test_the_refusing_door_reads_whom_it_refuses(head: bytes, host: str) -> None:
    assert wanted_host(head) == host
