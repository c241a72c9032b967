"""What is structurally wrong with a chat completions request, in OpenAI's own words; ranges are not looked at.

Source: OpenAI's error replies as recorded and quoted in public (400 `invalid_type`, `missing_required_parameter`, ...).
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects.fields import as_list, as_object, objects
from llm_simulator.dialects.openai_words import BAD_JSON, method_not_allowed, refusal, worded
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition

ROLES = ("system", "assistant", "user", "function", "tool", "developer")

_BODY = (
    Rule("messages", "array", required=True),
    Rule("temperature", "number"),
    Rule("top_p", "number"),
    Rule("frequency_penalty", "number"),
    Rule("presence_penalty", "number"),
    Rule("max_tokens", "integer"),
    Rule("max_completion_tokens", "integer"),
    Rule("n", "integer"),
    Rule("seed", "integer"),
    Rule("stream", "boolean"),
    Rule("stream_options", "object"),
    Rule("stop", "string|array"),
    Rule("tools", "array"),
    Rule("tool_choice", "string|object"),
    Rule("functions", "array"),
    Rule("function_call", "string|object"),
    Rule("response_format", "object"),
    Rule("logit_bias", "object"),
    Rule("logprobs", "boolean"),
    Rule("top_logprobs", "integer"),
    Rule("metadata", "object"),
    Rule("modalities", "array"),
    Rule("parallel_tool_calls", "boolean"),
    Rule("user", "string"),
)
_MESSAGE = (Rule("role", "string", required=True), Rule("content", "string|array"), Rule("tool_calls", "array"))
_PART = (Rule("type", "string", required=True), Rule("text", "string"))
_CALL = (Rule("id", "string"), Rule("type", "string"), Rule("function", "object"))
_TOOL = (Rule("type", "string", required=True), Rule("function", "object"))
_FUNCTION = (Rule("name", "string", required=True), Rule("description", "string"), Rule("parameters", "object"))


def check(call: Call) -> Condition | None:
    """The first structural fault as a 400, or None; a 405 where the path is known but not for this method."""
    if call.operation != "chat":
        return method_not_allowed(call)
    if call.problem:
        return refusal("bad_json", BAD_JSON, extra={"problem": call.problem})
    if not call.model:
        return _no_model(as_object(call.body).get("model"))
    fault = first(_faults(call.body))
    return worded(fault) if fault else _empty(as_object(call.body)) or _role(call.body)


def _no_model(given: JSON) -> Condition:
    if given is None or given == "":
        return refusal("missing_model", "you must provide a model parameter")
    return worded(Fault(("model",), "string", given))


def _faults(body: JSON) -> Iterator[Fault | None]:
    yield fault_in(body, _BODY)
    fields = as_object(body)
    for place, message in enumerate(as_list(fields.get("messages"))):
        yield from _message_faults(message, ("messages", place))
    for place, tool in enumerate(as_list(fields.get("tools"))):
        yield fault_in(tool, _TOOL, ("tools", place))
        if as_object(tool).get("type") == "function":
            yield fault_in(as_object(tool).get("function") or {}, _FUNCTION, ("tools", place, "function"))
    for place, function in enumerate(as_list(fields.get("functions"))):
        yield fault_in(function, _FUNCTION, ("functions", place))


def _message_faults(message: JSON, path: tuple[str | int, ...]) -> Iterator[Fault | None]:
    yield fault_in(message, _MESSAGE, path)
    fields = as_object(message)
    for place, part in enumerate(as_list(fields.get("content"))):
        yield fault_in(part, _PART, (*path, "content", place))
    for place, called in enumerate(as_list(fields.get("tool_calls"))):
        yield fault_in(called, _CALL, (*path, "tool_calls", place))


def _empty(body: dict[str, JSON]) -> Condition | None:
    if body.get("messages"):
        return None
    message = (
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
    )
    return refusal("empty_array", message, "messages", "empty_array")


def _role(body: JSON) -> Condition | None:
    """The first message whose role is unknown, or whose content is missing where the role needs one."""
    for place, message in enumerate(objects(as_list(as_object(body).get("messages")))):
        role = message["role"]
        if role not in ROLES:
            allowed = ", ".join(f"'{name}'" for name in ROLES[:-1])
            text = f"Invalid value: '{role}'. Supported values are: {allowed}, and '{ROLES[-1]}'."
            return refusal("invalid_value", text, f"messages[{place}].role", "invalid_value")
        if message.get("content") is None and role not in ("assistant", "function"):
            text = "Invalid value for 'content': expected a string, got null."
            return refusal("invalid_value", text, f"messages.[{place}].content")
    return None
