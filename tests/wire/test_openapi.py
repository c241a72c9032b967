"""GET /openapi.json tells of everything that is served, and schemathesis finds no answer that is not as declared."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import ask, serving

from llm_simulator.config.settings import Settings
from llm_simulator.dialects import registry
from llm_simulator.proxy.pages import PAGES
from llm_simulator.proxy.selfcheck import host_of
from llm_simulator.proxy.server import Server
from llm_simulator.types import Mode

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

SETTINGS = Settings(port=0, speed=0.0, mode=Mode.SIMULATE)
SCHEMATHESIS = "schemathesis==4.32.5"
CACHE = Path.home() / ".cache" / "llm-simulator-test" / "schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
TAGS = ("llm-simulator", "openai", "azure", "anthropic", "gemini", "vertex", "cohere", "groq", "mistral")
"""The other hosts speak OpenAI's format, too."""
CONFIG = "[phases.coverage]\nunexpected-methods = []\n"
"""A method that no provider has is not simulated: 501, like every endpoint that we do not cover."""
NOT_TRIED = r":predict$|^/api\.cohere\.com/v1/(chat|generate)$"
"""Other models than embedders predict nothing here (501); lines of JSON called application/stream+json are not JSON."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    got = ask(server.base_url, "/openapi.json")
    assert (got.status, got.header("content-type")) == (200, "application/json")
    return got.json()


def schemathesis() -> str:
    """The command, in an environment of its own: it is a pytest plugin, too, and every test run would pay for it."""
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with open(CACHE.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = CACHE / "bin" / "schemathesis"
        if not _works(command):
            _run(sys.executable, "-m", "venv", "--clear", str(CACHE))
            _run(str(CACHE / "bin" / "python"), "-m", "pip", "install", "-q", SCHEMATHESIS)
        return str(command)


def _works(command: Path) -> bool:
    wanted = SCHEMATHESIS.partition("==")[2]
    if not command.exists():
        return False
    made = subprocess.run((command, "--version"), check=False, capture_output=True, text=True)
    return made.returncode == 0 and made.stdout.strip().endswith(wanted)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def test_it_tells_of_every_route_and_of_our_own_pages(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    paths = document["paths"]
    assert {page.path for page in PAGES} <= paths.keys()
    for dialect in registry.dialects():
        for route in dialect.routes:
            shown = paths[f"/{host_of(dialect.provider)}{route.path}"]
            assert route.method.lower() in shown, (dialect.name, route)
    assert "/api.groq.com/openai/v1/chat/completions" in paths
    identities = [operation["operationId"] for shown in paths.values() for operation in shown.values()]
    assert len(identities) == len(set(identities)) > 100


def test_a_request_is_described_by_what_is_refused_without_it(document: Any) -> None:
    chat = document["paths"]["/api.anthropic.com/v1/messages"]["post"]
    schema = chat["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["model", "messages"]  # max_tokens: lenient does without
    assert schema["properties"]["stream"] == {"type": "boolean"}
    assert set(chat["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}


@pytest.mark.timeout(400)
def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [schemathesis(), "--config-file", str(config), "run", f"{server.base_url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", "3"]
    command += ["--seed", "1", "--request-timeout", "15", "--warnings", "off", "--suppress-health-check", "all"]
    command += ["--exclude-path-regex", NOT_TRIED]
    command += [part for tag in TAGS for part in ("--include-tag", tag)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=380, check=False, cwd=tmp_path)
    assert made.returncode == 0, made.stdout[-6000:] + made.stderr[-2000:]
    assert "No issues found" in made.stdout


def test_providers_are_listed_with_a_check_of_each(server: Server) -> None:
    told = ask(server.base_url, "/admin/providers").json()
    assert [item["health"] for item in told["providers"] if item["health"]["status"] == "failed"] == []
    assert (told["status"], told["failed"]) == ("ok", 0)
    by_name = {(item["name"], item["provider"]): item for item in told["providers"]}
    anthropic = by_name["anthropic_messages", "anthropic"]
    assert (anthropic["api_version"], anthropic["operations"][0]) == ("2023-06-01", "chat")
    assert anthropic["features"] == {
        "chat completion": True,
        "streaming": True,
        "function calling": True,
        "tool use": True,
        "vision": True,
        "embeddings": False,
        "JSON mode": True,
        "system prompts": True,
    }
    assert by_name["openai_embeddings", "openai"]["features"]["embeddings"]


def test_the_listing_is_guarded_like_the_other_admin_pages() -> None:
    with serving(Settings(port=0, speed=0.0, admin_token="let-me-in")) as running:
        assert ask(running.base_url, "/admin/providers").status == 403
        got = ask(running.base_url, "/admin/providers", headers={"authorization": "Bearer let-me-in"})
        assert got.status == 200
        assert ask(running.base_url, "/openapi.json").status == 200
        assert "let-me-in" not in json.dumps(got.json())
