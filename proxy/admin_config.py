"""The pages /admin/config: what is in force, and another configuration for the running server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from llm_simulator.config.generations import FIRST

if TYPE_CHECKING:
    from llm_simulator.proxy.reload import Outcome, Reloads, Running

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

LARGEST = 4 << 20
_SUFFIXES = {"application/json": ".json", "application/toml": ".toml", "text/toml": ".toml"}


def pages(server: Running, reloads: Reloads | None) -> Mapping[str, Mapping[str, Handler]]:
    """Path -> method -> handler. Without `reloads` there is nothing that settings could be made anew from."""

    async def show(_: web.BaseRequest) -> web.Response:
        from llm_simulator.config.shown import shown

        return _json({**_facts(server, reloads), **shown(server.settings)}, clean=server.clean)

    async def take(request: web.BaseRequest) -> web.Response:
        if reloads is None:
            return _fixed()
        from llm_simulator.config.reading import Document

        if (request.content_length or 0) > LARGEST:
            return _json({"error": f"a configuration of up to {LARGEST} bytes is allowed"}, 413)
        try:
            text = (await request.read()).decode("utf-8")
        except UnicodeDecodeError as error:
            return _json({"error": f"byte {error.start} is not UTF-8; a configuration is UTF-8 text"}, 400)
        document = Document("POST /admin/config", _SUFFIXES.get(request.content_type, ".yaml"), text)
        return _told(await reloads.given(document, "POST /admin/config"))

    async def again(_: web.BaseRequest) -> web.Response:
        if reloads is None:
            return _fixed()
        return _told(await reloads.again("POST /admin/config/reload"))

    return {
        "/admin/config": {"GET": show, "HEAD": show, "POST": take},
        "/admin/config/reload": {"POST": again},
    }


def _facts(server: Running, reloads: Reloads | None) -> dict[str, Any]:
    return {
        "generation": reloads.generation if reloads is not None else FIRST,
        "source": reloads.where if reloads is not None else "the program that started this server",
        "loaded_at": reloads.loaded_at if reloads is not None else None,
        "seed": server.settings.seed,
        "deterministic": server.settings.deterministic,
        "last_error": reloads.failed if reloads is not None else None,
    }


def _fixed() -> web.Response:
    told = "this server was not started by `llm-simulator serve`: another program made its settings, and has them fixed"
    return _json({"result": "refused", "errors": [told]}, 409)


def _told(outcome: Outcome) -> web.Response:
    return _json(outcome.as_json(), outcome.status)


def _json(value: Any, status: int = 200, clean: Callable[[str], str] = str) -> web.Response:
    text = clean(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n"
    return web.Response(text=text, status=status, content_type="application/json")
