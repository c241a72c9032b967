"""Our own pages, as the OpenAPI document tells of them (`admin.py` answers them)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One of our own pages, as the OpenAPI document tells of it: `numbers` are query parameters, all optional."""

    path: str
    summary: str
    media: str = "application/json"
    numbers: tuple[str, ...] = ()
    statuses: tuple[tuple[int, str], ...] = ()


PAGES = (
    Page("/", "What this is, and where the providers are"),
    Page("/health", "Health and mode"),
    Page("/live", "Whether the process runs"),
    Page("/ready", "Whether new calls are taken", statuses=((503, "It is shutting down"),)),
    Page("/metrics", "Metrics in Prometheus's text format", "text/plain"),
    Page("/openapi.json", "This document"),
    Page("/admin/calls", "The last calls", numbers=("limit",), statuses=((400, "limit is no whole number"),)),
    Page("/admin/summary", "Calls, tokens and misses since the start"),
    Page("/admin/cassette", "The cassette, and which recordings were not asked for"),
    Page("/admin/scenarios", "The scenario in force, and all that there are; POST .../NAME/activate chooses one"),
    Page("/admin/workers", "The processes that serve"),
    Page(
        "/admin/config", "The configuration in force; POST takes another one, POST /admin/config/reload the file anew"
    ),
    Page("/admin/sessions", "The sessions; DELETE /admin/sessions/ID ends one"),
    Page("/admin/breakers", "Circuit breakers; POST /admin/breakers/UPSTREAM/MODEL/trip or .../reset sets one"),
    Page("/admin/limits", "What is left of rate limits, by key and model family"),
    Page("/admin/providers", "What is covered, with a check of each dialect"),
)
"""One for each route of `Admin`; those below /admin ask for the token where one is set."""
