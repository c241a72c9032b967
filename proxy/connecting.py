"""What the HTTPS_PROXY door asks before it answers a CONNECT: whether a fault strikes the connection, and which.

The door (proxy/forward.py) shows its token; what strikes is noted like a call, with the method CONNECT and no status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from llm_simulator.dialects.resolve import provider_of
from llm_simulator.simulator.faults_connect import find
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Call, RawRequest, Source

if TYPE_CHECKING:
    from llm_simulator.proxy.gate import Gate
    from llm_simulator.proxy.scenes import Stage

PATH = "/.llm-simulator/connection"


def answered(
    request: web.BaseRequest, stage: Stage | Gate, note: Callable[[Call], Entry]
) -> tuple[web.Response, Entry | None]:
    """`{"fault": kind or ""}`, and what the journal says of it; `note` begins an entry."""
    host = request.query.get("host", "")
    call = Call(provider_of(host), "connection", "connect", RawRequest("CONNECT", "/", host))
    scenario, chosen = stage.connecting(call)
    fault = chosen.fault
    if fault is None or chosen.rule is None:
        return web.json_response({"fault": ""}), None
    entry = note(call)
    entry.source, entry.scenario, entry.rule = Source.FAULT.value, scenario, chosen.rule.name
    entry.fault, entry.priority, entry.note = fault.name, fault.priority, f"connection to {host}"
    return web.json_response({"fault": find(fault.what)}), entry
