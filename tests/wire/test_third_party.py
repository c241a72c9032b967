"""The worked example of docs/dialects.md: a package adds a provider, and nothing of ours knows of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import ask, command_serving, llm_simulator

pytestmark = pytest.mark.wire

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "dialect"
URL = "/api.parrot.example/v1/say"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With the example on the path as an installed package has it."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy(EXAMPLE / "parrot.py", site)
    info = site / "llm_simulator_parrot-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-simulator-parrot\nVersion: 0.1.0\n")
    named = 'parrot = "parrot:ENTRY"'
    assert named in (EXAMPLE / "pyproject.toml").read_text()
    (info / "entry_points.txt").write_text("[llm_simulator.dialects]\n" + named.replace('"', ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH", ""))))}


@pytest.fixture(scope="module")
def base_url(environ: dict[str, str]) -> Iterator[str]:
    with command_serving("--mode", "simulate", "--speed", "0", environ=environ) as (url, _):
        yield url


def test_a_whole_answer(base_url: str) -> None:
    got = ask(base_url, URL, {"model": "grey", "text": "Hello!", "limit": 7})
    again = ask(base_url, URL, {"text": "Hello!", "limit": 7, "model": "grey"})
    assert got.status == 200
    assert got.header("x-llm-simulator-source") == "simulator"
    assert got.json() == again.json()
    assert got.json()["tokens"]["out"] == 7
    assert got.json()["said"]


def test_a_stream(base_url: str) -> None:
    whole = ask(base_url, URL, {"model": "grey", "text": "Hello!", "limit": 7})
    got = ask(base_url, URL, {"model": "grey", "text": "Hello!", "limit": 7, "stream": True})
    lines = [json.loads(line) for line in got.body.splitlines()]
    assert lines[-1] == {"done": True, "cut": True}
    assert len(lines) == 8
    assert got.header("content-type") == whole.header("content-type").replace("json", "x-ndjson")


@pytest.mark.parametrize(
    ("body", "status", "squawk"),
    [(b"{", 400, "the body is not JSON"), ({"model": "grey"}, 422, "text: missing"), ([], 422, "text: missing")],
)
def test_errors_are_in_its_own_envelope(base_url: str, body: object, status: int, squawk: str) -> None:
    got = ask(base_url, URL, body)
    assert got.status == status
    assert got.json()["squawk"].startswith(squawk)


def test_it_is_listed_and_healthy(base_url: str) -> None:
    listed = ask(base_url, "/admin/providers").json()
    (mine,) = [one for one in listed["providers"] if one["name"] == "parrot"]
    assert "streaming" in json.dumps(mine)


def test_its_host_may_be_recorded_from(environ: dict[str, str], base_url: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"upstreams": {"api.parrot.example": f"{base_url}/api.parrot.example"}}))
    cassette = str(tmp_path / "c.yaml")
    with command_serving("--mode", "record", "--cassette", cassette, "--config", str(config), environ=environ) as (
        url,
        _,
    ):
        live = ask(url, URL, {"model": "grey", "text": "Hello!"})
    told = json.loads(llm_simulator("cassette", "stats", "--cassette", cassette, "--json", environ=environ).stdout)
    assert told["models"][0]["provider"] == "parrot"
    assert told["models"][0]["completion_tokens"] == live.json()["tokens"]["out"]
