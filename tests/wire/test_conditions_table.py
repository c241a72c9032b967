"""docs/conditions.md: every condition, how to get it, what each SDK raises; written by the test that checks it.

The server is the one that is shipped, under a scenario with one rule for each condition; the SDKs are the real ones. What
Node throws is checked by test_conditions_node.py, what `validation: provider` refuses by tests/dialects/test_validation.py.
`PYTHONPATH=tests/wire:tests/dialects python tests/wire/test_conditions_table.py` rewrites the page.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conditions_rig import BATCH, Seen, hear_all, hurried, named, see_all
from serving import free_port, serving
from test_errors_doc import NAMES
from test_validation import HUGE, NATURAL

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.dialects import conditions
from llm_simulator.dialects.conditions import Entry
from llm_simulator.proxy.server import Server
from llm_simulator.simulator import faults_broken, faults_connect

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conditions.md"
SLOW = ("read_timeout", "slow_headers", "slow_body", "stream_stall", "stream_slow_drip")
"""Network faults that take a client's whole patience: not asked of every SDK here."""
HEAD = """\
# Conditions

Every condition of the [catalogue](errors.md), how to get it, and what the SDKs make of it. This page is written by the test
that checks it (`tests/wire/test_conditions_table.py`): it asks the running server for each one, through the official SDKs.

How to get one:

- by name, as a fault of a [scenario](scenarios.md#faults): `then: {fault: anthropic.overloaded}`. It arrives with exactly the
  status, headers and bytes of the catalogue, streamed where it is a stream's. Common names (`rate_limit`, `overloaded`) mean
  that of each provider.
- **natural**: ✓ where it is answered by itself: to a request that deserves it under `validation: provider`
  (`--validation provider`, [errors](errors.md#validation)), or in both levels where what it asks for is not there.
- network faults by their kind, the last part of their name: `then: {fault: reset_mid_body}`. **door**: at the
  [HTTPS_PROXY door](https-proxy.md#faults-of-the-connection) alone; **nearest**: as near as one who has accepted can come.

"raises" and "throws" are with the SDKs' default settings; the number is how many requests they send in all, if not one. "-" is
nothing: the SDK returns something (errors.md says what). "?": there is none for Node, or it was not asked. What takes a
client's whole patience (`read_timeout`, `stream_stall`, ...) and what is the door's is the catalogue's word.
"""


def over_http() -> list[Entry]:
    return [entry for entry in conditions.entries() if entry.spelled and entry.transport != "websocket"]


def over_websocket() -> list[Entry]:
    return [entry for entry in conditions.entries() if entry.transport == "websocket"]


def broken() -> list[Entry]:
    """Network faults that an answer can be."""
    return [
        entry
        for entry in conditions.entries(conditions.NETWORK)
        if faults_broken.find(entry.id) is not None and entry.fault not in (*SLOW, "connection_refused")
    ]


@cache
def natural() -> frozenset[str]:
    """What is answered without being asked for: the tests of `validation: provider`, and what the dialects raise."""
    dialects = Path(conditions.__file__).parent.glob("*.py")
    raised = (re.findall(r'raised\(\s*"([a-z]+\.\w+)"', file.read_text(encoding="utf-8")) for file in dialects)
    return frozenset(name for _, name, _ in (*NATURAL, *HUGE)).union(*raised)


# --- asking


def rule(entry: Entry) -> dict[str, Any]:
    path = {"path": "*/results"} if entry.probe == "anthropic.batch_results" else {}
    then = {"mode": "simulate", "fault": {"kind": entry.id, "after_tokens": 2}}
    return {"name": entry.id, "when": {"session": entry.id, **path}, "then": then}


@contextmanager
def every_condition() -> Generator[Server]:
    """A server whose sessions are named after what they meet. The SDK looks up where the results of its batch are."""
    port = free_port()
    batch = {
        **BATCH,
        "results_url": f"http://127.0.0.1:{port}/api.anthropic.com/v1/messages/batches/msgbatch_1/results",
    }
    looked_up = {"name": "batch", "when": {"path": "*/batches/msgbatch_1"}, "then": "replay"}
    rules = [looked_up, *map(rule, [*over_http(), *over_websocket(), *broken()])]
    settings = from_mapping({"scenario": "all", "scenarios": {"all": {"rules": rules}}, "simulation": {"speed": 0}})
    with tempfile.TemporaryDirectory() as folder:
        cassette = Path(folder) / "c.yaml"
        cassette.write_text(RECORDED.format(batch=json.dumps(batch)), encoding="utf-8")
        own = Settings(port=port, cassette=str(cassette), journal_size=20_000, log_level="error", drain_secs=0.2)
        served = replace(own, speed=0, scenario=settings.scenario, scenarios=settings.scenarios)
        with serving(served) as server:
            yield server


RECORDED = """\
llm-simulator: cassette
schema: 1
---
request:
  method: GET
  host: api.anthropic.com
  path: /v1/messages/batches/msgbatch_1
response:
  status: 200
  json: |
    {batch}
"""


def asked() -> dict[str, Seen]:
    """What the SDKs make of each; requests as the journal has them."""
    with every_condition() as server:
        found = hurried(see_all([*over_http(), *broken()], server.base_url))
        found |= asyncio.run(hear_all(over_websocket(), server.base_url))
        assert asyncio.run_coroutine_threadsafe(server.settled(10), loop_of(server)).result(20)
        requests = Counter(entry.session for entry in server.observer.journal if entry.rule != "batch")
    return {name: Seen(seen.error, seen.result, requests[name]) for name, seen in found.items()}


def loop_of(server: Server) -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = getattr(getattr(server, "_service"), "_loop")  # noqa: B009  # of its thread
    return loop


@pytest.fixture(scope="module")
def seen() -> Mapping[str, Seen]:
    return asked()


def expected(entry: Entry) -> type[BaseException] | None:
    """What the catalogue says that Python raises."""
    if entry.python is None:
        return None
    return named(entry.python if "." in entry.python else f"builtins.{entry.python}")


# --- what is checked


@pytest.mark.timeout(400)
def test_each_arrives_as_the_catalogue_says(seen: Mapping[str, Seen]) -> None:
    wrong = {}
    for entry in [*over_http(), *over_websocket(), *broken()]:
        found = seen[entry.id]
        wanted = expected(entry)
        if (type(found.error) if found.error else None) is not wanted or found.requests != entry.requests:
            wrong[entry.id] = (entry.python, entry.requests, repr(found.error)[:200], found.requests)
    assert wrong == {}


@pytest.mark.timeout(400)
def test_the_page_is_what_was_seen(seen: Mapping[str, Seen]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(seen)


def test_natural_causes_are_conditions() -> None:
    ids = {entry.id for entry in conditions.entries()}
    assert natural() <= ids


# --- the page


def page(seen: Mapping[str, Seen]) -> str:
    return HEAD + "".join("\n".join(_section(provider, seen)) + "\n" for provider in NAMES)


def _section(provider: str, seen: Mapping[str, Seen]) -> Iterator[str]:
    network = provider == conditions.NETWORK
    yield f"\n## {NAMES[provider]}\n"
    yield f"| condition | status | when | {'how' if network else 'natural'} | Python raises | Node throws |"
    yield "|---|---|---|---|---|---|"
    for entry in conditions.entries(provider):
        how = _how(entry) if network else "✓" if entry.id in natural() else ""
        cells = (f"`{entry.id}`", _status(entry), entry.condition, how, _python(entry, seen), _node(entry))
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _status(entry: Entry) -> str:
    told = {"sse": f"{entry.status}, stream", "websocket": "WebSocket", "client": "none sent", "network": ""}
    return told.get(entry.transport, str(entry.status))


def _how(entry: Entry) -> str:
    kind = entry.fault or ""
    if faults_connect.find(kind):
        return f"`{kind}`, door"
    if reason := faults_broken.impossible(kind):
        return f"not here: {reason.partition(';')[0]}"
    return f"`{kind}`{', nearest' if kind == 'connection_refused' else ''}"


def _python(entry: Entry, seen: Mapping[str, Seen]) -> str:
    """What was seen; of what is not asked here the catalogue's word."""
    found = seen.get(entry.id)
    if found is None:
        return _told(entry.python, entry.requests)
    known = expected(entry)
    raised = type(found.error) if found.error is not None else None
    name = entry.python if raised is known else f"{raised.__module__}.{raised.__name__}" if raised else None
    return _told(name, found.requests)


def _node(entry: Entry) -> str:
    if entry.provider in ("cohere", "mistral") or entry.id.startswith(("network.cohere", "network.mistral")):
        return "?"
    return _told(entry.node, entry.requests_node)


def _told(name: str | None, requests: int) -> str:
    return (f"`{name}`" if name else "-") + (f" {requests}" if requests != 1 else "")


if __name__ == "__main__":
    PAGE.write_text(page(asked()), encoding="utf-8")
