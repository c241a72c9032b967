"""Our own YAML as an export: what `cassettes.textwrite` writes."""

from __future__ import annotations

from llm_simulator.cassettes.key import MATCHER_VERSION
from llm_simulator.cassettes.textwrite import document, head
from llm_simulator.types import Exchange


def start() -> str:
    return head(MATCHER_VERSION)


def entry(exchange: Exchange, run: str, number: int) -> str:
    return document(exchange, matcher=MATCHER_VERSION)


def end() -> str:
    return ""
