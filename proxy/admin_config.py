"""The pages /admin/config: what is in force, and another configuration for the running server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from llm_simulator.config.reading import Document

if TYPE_CHECKING:
    from llm_simulator.proxy.reload import Outcome, Reloads
    from llm_simulator.proxy.server import Server

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

LARGEST = 4 << 20
_SUFFIXES = {"application/json": ".json", "application/toml": ".toml", "text/toml": ".toml"}


def pages(server: Server, reloads: Reloads) -> Mapping[str, Mapping[str, Handler]]:
    """Path -> method -> handler."""

    async def show(_: web.BaseRequest) -> web.Response:
        from llm_simulator.config.shown import shown

        told = {
            "generation": reloads.generation,
            "source": reloads.where,
            "loaded_at": reloads.loaded_at,
            "seed": server.settings.seed,
            "deterministic": server.settings.deterministic,
            "last_error": reloads.failed,
            **shown(server.settings),
        }
        return _json(told, clean=server.clean)

    async def take(request: web.BaseRequest) -> web.Response:
        if (request.content_length or 0) > LARGEST:
            return _json({"error": f"a configuration of up to {LARGEST} bytes is allowed"}, 413)
        try:
            text = (await request.read()).decode("utf-8")
        except UnicodeDecodeError as error:
            return _json({"error": f"byte {error.start} is not UTF-8; a configuration is UTF-8 text"}, 400)
        document = Document("POST /admin/config", _SUFFIXES.get(request.content_type, ".yaml"), text)
        return _told(await reloads.given(document, "POST /admin/config"))

    async def again(_: web.BaseRequest) -> web.Response:
        return _told(await reloads.again("POST /admin/config/reload"))

    return {
        "/admin/config": {"GET": show, "HEAD": show, "POST": take},
        "/admin/config/reload": {"POST": again},
    }


def _told(outcome: Outcome) -> web.Response:
    return _json(outcome.as_json(), outcome.status)


def _json(value: Any, status: int = 200, clean: Callable[[str], str] = str) -> web.Response:
    text = clean(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n"
    return web.Response(text=text, status=status, content_type="application/json")
