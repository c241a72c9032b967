"""Our own paths: health, metrics and what an operator may look at. They answer at once, and only on the bare door."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from llm_simulator import __version__
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config import library
from llm_simulator.config.settings import Settings
from llm_simulator.errors import ConfigError
from llm_simulator.proxy.books import Books, Own
from llm_simulator.proxy.metrics_port import CONTENT_TYPE
from llm_simulator.proxy.pages import PAGES
from llm_simulator.telemetry.observer import Observer

if TYPE_CHECKING:
    from llm_simulator.proxy.scenes import Stage
    from llm_simulator.recorder.writer import Recorder

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

_DEFAULT_CALLS = 100
_ACTIVATE = re.compile(r"/admin/scenarios/([^/]+)/activate")


class Admin:
    """Routes of one server; `draining` is set while it shuts down."""

    def __init__(
        self,
        settings: Settings,
        cassette: Cassette | None,
        observer: Observer,
        recorder: Recorder | None = None,
        stage: Stage | None = None,
        books: Books | None = None,
    ) -> None:
        self._settings = settings
        self._cassette = cassette
        self._books = books or Own(observer, recorder)
        self._stage = stage
        self._added: dict[str, Mapping[str, Handler]] = {}
        self.draining = False
        self._document = b""
        self._routes: dict[str, Handler] = {
            "/": self._about,
            "/health": self._health,
            "/live": self._live,
            "/ready": self._ready,
            "/metrics": self._metrics,
            "/openapi.json": self._openapi,
            "/admin/calls": self._calls,
            "/admin/summary": self._summary,
            "/admin/cassette": self._cassette_state,
            "/admin/providers": self._providers,
            "/admin/scenarios": self._scenarios,
            "/admin/workers": self._workers,
        }

    def renew(self, settings: Settings, stage: Stage) -> None:
        """From now on it tells of another configuration."""
        self._settings, self._stage = settings, stage

    def add(self, pages: Mapping[str, Mapping[str, Handler]]) -> None:
        """Further pages: path -> method -> handler; a path that ends in "/*" is of all that begin so."""
        self._added.update(pages)

    def route(self, path: str) -> Handler | None:
        """The handler of one of our own paths (without query), or None: then it is the provider's."""
        handler = self._routes.get(path)
        if handler is None and (added := self._page(path)) is not None:
            return next(iter(added.values()))  # which one, `respond` sees
        if handler is None and _ACTIVATE.fullmatch(path):
            return self._activate
        if handler is None and path.startswith("/admin/"):
            return self._unknown
        return handler

    def _page(self, path: str) -> Mapping[str, Handler] | None:
        if (found := self._added.get(path)) is not None or not path.startswith("/admin/"):
            return found
        return self._added.get("/".join((*path.split("/", 3)[:3], "*"))) if path.count("/") > 2 else None

    async def respond(self, request: web.BaseRequest, path: str, handler: Handler) -> web.Response:
        added = self._page(path)
        allowed = tuple(added) if added else ("POST",) if _ACTIVATE.fullmatch(path) else ("GET", "HEAD")
        if request.method not in allowed:
            told = f"{path} takes {allowed[0]}, not {request.method}"
            return _json({"error": told}, 405, {"allow": ", ".join(allowed)})
        if path.startswith("/admin/") and (problem := self._stranger(request)):
            return _json({"error": problem}, 403)
        return await (added[request.method] if added else handler)(request)

    def _stranger(self, request: web.BaseRequest) -> str:
        token = self._settings.admin_token
        if not token:
            return "" if self._settings.loopback else "/admin needs a token on this address: start with --admin-token"
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), token.encode()):
            return ""
        return "/admin needs 'Authorization: Bearer <admin token>'"

    async def _about(self, _: web.BaseRequest) -> web.Response:
        return _json(
            {
                "name": "llm-simulator",
                "version": __version__,
                "mode": self._settings.mode.value,
                "seed": self._settings.seed,
                "recordings": len(self._cassette) if self._cassette is not None else 0,
                "base_urls": ["/v1", "/api.openai.com/v1", "/api.anthropic.com", "/generativelanguage.googleapis.com"],
            },
            headers={"x-llm-simulator-seed": str(self._settings.seed)},
        )

    async def _health(self, _: web.BaseRequest) -> web.Response:
        state = "draining" if self.draining else "ok"
        return _json({"status": state, "version": __version__, "mode": self._settings.mode.value})

    async def _live(self, _: web.BaseRequest) -> web.Response:
        return _json({"status": "ok"})

    async def _ready(self, _: web.BaseRequest) -> web.Response:
        return _json({"status": "draining"}, 503) if self.draining else _json({"status": "ok"})

    async def _metrics(self, _: web.BaseRequest) -> web.Response:
        if not self._settings.metrics:
            return _json({"error": "there are no metrics: telemetry.metrics.enabled is false"}, 404)
        return web.Response(body=await self._books.metrics(), headers={"content-type": CONTENT_TYPE})

    async def _calls(self, request: web.BaseRequest) -> web.Response:
        limit = request.query.get("limit", str(_DEFAULT_CALLS))
        if not limit.isdecimal():
            return _json({"error": f"limit is {limit[:40]!r}; a whole number is allowed"}, 400)
        total, calls = await self._books.calls(int(limit))
        return _json({"total": total, "calls": calls})

    async def _summary(self, _: web.BaseRequest) -> web.Response:
        return _json(await self._books.summary())

    async def _cassette_state(self, _: web.BaseRequest) -> web.Response:
        if self._cassette is None:
            return _json({"cassette": None})
        played = await self._books.played()
        return _json(
            {
                "cassette": self._cassette.where,
                "recordings": len(self._cassette),
                "unused": [id for id in self._cassette.unused() if id not in played],
                "truncated": self._cassette.truncated(),
                **(await self._books.recorded() if self._settings.writes else {}),
            }
        )

    async def _providers(self, _: web.BaseRequest) -> web.Response:
        from llm_simulator.proxy.providers import listing

        return _json(await asyncio.to_thread(listing))

    async def _workers(self, _: web.BaseRequest) -> web.Response:
        return _json({"workers": await self._books.workers()})

    async def _scenarios(self, _: web.BaseRequest) -> web.Response:
        """The scenario in force, those of sessions, and all that there are."""
        own, stage = self._settings.scenarios, self._stage
        names = [library.NONE, *own, *(name for name in library.shipped() if name not in own)]
        found = {name: library.find(name, own) for name in names}
        listed = [
            {"name": name, "about": scenario.about if scenario else "no scenario", "shipped": name not in own}
            for name, scenario in found.items()
        ]
        active, sessions = (stage.active, dict(stage.of_sessions)) if stage else (library.NONE, {})
        return _json({"active": active, "sessions": sessions, "scenarios": listed})

    async def _activate(self, request: web.BaseRequest) -> web.Response:
        """Another scenario from the next call on, for all calls or (`?session=`) those of a session."""
        match = _ACTIVATE.fullmatch(request.path)
        session = request.query.get("session", "")
        if match is None or self._stage is None:
            return await self._unknown(request)
        try:
            await self._stage.switch(match[1], session)
        except ConfigError as error:
            return _json({"error": str(error)}, 404)
        return _json({"active": self._stage.active, **({"session": session, "scenario": match[1]} if session else {})})

    async def _openapi(self, _: web.BaseRequest) -> web.Response:
        """Made once, when first asked for: it simulates an example of everything."""
        if not self._document:
            from llm_simulator.proxy.openapi import document

            made = await asyncio.to_thread(document, PAGES)
            self._document = json.dumps(made, indent=1, ensure_ascii=False).encode() + b"\n"
        return web.Response(body=self._document, content_type="application/json")

    async def _unknown(self, request: web.BaseRequest) -> web.Response:
        known = [path for path in (*self._routes, *self._added) if path.startswith("/admin/")]
        return _json({"error": f"no such page: {request.path[:80]}", "known": known}, 404)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)
