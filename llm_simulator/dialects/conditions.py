"""The catalogue of error conditions: what each provider answers when, byte for byte, and what its SDKs make of it.

The facts stand beside this file, one `conditions_{provider}.json` each, read when first asked for: 592 answers (http,
result, sse, websocket), 205 network faults and 2 that an SDK raises by itself. Each names its source and basis. Texts
hold placeholders (`{model}`, `{request_id}`), with an example for each, so that a request gets its own values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from llm_simulator.dialects import jsonstyle
from llm_simulator.dialects.condition_values import of_call
from llm_simulator.dialects.fields import Object
from llm_simulator.types import JSON, Call, Condition, Frame, Headers, Reply, header

PROVIDERS = ("openai", "azure", "anthropic", "gemini", "cohere", "mistral")
NETWORK = "network"
"""Not a provider: faults of the connection, which no dialect can spell (`network.openai.connection_refused`)."""

_SPEAKS: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "azure": ("azure", "openai"),
    "anthropic": ("anthropic",),
    "gemini": ("gemini",),
    "vertex": ("gemini",),
    "cohere": ("cohere",),
    "mistral": ("mistral", "openai"),
}
_COMPATIBLE = ("openai",)  # whose words the OpenAI-compatible hosts use
_PLACE = re.compile(r"\{([a-z_]+)\}")
_LAYOUTS = {
    "compact": jsonstyle.compact,
    "compactnl": jsonstyle.compact_line,
    "indent2": jsonstyle.indented,
    "indent2nl": jsonstyle.indented_line,
    "indent4nl": jsonstyle.gateway,
}
_AS_IS = (
    "category",
    "transport",
    "status",
    "cause",
    "result",
    "fault",
    "retried",
    "probe",
    "documented",
    "basis",
    "notes",
    "close",
)
_BLANK: Mapping[str, Any] = MappingProxyType(
    {
        "status": None,
        "cause": None,
        "result": None,
        "fault": None,
        "retried": False,
        "documented": False,
        "notes": "",
        "close": None,
    }
)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One condition. Headers, body and events are templates; `examples` has a value for each of their placeholders.

    `status` is None where nothing is sent, 101 for a message on a WebSocket. `removed` names headers that the provider
    usually sends and here does not. `layout` is how the body is written: compact, indent2, indent4nl, ..., raw for text.
    `python` and `node` are the exceptions that the SDKs raise by default, after their retries (None: nothing is raised,
    `result` says what is seen instead); `requests` is how many they send in all. `basis` says how the wording is known.
    `close` is the code that a WebSocket is closed with, after the message if there is one.
    """

    id: str
    provider: str
    applies_to: tuple[str, ...]
    condition: str
    category: str
    transport: str
    status: int | None
    headers: Headers
    removed: tuple[str, ...]
    body: JSON
    layout: str
    events: tuple[str, ...]
    examples: Mapping[str, str]
    python: str | None
    node: str | None
    cause: str | None
    result: str | None
    fault: str | None
    retried: bool
    requests: int
    requests_node: int
    probe: str
    documented: bool
    basis: str
    source: str
    notes: str
    close: int | None

    @property
    def spelled(self) -> bool:
        """Whether it is an answer: the others are faults of the network or raised by an SDK before any request."""
        return self.transport not in ("network", "client")

    @property
    def message(self) -> str:
        """What the answer says, with the examples; "" where it says nothing that is for people."""
        return _message(_filled(self.body, self.examples))


def entries(provider: str = "") -> tuple[Entry, ...]:
    """All conditions, or those of one provider ("network": the faults of the connection)."""
    if provider:
        return tuple(_catalogue(provider).values())
    return tuple(entry for name in (*PROVIDERS, NETWORK) for entry in _catalogue(name).values())


def find(name: str, provider: str = "") -> Entry | None:
    """The condition of that id; or of that name as `provider` has it, or else as the one whose words it uses.

    What a provider borrows (Azure from OpenAI) comes under its own usual headers.
    """
    owner, _, slug = name.partition(".")
    speaks = _speaks(provider)
    if slug and (owner in PROVIDERS or owner == NETWORK) and slug in _catalogue(owner):
        return _adopted(owner, slug, speaks[0]) if owner in speaks[1:] else _catalogue(owner)[slug]
    found = next((each for each in speaks if name in _catalogue(each)), None)
    if found is None:
        return None
    return _catalogue(found)[name] if found == speaks[0] else _adopted(found, name, speaks[0])


def _speaks(provider: str) -> tuple[str, ...]:
    """Whose words a provider uses, its own first."""
    return _SPEAKS.get(provider, _COMPATIBLE) if provider else ()


def raised(name: str, **values: object) -> Condition:
    """A condition of the catalogue by its id, with the request's own values for its placeholders.

    Raises:
        KeyError: the catalogue has no such condition.
    """
    entry = find(name)
    if entry is None:
        raise KeyError(name)
    own = tuple((key, str(value)) for key, value in values.items())
    message = _message(_filled(entry.body, {**entry.examples, **dict(own)}))
    return Condition(entry.id, entry.status or 0, message, values=own)


def answer(condition: Condition, call: Call) -> Reply | None:
    """The exact answer where the catalogue has the condition; None for one of ours, and for what is no answer.

    A condition that has a message of its own under a bare name says something of its own: its dialect spells it.
    """
    entry = find(condition.name, call.provider)
    if entry is None or not entry.spelled or (condition.message and condition.name != entry.id):
        return None
    if call.provider == "vertex" and condition.details is None:
        condition = replace(condition, details=_details(entry.body))
    return spell(entry, {**of_call(entry.examples, call, condition), **dict(condition.values)}, condition)


def spell(entry: Entry, values: Mapping[str, str] = _NOTHING, condition: Condition | None = None) -> Reply:
    """Status, headers and body of a condition, with its examples where `values` has none.

    `condition` may put its own words in the place of the catalogue's. For a WebSocket the body is the message to send.
    """
    known = {**entry.examples, **values}
    headers = _headers(entry, known, condition)
    if entry.events:
        frames = enumerate(_filled_text(event, known) for event in entry.events)
        return Reply(entry.status or 200, headers, tuple(Frame(place, event.encode()) for place, event in frames))
    if entry.body is None:
        return Reply(entry.status or 0, headers, b"")
    body = _filled(entry.body, known)
    if condition is not None:
        body = _reworded(body, condition)
    return Reply(entry.status or 0, headers, body.encode() if isinstance(body, str) else _LAYOUTS[entry.layout](body))


def _headers(entry: Entry, known: Mapping[str, str], condition: Condition | None) -> Headers:
    given = {name: _filled(value, known) for name, value in entry.headers}
    if condition is not None:
        given.update((name.lower(), value) for name, value in condition.headers)
        if condition.retry_after is not None:
            given["retry-after"] = str(math.ceil(condition.retry_after))
            if entry.provider in ("openai", "azure"):
                given["retry-after-ms"] = str(math.ceil(condition.retry_after * 1000))
    return tuple(given.items())


def _filled(template: JSON, known: Mapping[str, str]) -> Any:
    match template:
        case str():
            return _PLACE.sub(lambda place: known.get(place[1], place[0]), template)
        case list():
            return [_filled(item, known) for item in template]
        case dict():
            return {name: _filled(item, known) for name, item in template.items()}
        case _:
            return template


def _filled_text(template: str, known: Mapping[str, str]) -> str:
    """JSON text with its placeholders filled: they stand inside strings."""
    return _PLACE.sub(lambda place: json.dumps(known[place[1]])[1:-1] if place[1] in known else place[0], template)


def _reworded(body: JSON, condition: Condition) -> JSON:
    """The body with what the condition itself has to say; a text has no place for it."""
    if isinstance(body, list):  # Gemini's OpenAI-compatible endpoint wraps its errors
        return [_reworded(item, condition) for item in body]
    if not isinstance(body, dict):
        return body
    whole: Object = dict(body)
    inner: Object = dict(whole["error"]) if isinstance(whole.get("error"), dict) else whole
    if condition.message and "message" in inner:
        inner["message"] = condition.message
    for name, value in (("type", condition.type or None), ("param", condition.param), ("code", condition.code)):
        if value is not None and name in inner and not isinstance(inner[name], int):
            inner[name] = value
    if condition.details is not None:
        inner["detail" if "detail" in inner else "details"] = condition.details
    if condition.extra is not None:
        inner["llm_simulator"] = condition.extra
    return inner if inner is whole else {**whole, "error": inner}


def _details(body: JSON) -> list[JSON] | None:
    """Vertex AI lists details in every error, if only none; None where the body is no error."""
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("details", []) if isinstance(error, dict) else None


def _message(body: JSON) -> str:
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict):
        return ""
    inner = body["error"] if isinstance(body.get("error"), dict) else body
    message = inner.get("message", inner.get("detail"))
    return message if isinstance(message, str) else ""


@cache
def _data(provider: str) -> Object:
    from importlib.resources import files  # a run without an error does not pay for it

    data: Object = json.loads(files("llm_simulator.dialects").joinpath(f"conditions_{provider}.json").read_bytes())
    return data


@cache
def _catalogue(provider: str) -> Mapping[str, Entry]:
    """The conditions of one file by name."""
    data = _data(provider)
    return MappingProxyType({row["id"]: _entry(provider, row, data) for row in data["entries"]})


@cache
def _adopted(owner: str, name: str, provider: str) -> Entry:
    """A condition of another provider, whose words this one uses under its own usual headers."""
    entry, data = _catalogue(owner)[name], _data(provider)
    kind = {"content-type": header(entry.headers, "content-type", "application/json")}
    examples = MappingProxyType({**entry.examples, **data["ids"]})
    return replace(entry, headers=tuple({**data["headers"], **kind}.items()), removed=(), examples=examples)


def _entry(provider: str, row: Object, data: Object) -> Entry:
    """A row with what its file says once for all: usual headers, exceptions by status, shared bodies and frames."""
    full: Object = {"transport": "http", **_BLANK, **data["default"], **row}
    if provider == NETWORK:
        full["transport"] = NETWORK
    headers: Object = {} if full["status"] in (None, 101) else {**data["headers"], **row.get("headers", {})}
    requests: int = row.get("requests", 3 if full["retried"] else 1)
    return Entry(
        id=f"{provider}.{full['id']}",
        provider=provider,
        applies_to=tuple(data["on"][full["on"]] if isinstance(full["on"], str) else full["on"]),
        condition=full["when"],
        headers=tuple((name, value) for name, value in headers.items() if value is not None),
        removed=tuple(name for name, value in headers.items() if value is None),
        body=_body(row, data),
        layout=full["format"] or "",
        events=tuple(_frames(row.get("events", ()), data)),
        examples=MappingProxyType({**data["ids"], **row.get("vars", {})}),
        python=_exception("python", full, data),
        node=_exception("node", full, data),
        requests=requests,
        requests_node=row.get("requests_node", requests),
        source=data["sources"][full["source"]] if isinstance(full["source"], int) else full["source"],
        **{name: full[name] for name in _AS_IS},
    )


def _body(row: Object, data: Object) -> JSON:
    """A row's `error` stands in its provider's envelope, a `body` by itself or over one that is shared."""
    if "error" in row:
        return {name: row["error"] if inner == "$" else inner for name, inner in data["envelope"].items()}
    if "like" in row:
        return {**data["bodies"][row["like"]], **row["body"]}
    return row.get("body")


def _frames(events: JSON, data: Object) -> Iterator[str]:
    for event in events:
        yield data["frames"][event] if isinstance(event, int) else event


def _exception(language: str, full: Object, data: Object) -> str | None:
    """What a row says, else what its SDK raises at that status."""
    if language in full or full["transport"] != "http":
        found: str | None = full.get(language)
        return found
    by_status: dict[str, str | None] = data["exceptions"][language]
    return by_status.get(str(full["status"]))
