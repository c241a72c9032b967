"""The models that a provider lists, from models.json; loaded when a list is first asked for."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

_SAME = {"azure": "openai"}  # whose models they are
_DATE = re.compile(r"-(20\d{6})$")


class Model(NamedTuple):
    """One model: when it came out (seconds since the epoch), what it does, its token limits; 0 where unknown.

    `serves` is the dated snapshot that answers to an alias ("" where that is the model itself), `owner` its owned_by.
    """

    id: str
    created: int
    display: str
    mode: str
    context: int
    output: int
    serves: str = ""
    owner: str = ""


@cache
def models(provider: str) -> tuple[Model, ...]:
    """The models of a provider in the order of the list; none for an unknown provider."""
    listed: dict[str, list[dict[str, Any]]] = json.loads(
        files("llm_simulator.dialects").joinpath("models.json").read_bytes()
    )
    return tuple(_model(entry) for entry in listed.get(_SAME.get(provider, provider), ()))


@cache
def _by_id(provider: str) -> dict[str, Model]:
    return {model.id: model for model in models(provider)}


def find(provider: str, identity: str) -> Model | None:
    """The model of that id, if the provider lists it."""
    return _by_id(provider).get(identity)


def most_after(known: Model | None, prompt: int) -> int:
    """The most tokens that a model can put out after a prompt of so many; 0 where unknown.

    A prompt that fills the window is refused, or cut so that an answer fits (limits.py).
    """
    if not known:
        return 0
    left = max(known.context - prompt, 0)
    return min(left, known.output) if left and known.output else left or known.output


def _model(entry: dict[str, Any]) -> Model:
    return Model(
        entry["id"],
        entry.get("created") or _dated(entry["id"]),
        entry.get("display") or "",
        entry.get("mode") or "chat",
        entry.get("context") or 0,
        entry.get("output") or 0,
        entry.get("serves") or "",
        entry.get("owner") or "",
    )


def _dated(identity: str) -> int:
    """The day that many ids end with, as seconds since the epoch."""
    match = _DATE.search(identity)
    return int(datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).timestamp()) if match else 0
