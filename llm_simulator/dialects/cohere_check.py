"""What is structurally wrong with a Cohere v2 chat request, in the API's own words; ranges are not refused here."""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects.fields import as_list, as_object
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition

_BODY = (
    Rule("model", "string", required=True),
    Rule("messages", "array", required=True),
    Rule("stream", "boolean"),
    Rule("tools", "array"),
    Rule("documents", "array"),
    Rule("response_format", "object"),
    Rule("max_tokens", "integer"),
    Rule("stop_sequences", "array"),
    Rule("temperature", "number"),
    Rule("p", "number"),
    Rule("k", "number"),
    Rule("seed", "number"),
    Rule("tool_choice", "string"),
)
_MESSAGE = (Rule("role", "string", required=True), Rule("content", "string|array"))
_TOOL = (Rule("type", "string"), Rule("function", "object"))


def check(call: Call) -> Condition | None:
    """The first structural fault as a 400, or None."""
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"invalid json syntax: {why}")
    fault = first(_faults(call.body))
    if fault:
        return _refusal("missing_parameter" if fault.missing else "invalid_type", _words(fault), fault.dotted)
    if not as_object(call.body)["messages"]:
        return _refusal("missing_parameter", _missing("messages"), "messages")
    return None


def _faults(body: JSON) -> Iterator[Fault | None]:
    yield fault_in(body, _BODY)
    fields = as_object(body)
    for place, message in enumerate(as_list(fields.get("messages"))):
        yield fault_in(message, _MESSAGE, ("messages", place))
    for place, tool in enumerate(as_list(fields.get("tools"))):
        yield fault_in(tool, _TOOL, ("tools", place))


def _words(fault: Fault) -> str:
    if fault.missing and fault.path == ("model",):
        return "a model parameter is required for this endpoint."
    if fault.missing:
        return _missing(fault.dotted)
    wanted = fault.kind.replace("|", " or ")
    return f"invalid type: parameter {fault.dotted} is of type {_kind(fault.found)} but should be of type {wanted}."


def _missing(name: str) -> str:
    return f"invalid request: required '{name}' param is missing or empty."


def _kind(value: JSON) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)
