"""Every break over a real socket, of recorded and simulated answers alike, whole and streamed, and of tool calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from edge_forms import ANTHROPIC, OPENAI, Form
from serving import Got, ask, serving

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Settings
from llm_simulator.proxy.server import Server
from llm_simulator.simulator.faults_broken import ALIASES, WAYS
from llm_simulator.types import Exchange, Mode, RawRequest

pytestmark = pytest.mark.wire

FORMS = (OPENAI, ANTHROPIC)
SPEED = 1000.0
SILENT = ("read_timeout", "stream_stall", "slow_headers", "slow_body")
"""What keeps a client waiting."""
SAME = ("stream_slow_drip", "stream_split_utf8", "stream_keepalive_comments", "stream_crlf_line_ends")
"""What changes no word."""
NO_HTTP = ("reset_before_response", "close_before_response", "garbage_status_line")


def target(form: Form) -> str:
    return form.path


def said(form: Form, *, stream: bool, tool: bool = False) -> Any:
    words = "Use the tool." if tool else "Say something longer, please."
    body = form.body(words, stream=True) if stream else form.body(words)
    if not tool:
        return body
    assert form.tool is not None
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "string"}}}
    choice = {"tool_choice": "required"} if form is OPENAI else {"tool_choice": {"type": "any"}}
    return {**body, **form.tool({**schema, "required": ["city", "days"]}), **choice}


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the simulator says, recorded: whole, streamed, and a tool call."""
    path = tmp_path_factory.mktemp("cassette") / "c.yaml"
    with serving(Settings(port=0, speed=0, mode=Mode.SIMULATE)) as server:
        exchanges = [
            recorded(server, form, said(form, stream=stream, tool=tool))
            for form in FORMS
            for stream, tool in ((False, False), (True, False), (True, True))
        ]

    async def keep() -> None:
        made = await Cassette.open(str(path), read=dialects.read, writable=True)
        for exchange in exchanges:
            await made.add(exchange, dialects.read(exchange.request), replace=False)
        await made.close()

    asyncio.run(keep())
    return path


def recorded(server: Server, form: Form, body: Any) -> Exchange:
    got = ask(server.base_url, target(form), body, headers=form.headers)
    assert got.status == 200
    _, host, path = target(form).split("/", 2)
    data = json.dumps(body).encode()
    request = RawRequest("POST", f"/{path}", host, headers=tuple(form.headers.items()), body=data)
    call = dialects.read(request)
    headers = tuple((name, value) for name, value in got.headers if not name.startswith("x-llm-simulator"))
    return Exchange(
        request=request,
        provider=call.provider,
        family=call.family,
        operation=call.operation,
        model=call.model,
        stream=call.stream,
        status=200,
        headers=tuple(item for item in headers if item[0].lower() not in ("transfer-encoding", "connection")),
        chunks=tuple((place * 1_000_000, piece) for place, (_, piece) in enumerate(got.reads)),
    )


@pytest.fixture(scope="module")
def server(cassette: Path) -> Iterator[Server]:
    """A rule for each way to break, by recording and by simulation; the header says which."""
    rules: list[Any] = [
        {"name": mode, "when": {"header": {"x-case": mode}}, "then": mode} for mode in ("replay", "simulate")
    ]
    for kind in (*WAYS, *ALIASES):
        fault = {"kind": kind, "after_tokens": 3, "seconds": 0.0 if "drip" in kind else 30 * SPEED}
        for mode in ("replay", "simulate"):
            for tool in (False, True):
                case = f"{kind} {mode} {tool}"
                struck = {**fault, "in_tool_call": tool}
                rules.append(
                    {"name": case, "when": {"header": {"x-case": case}}, "then": {"mode": mode, "fault": struck}}
                )
    made = from_mapping({"scenario": "all", "scenarios": {"all": {"rules": rules}}, "simulation": {"speed": 1}})
    own = Settings(port=0, cassette=str(cassette), mode=Mode.REPLAY, journal_size=1, drain_secs=0)
    with serving(replace(own, speed=SPEED, scenario="all", scenarios=made.scenarios)) as running:
        yield running


def met(server: Server, form: Form, case: str, body: Any, seconds: float = 20) -> Got | None:
    """What came; None for nothing that is HTTP, or nothing within the client's patience."""
    try:
        return ask(server.base_url, target(form), body, headers={**form.headers, "x-case": case}, timeout=seconds)
    except (OSError, HTTPException):
        return None


@pytest.mark.parametrize("mode", ["replay", "simulate"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", WAYS)
def test_an_answer_breaks(kind: str, stream: bool, mode: str, server: Server) -> None:
    for form in FORMS:
        body = said(form, stream=stream)
        good = met(server, form, mode, body)
        assert good is not None
        assert good.complete
        got = met(server, form, f"{kind} {mode} False", body, 0.3 if kind in SILENT else 20)
        way = WAYS[kind]
        if way.streamed is not None and way.streamed is not stream:
            assert got is not None
            assert (got.complete, got.body) == (True, good.body)  # it does not apply, and the answer is whole
        elif kind in SILENT or kind in NO_HTTP:
            assert got is None
        elif kind in SAME:
            assert got is not None
            assert plain(got.body) == plain(good.body)
        else:
            assert got is not None
            assert not got.complete or got.body != good.body or got.headers != good.headers


def plain(body: bytes) -> bytes:
    return body.replace(b": keep-alive\n\n", b"").replace(b"\r\n", b"\n")


@pytest.mark.parametrize("mode", ["replay", "simulate"])
@pytest.mark.parametrize(
    "kind", ["reset_mid_stream", "early_close", "truncated_chunk", "hang", "malformed_json", "malformed_sse"]
)
def test_a_stream_breaks_in_the_middle_of_a_tool_call(kind: str, mode: str, server: Server) -> None:
    for form in FORMS:
        body = said(form, stream=True, tool=True)
        good = met(server, form, mode, body)
        assert good is not None
        got = met(server, form, f"{kind} {mode} True", body, 0.5 if kind == "hang" else 20)
        if kind == "hang":  # what came before is lost with the client's patience
            assert got is None
            continue
        assert got is not None
        whole = arguments(good.body)
        broken = arguments(got.body)
        assert whole.startswith("{")
        assert whole.endswith("}")
        if kind == "malformed_sse":  # two events in one: all the words, and no client that can read them
            assert got.body.count(b"\n\n") == good.body.count(b"\n\n") - 1
            continue
        assert broken != whole
        if kind in ("reset_mid_stream", "early_close", "truncated_chunk"):
            assert not got.complete
            assert whole.startswith(broken)
            assert broken


def arguments(body: bytes) -> str:
    """The arguments of the tool call, as far as they came."""
    found: list[str] = []
    for line in body.split(b"\n"):
        try:
            value = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else None
        except ValueError:
            continue
        found.extend(pieces(value))
    return "".join(found)


def pieces(value: Any) -> Iterator[str]:
    for name, item in value.items() if isinstance(value, dict) else ():
        if name in ("arguments", "partial_json") and isinstance(item, str):
            yield item
        else:
            yield from pieces(item)
    for item in value if isinstance(value, list) else ():
        yield from pieces(item)
