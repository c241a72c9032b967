"""The conditions of the catalogue through the official SDKs for Node: the class that they throw, and how often they ask."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conditions_rig import Refusing, sent
from node_rig import node_command
from serving import serving

from llm_simulator.config.settings import Settings
from llm_simulator.dialects import conditions
from llm_simulator.dialects.conditions import Entry

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

PROGRAMS = Path(__file__).resolve().parents[1] / "conformance" / "node"
CHECKED = tuple(
    entry
    for provider in ("openai", "azure", "anthropic", "gemini")
    for entry in conditions.entries(provider)
    if entry.spelled and entry.transport != "websocket" and (entry.node or entry.python is None)
)
ALSO = {"gemini.stream_error_bare_json": "Error"}
"""Where it depends on how the network cuts the stream (the entry's notes)."""
Thrown = dict[str, Any]


@pytest.fixture(scope="module")
def thrown() -> dict[str, Thrown]:
    """What Node throws for each, asked once."""
    node, folder = node_command(PROGRAMS)
    asked = json.dumps([{"id": entry.id, "probe": entry.probe} for entry in CHECKED])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llm_simulator.proxy.server.Performer", Refusing)
        sent.clear()
        with serving(Settings(port=0)) as server:
            command = [node, str(folder / "conditions.mjs"), server.base_url]
            run = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=240, cwd=folder)
    assert run.returncode == 0, run.stderr[-2000:]
    found: dict[str, Thrown] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("entry", CHECKED, ids=lambda entry: entry.id)
def test_in_node(entry: Entry, thrown: dict[str, Thrown]) -> None:
    found = thrown[entry.id]
    assert found["name"] in (entry.node, ALSO.get(entry.id, entry.node))
    assert sent[entry.id] == entry.requests_node
    if entry.provider in ("openai", "anthropic") and entry.transport == "http":
        assert found["request"]
