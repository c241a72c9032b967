"""Our own paths: health, metrics and what an operator may look at. They answer at once, and only on the bare door."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from llm_simulator import __version__
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.config.settings import Settings
from llm_simulator.proxy.pages import PAGES
from llm_simulator.telemetry.observer import Observer

if TYPE_CHECKING:
    from llm_simulator.recorder.writer import Recorder

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]

_DEFAULT_CALLS = 100


class Admin:
    """Routes of one server; `draining` is set while it shuts down."""

    def __init__(
        self, settings: Settings, cassette: Cassette | None, observer: Observer, recorder: Recorder | None = None
    ) -> None:
        self._settings = settings
        self._cassette = cassette
        self._recorder = recorder
        self._observer = observer
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
        }

    def route(self, path: str) -> Handler | None:
        """The handler of one of our own paths (without query), or None: then it is the provider's."""
        handler = self._routes.get(path)
        if handler is None and path.startswith("/admin/"):
            return self._unknown
        return handler

    async def respond(self, request: web.BaseRequest, path: str, handler: Handler) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return _json({"error": f"{path} takes GET, not {request.method}"}, 405, {"allow": "GET, HEAD"})
        if path.startswith("/admin/") and (problem := self._stranger(request)):
            return _json({"error": problem}, 403)
        return await handler(request)

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
                "recordings": len(self._cassette) if self._cassette is not None else 0,
                "base_urls": ["/v1", "/api.openai.com/v1", "/api.anthropic.com", "/generativelanguage.googleapis.com"],
            }
        )

    async def _health(self, _: web.BaseRequest) -> web.Response:
        state = "draining" if self.draining else "ok"
        return _json({"status": state, "version": __version__, "mode": self._settings.mode.value})

    async def _live(self, _: web.BaseRequest) -> web.Response:
        return _json({"status": "ok"})

    async def _ready(self, _: web.BaseRequest) -> web.Response:
        return _json({"status": "draining"}, 503) if self.draining else _json({"status": "ok"})

    async def _metrics(self, _: web.BaseRequest) -> web.Response:
        return web.Response(
            body=self._observer.metrics.text(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _calls(self, request: web.BaseRequest) -> web.Response:
        limit = request.query.get("limit", str(_DEFAULT_CALLS))
        if not limit.isdecimal():
            return _json({"error": f"limit is {limit[:40]!r}; a whole number is allowed"}, 400)
        journal = self._observer.journal
        entries = list(journal)[-int(limit) :] if int(limit) else []
        return _json({"total": journal.total, "calls": [entry.as_json() for entry in entries]})

    async def _summary(self, _: web.BaseRequest) -> web.Response:
        return _json(self._observer.tally.as_json())

    async def _cassette_state(self, _: web.BaseRequest) -> web.Response:
        if self._cassette is None:
            return _json({"cassette": None})
        return _json(
            {
                "cassette": self._cassette.where,
                "recordings": len(self._cassette),
                "unused": self._cassette.unused(),
                "truncated": self._cassette.truncated(),
                **self._recording(),
            }
        )

    def _recording(self) -> dict[str, int]:
        recorder = self._recorder
        if recorder is None or not self._settings.mode.writes:
            return {}
        return {"recorded": recorder.recorded, "failed_writes": recorder.failed, "redactions": recorder.redactions}

    async def _providers(self, _: web.BaseRequest) -> web.Response:
        from llm_simulator.proxy.providers import listing

        return _json(await asyncio.to_thread(listing))

    async def _openapi(self, _: web.BaseRequest) -> web.Response:
        """Made once, when first asked for: it simulates an example of everything."""
        if not self._document:
            from llm_simulator.proxy.openapi import document

            made = await asyncio.to_thread(document, PAGES)
            self._document = json.dumps(made, indent=1, ensure_ascii=False).encode() + b"\n"
        return web.Response(body=self._document, content_type="application/json")

    async def _unknown(self, request: web.BaseRequest) -> web.Response:
        known = [path for path in self._routes if path.startswith("/admin/")]
        return _json({"error": f"no such page: {request.path[:80]}", "known": known}, 404)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)
