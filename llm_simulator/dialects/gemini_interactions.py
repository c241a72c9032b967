"""Gemini's Interactions API: create (streamed or not, in the background, after an earlier one), get, cancel, delete.

Interactions live as long as their session. One in the background is in progress when it is first looked at and done at
the second look. Source: ai.google.dev/api/interactions.
"""

from __future__ import annotations

import re
from dataclasses import replace

from llm_simulator.dialects import gemini_ask, gemini_interactions_write
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Shelf
from llm_simulator.dialects.fields import Object, as_object, as_text, dump
from llm_simulator.dialects.gemini_generate import DIALECT as GENERATE
from llm_simulator.dialects.gemini_interactions_ask import content_request, shows_summaries, steps_of
from llm_simulator.dialects.gemini_interactions_write import Asked, begun, interaction, told
from llm_simulator.dialects.reading import json_object, wants_stream
from llm_simulator.dialects.routes_gemini import GEMINI_INTERACTIONS
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.types import Call, Completion, Condition, Headers, RawRequest, Reply

KIND = "gemini.interactions"

_PATH = re.compile(r"/(?:v1|v1alpha|v1beta)/interactions(?:/([^/:]+)(/cancel)?)?/?")
_OPERATIONS = {
    ("POST", 0): "interactions.create",
    ("GET", 1): "interactions.get",
    ("DELETE", 1): "interactions.delete",
    ("POST", 2): "interactions.cancel",
}
_RULES = (
    Rule("input", "string|array|object", required=True),
    Rule("model", "string"),
    Rule("agent", "string"),
    Rule("stream", "boolean"),
    Rule("background", "boolean"),
    Rule("store", "boolean"),
    Rule("previous_interaction_id", "string"),
    Rule("system_instruction", "string"),
    Rule("tools", "array"),
    Rule("generation_config", "object"),
)
_SSE: Headers = (("content-type", "text/event-stream"),)
_JSON: Headers = (("content-type", "application/json"),)


class GeminiInteractions(Plain):
    """Everything under /{version}/interactions."""

    name = "gemini_interactions"
    provider = "gemini"
    api_version = "v1beta"
    features: frozenset[str] = frozenset(
        ("chat", "streaming", "function_calling", "vision", "thinking", "structured_output")
    )
    simulates: frozenset[str] = frozenset(_OPERATIONS.values())
    generates: frozenset[str] = frozenset(("interactions.create",))
    stateful: frozenset[str] = frozenset(_OPERATIONS.values())
    routes: tuple[Route, ...] = GEMINI_INTERACTIONS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if provider == self.provider else None
        if not match:
            return None
        operation = _OPERATIONS.get((raw.method, 2 if match[2] else 1 if match[1] else 0), "unknown")
        if operation != "interactions.create":
            return Call(provider, KIND, operation, raw)
        body, problem = json_object(raw)
        model, stream = told(as_object(body)), wants_stream(body)
        return Call(provider, KIND, operation, raw, model=model, stream=stream, body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        if call.operation == "unknown":
            return Condition("method_not_allowed", 404, "Requested entity was not found.", retry=False)
        return _check(call) if call.operation == "interactions.create" else None

    def ask(self, call: Call) -> Ask:
        return gemini_ask.ask(content_request(as_object(call.body)), call.model)

    def recall(self, call: Call, shelf: Shelf) -> Call | Condition:
        """With the steps of the interactions before it."""
        body = as_object(call.body)
        earlier = as_text(body.get("previous_interaction_id"))
        if not earlier:
            return call
        record: Object | None = shelf.get(KIND, earlier)
        if record is None:
            return _not_found(earlier)
        return replace(call, body={**body, "input": [*record["steps"], *steps_of(body.get("input"))]})

    def retain(self, call: Call, completion: Completion, shelf: Shelf) -> None:
        body = as_object(call.body)
        if body.get("store") is False:
            return
        asked = _asked(call)
        whole = interaction(completion, asked)
        before: Object = shelf.get(KIND, as_text(body.get("previous_interaction_id"))) or {"steps": []}
        steps = [*before["steps"], *steps_of(body.get("input")), *whole["steps"]]
        begin = begun(completion, asked) if asked.background else None
        shelf.put(KIND, whole["id"], {"whole": whole, "begun": begin, "steps": steps})

    def write(self, completion: Completion, call: Call) -> Reply:
        asked = _asked(call)
        headers = GENERATE.edge(completion.id)
        if call.stream:
            return Reply(200, (*_SSE, *headers), gemini_interactions_write.frames(completion, asked))
        return Reply(200, (*_JSON, *headers), gemini_interactions_write.body(completion, asked))

    def respond(self, call: Call, desk: Desk) -> Reply:
        found = _answer(call, desk.shelf)
        if isinstance(found, Condition):
            return self.refuse(found, call)
        return Reply(200, (*_JSON, *GENERATE.edge(desk.seed.hex())), dump(found))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return GENERATE.refuse(condition, call)


def _asked(call: Call) -> Asked:
    body = as_object(call.body)
    actor = {name: body[name] for name in ("model", "agent") if as_text(body.get(name))}
    media = gemini_ask.prompt_tokens(content_request(body), call.model)[1:]
    return Asked(actor, shows_summaries(body), body.get("background") is True, media)


def _check(call: Call) -> Condition | None:
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"Invalid JSON payload received. {why}")
    fault = fault_in(call.body, _RULES)
    if fault and fault.missing:
        return _refusal("missing_parameter", f"The required parameter '{fault.dotted}' is missing.", fault.dotted)
    if fault:
        wanted = fault.kind.replace("|", " or ")
        return _refusal("invalid_type", f"Invalid value at '{fault.dotted}': it should be {wanted}.", fault.dotted)
    if not call.model:
        return _refusal("missing_parameter", "Either 'model' or 'agent' must be specified.", "model")
    return None


def _answer(call: Call, shelf: Shelf) -> Object | Condition:
    match = _PATH.fullmatch(call.raw.path)
    identity = match[1] if match and match[1] else ""
    record: Object | None = shelf.get(KIND, identity)
    if record is None:
        return _not_found(identity)
    match call.operation:
        case "interactions.delete":
            shelf.remove(KIND, identity)
            return {}
        case "interactions.cancel":
            return _cancel(identity, record, shelf)
        case _:
            shelf.put(KIND, identity, {**record, "begun": None})
            found: Object = record["begun"] or record["whole"]
            return found


def _cancel(identity: str, record: Object, shelf: Shelf) -> Object | Condition:
    """Only what is running in the background can be cancelled."""
    if record["begun"] is None:
        return _refusal("invalid_state", f"Interaction {identity} is not in progress and cannot be cancelled.")
    cancelled = {**record["begun"], "status": "cancelled"}
    shelf.put(KIND, identity, {**record, "whole": cancelled, "begun": None})
    return cancelled


def _not_found(identity: str) -> Condition:
    return Condition("not_found", 404, f"Interaction with id {identity} not found.", retry=False)


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = GeminiInteractions()
