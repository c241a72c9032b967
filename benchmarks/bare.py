"""The yardstick: aiohttp without a product around it. `python -m benchmarks.bare PORT application|low`

Parses the JSON it is sent and answers JSON; where the request says `stream`, writes events. `/paced` writes 50 events a
second, from a task that sleeps between them, as one would without a pacer, and `/lateness` says how late they were.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from bisect import bisect_left
from typing import Any

from aiohttp import web

from benchmarks.rig import answer, events
from llm_simulator.proxy.pacer import LATENESS_BUCKETS

ANSWER: Any = json.loads(answer())
EVENTS = events()
GAP = 0.02
late = [0] * (len(LATENESS_BUCKETS) + 1)


async def chat(request: web.BaseRequest) -> web.StreamResponse:
    asked = json.loads(await request.read())
    if not asked.get("stream"):
        return web.json_response(ANSWER)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in EVENTS:
        await response.write(event)
    await response.write_eof()
    return response


async def paced(request: web.BaseRequest) -> web.StreamResponse:
    """One event every 20 ms after the request."""
    loop = asyncio.get_running_loop()
    await request.read()
    start = loop.time()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    count = int(request.query.get("events", "250"))
    for index in range(count):
        due = start + index * GAP
        await asyncio.sleep(due - loop.time())
        late[bisect_left(LATENESS_BUCKETS, loop.time() - due)] += 1
        await response.write(EVENTS[1])
    await response.write_eof()
    return response


async def stamped(request: web.BaseRequest) -> web.StreamResponse:
    """Events that say when they were written, in nanoseconds of the machine's monotonic clock."""
    await request.read()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(50):
        await asyncio.sleep(0.005)
        await response.write(b'data: {"at": %d}\n\n' % time.monotonic_ns())
    await response.write_eof()
    return response


async def lateness(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response(late)


async def health(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({"status": "ok"})


ROUTES = {"/health": health, "/paced": paced, "/stamped": stamped, "/lateness": lateness}


async def low(request: web.BaseRequest) -> web.StreamResponse:
    """Without an application: no router, no middleware."""
    return await ROUTES.get(request.path, chat)(request)


async def main(port: int, kind: str) -> None:
    if kind == "low":
        runner: web.BaseRunner = web.ServerRunner(web.Server(low, access_log=None))
    else:
        application = web.Application()
        for path, handler in ROUTES.items():
            application.router.add_route("*", path, handler)
        application.router.add_post("/v1/chat/completions", chat)
        runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
