"""The pages /admin/sessions, /admin/breakers and /admin/limits: who is there, what is open, what is left."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web

if TYPE_CHECKING:
    from llm_simulator.proxy.kit import Kit

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

_MOVE = re.compile(r"/admin/breakers/([^/]+)/(.+)/(trip|reset)")


def pages(kit: Kit) -> Mapping[str, Mapping[str, Handler]]:
    """Path -> method -> handler."""

    async def sessions(_: web.BaseRequest) -> web.Response:
        return _json({"sessions": await kit.sessions.all()})

    async def session(request: web.BaseRequest) -> web.Response:
        name = unquote(_path(request).removeprefix("/admin/sessions/"))
        found = [each for each in await kit.sessions.all() if each["id"] == name]
        return _json(found[0]) if found else _json({"error": f"no session {name[:80]!r}"}, 404)

    async def end(request: web.BaseRequest) -> web.Response:
        name = unquote(_path(request).removeprefix("/admin/sessions/"))
        if not await kit.sessions.end(name):
            return _json({"error": f"no session {name[:80]!r}"}, 404)
        return _json({"ended": name})

    async def breakers(_: web.BaseRequest) -> web.Response:
        return _json({"breakers": await kit.tools.breakers.all()})

    async def move(request: web.BaseRequest) -> web.Response:
        match = _MOVE.fullmatch(_path(request))
        if match is None:
            told = "POST /admin/breakers/{upstream}/{model}/trip or .../reset"
            return _json({"error": f"no such page: {request.path[:80]}; there is {told}"}, 404)
        from llm_simulator.proxy.breakers import Place

        upstream, model = unquote(match[1]), unquote(match[2])
        breaker, place = kit.server.settings.breaker, Place(upstream, model, request.query.get("session", ""))
        moved = await kit.tools.breakers.by_hand(match[3], place, breaker.terms if breaker is not None else None)
        if not moved:
            told = f"nothing guards {place}: no `breaker` is configured, and no rule of a scenario has made one"
            return _json({"error": told}, 409)
        return _json({"upstream": upstream, "model": model, "state": moved})

    async def limits(_: web.BaseRequest) -> web.Response:
        slots = [{**each, "of": _of(each["of"])} for each in await kit.tools.turnstile.all()]
        return _json({"limits": await kit.tools.limiter.all(), "slots": slots})

    return {
        "/admin/sessions": {"GET": sessions, "HEAD": sessions},
        "/admin/sessions/*": {"GET": session, "HEAD": session, "DELETE": end},
        "/admin/breakers": {"GET": breakers, "HEAD": breakers},
        "/admin/breakers/*": {"POST": move},
        "/admin/limits": {"GET": limits, "HEAD": limits},
    }


def _of(key: str) -> str:
    """Whose slots they are: the server's, a provider's, or those of a key and model family."""
    if "|" in key:
        return key.rstrip("|")
    return key.removeprefix("0:") or "server"


def _path(request: web.BaseRequest) -> str:
    """As it was sent: a name may hold an encoded slash."""
    return request.raw_path.partition("?")[0]


def _json(value: Any, status: int = 200) -> web.Response:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, content_type="application/json")
