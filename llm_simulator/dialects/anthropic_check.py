"""What is structurally wrong with an Anthropic request, in the API's own words; leniency about the rest is `ask`'s.

Not refused here, because both validation levels must agree: a missing max_tokens, ranges, the order of roles.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects.fields import as_list, as_object
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition

_BODY = (
    Rule("model", "string", required=True),
    Rule("messages", "array", required=True),
    Rule("max_tokens", "integer"),
    Rule("system", "string|array"),
    Rule("stream", "boolean"),
    Rule("tools", "array"),
    Rule("tool_choice", "object"),
    Rule("stop_sequences", "array"),
    Rule("temperature", "number"),
    Rule("top_p", "number"),
    Rule("top_k", "integer"),
    Rule("thinking", "object"),
    Rule("metadata", "object"),
    Rule("output_config", "object"),
)
_MESSAGE = (Rule("role", "string", required=True), Rule("content", "string|array", required=True))
_BLOCK = (Rule("type", "string", required=True), Rule("text", "string"))
_TOOL = (Rule("name", "string"), Rule("description", "string"), Rule("input_schema", "object"))

_SHOULD = {
    "string": "Input should be a valid string",
    "integer": "Input should be a valid integer",
    "number": "Input should be a valid number",
    "boolean": "Input should be a valid boolean",
    "array": "Input should be a valid list",
    "string|array": "Input should be a valid list",
    "object": "Input should be a valid dictionary",
}


def check(call: Call) -> Condition | None:
    """The first structural fault as a 400, or None."""
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"The request body is not valid JSON: {why}")
    fault = first(_faults(call.body))
    if fault:
        return _refusal("missing_parameter" if fault.missing else "invalid_type", _words(fault), fault.dotted)
    if not as_object(call.body)["messages"]:
        return _refusal("invalid_value", "messages: at least one message is required", "messages")
    return None


def _faults(body: JSON) -> Iterator[Fault | None]:
    yield fault_in(body, _BODY)
    fields = as_object(body)
    for place, message in enumerate(as_list(fields.get("messages"))):
        yield fault_in(message, _MESSAGE, ("messages", place))
        yield from _blocks(message["content"], ("messages", place, "content"))
    yield from _blocks(fields.get("system"), ("system",))
    for place, tool in enumerate(as_list(fields.get("tools"))):
        yield fault_in(tool, _TOOL, ("tools", place))


def _blocks(content: JSON, path: tuple[str | int, ...]) -> Iterator[Fault | None]:
    return (fault_in(item, _BLOCK, (*path, place)) for place, item in enumerate(as_list(content)))


def _words(fault: Fault) -> str:
    if fault.missing:
        return f"{fault.dotted}: Field required"
    if isinstance(fault.path[-1], int):
        return f"{fault.dotted}: Input does not match the expected shape."
    return f"{fault.dotted}: {_SHOULD[fault.kind]}"


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, type="invalid_request_error", retry=False)
