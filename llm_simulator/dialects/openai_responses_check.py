"""What is structurally wrong with a Responses request, in OpenAI's own words; ranges are not looked at.

Source: OpenAI API reference (create a response), and its error replies as recorded and quoted in public.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects.fields import as_list, as_object
from llm_simulator.dialects.openai_words import BAD_JSON, method_not_allowed, refusal, worded
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition

_BODY = (
    Rule("model", "string"),
    Rule("input", "string|array"),
    Rule("instructions", "string"),
    Rule("previous_response_id", "string"),
    Rule("conversation", "string|object"),
    Rule("temperature", "number"),
    Rule("top_p", "number"),
    Rule("max_output_tokens", "integer"),
    Rule("max_tool_calls", "integer"),
    Rule("top_logprobs", "integer"),
    Rule("stream", "boolean"),
    Rule("stream_options", "object"),
    Rule("store", "boolean"),
    Rule("background", "boolean"),
    Rule("parallel_tool_calls", "boolean"),
    Rule("include", "array"),
    Rule("metadata", "object"),
    Rule("reasoning", "object"),
    Rule("text", "object"),
    Rule("tools", "array"),
    Rule("tool_choice", "string|object"),
    Rule("truncation", "string"),
    Rule("service_tier", "string"),
    Rule("user", "string"),
    Rule("safety_identifier", "string"),
    Rule("prompt_cache_key", "string"),
)
_ITEM = (Rule("type", "string"), Rule("role", "string"), Rule("content", "string|array"), Rule("id", "string"))
_OF_KIND = {
    "function_call": (Rule("call_id", "string", True), Rule("name", "string", True), Rule("arguments", "string", True)),
    "function_call_output": (Rule("call_id", "string", True), Rule("output", "string|array", True)),
    "item_reference": (Rule("id", "string", True),),
}
_PART = (Rule("type", "string", required=True), Rule("text", "string"))
_TOOL = (Rule("type", "string", required=True),)
_FUNCTION = (
    Rule("name", "string", required=True),
    Rule("description", "string"),
    Rule("parameters", "object"),
    Rule("strict", "boolean"),
)
_FORMAT = (Rule("type", "string", required=True),)
_SCHEMA = (Rule("name", "string", required=True), Rule("schema", "object", required=True), Rule("strict", "boolean"))

_ROLES = ("assistant", "system", "developer", "user")
_SPOKEN = "'assistant', 'system', 'developer', and 'user'"
_GENERATING = ("responses.create", "responses.input_tokens", "responses.compact")


def check(call: Call) -> Condition | None:
    """The first structural fault as a 400, or None; a 405 where the path is known but not for this method."""
    if call.operation == "unknown":
        return method_not_allowed(call)
    if call.operation not in _GENERATING:
        return None
    if call.problem:
        return refusal("bad_json", BAD_JSON, extra={"problem": call.problem})
    fault = first(_faults(call.body))
    return worded(fault) if fault else _missing(call) or _contradiction(as_object(call.body))


def _missing(call: Call) -> Condition | None:
    """A model may come with a stored prompt, an input with an earlier response or a conversation."""
    body = as_object(call.body)
    if not call.model:
        return worded(Fault(("model",), "string", None))
    if body.get("input") is None and not any(
        body.get(name) for name in ("prompt", "previous_response_id", "conversation")
    ):
        return worded(Fault(("input",), "string|array", None))
    if body.get("input") == [] and not any(
        body.get(name) for name in ("prompt", "previous_response_id", "conversation")
    ):
        message = (
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        return refusal("empty_array", message, "input", "empty_array")
    return _stranger(body)


def _stranger(body: dict[str, JSON]) -> Condition | None:
    """A speaker that Responses do not know. Source: its reply as quoted in public (opencode #10803)."""
    for place, item in enumerate(as_list(body.get("input"))):
        fields = as_object(item)
        if fields.get("type") in ("message", None) and fields.get("role") not in _ROLES:
            message = f"Invalid value: '{fields.get('role')}'. Supported values are: {_SPOKEN}."
            return refusal("invalid_value", message, f"input[{place}].role", "invalid_value")
    return None


def _contradiction(body: dict[str, JSON]) -> Condition | None:
    if body.get("previous_response_id") and body.get("conversation"):
        message = (
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. "
            "Ensure you are only providing one of: 'previous_response_id' or 'conversation'."
        )
        return refusal("mutually_exclusive_parameters", message, None, "mutually_exclusive_parameters")
    return None


def _faults(body: JSON) -> Iterator[Fault | None]:
    yield fault_in(body, _BODY)
    fields = as_object(body)
    for place, item in enumerate(as_list(fields.get("input"))):
        yield from item_faults(item, ("input", place))
    for place, tool in enumerate(as_list(fields.get("tools"))):
        yield fault_in(tool, _TOOL, ("tools", place))
        if as_object(tool).get("type") == "function":
            yield fault_in(tool, _FUNCTION, ("tools", place))
    form = as_object(fields.get("text")).get("format")
    if form is not None:
        yield fault_in(form, _FORMAT, ("text", "format"))
        if as_object(form).get("type") == "json_schema":
            yield fault_in(form, _SCHEMA, ("text", "format"))


def item_faults(item: JSON, path: tuple[str | int, ...]) -> Iterator[Fault | None]:
    """What is wrong with an item of an input."""
    yield fault_in(item, _ITEM, path)
    fields = as_object(item)
    kind = fields.get("type")
    if kind in ("message", None):
        yield fault_in(item, (Rule("role", "string", True), Rule("content", "string|array", True)), path)
        for place, part in enumerate(as_list(fields.get("content"))):
            yield fault_in(part, _PART, (*path, "content", place))
    elif isinstance(kind, str):
        yield fault_in(item, _OF_KIND.get(kind, ()), path)
