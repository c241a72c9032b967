"""What is structurally wrong with a chat completions request, in OpenAI's own words; ranges are not looked at.

Source: OpenAI's error replies as recorded and quoted in public (400 `invalid_type`, `missing_required_parameter`, ...).
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects.fields import as_list, as_object, is_integer, objects
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition

BAD_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)
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

_WANTED = {
    "string": "a string",
    "integer": "an integer",
    "number": "a decimal",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
    "string|array": "one of a string or array of objects",
    "string|object": "one of a string or object",
}
_OF_OBJECTS = ("messages", "tools", "functions", "tool_calls")


def check(call: Call) -> Condition | None:
    """The first structural fault as a 400, or None; a 405 where the path is known but not for this method."""
    if call.operation != "chat":
        return method_not_allowed(call)
    if call.problem:
        return _refusal("bad_json", BAD_JSON, extra={"problem": call.problem})
    if not call.model:
        return _no_model(as_object(call.body).get("model"))
    fault = first(_faults(call.body))
    return _worded(fault) if fault else _empty(as_object(call.body)) or _role(call.body)


def method_not_allowed(call: Call) -> Condition:
    hint = "(HINT: Perhaps you meant to use a different HTTP method?)"
    message = f"Not allowed to {call.raw.method} on {call.raw.path}. {hint}"
    return Condition("method_not_allowed", 405, message, type="invalid_request_error", retry=False)


def _no_model(given: JSON) -> Condition:
    if given is None or given == "":
        return _refusal("missing_model", "you must provide a model parameter")
    return _worded(Fault(("model",), "string", given))


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
    return _refusal("empty_array", message, "messages", "empty_array")


def _role(body: JSON) -> Condition | None:
    """The first message whose role is unknown, or whose content is missing where the role needs one."""
    for place, message in enumerate(objects(as_list(as_object(body).get("messages")))):
        role = message["role"]
        if role not in ROLES:
            allowed = ", ".join(f"'{name}'" for name in ROLES[:-1])
            text = f"Invalid value: '{role}'. Supported values are: {allowed}, and '{ROLES[-1]}'."
            return _refusal("invalid_value", text, f"messages[{place}].role", "invalid_value")
        if message.get("content") is None and role not in ("assistant", "function"):
            text = "Invalid value for 'content': expected a string, got null."
            return _refusal("invalid_value", text, f"messages.[{place}].content")
    return None


def _worded(fault: Fault) -> Condition:
    where = _spelled(fault.path)
    if fault.missing:
        return _refusal(
            "missing_parameter", f"Missing required parameter: '{where}'.", where, "missing_required_parameter"
        )
    wanted = "an array of objects" if fault.path[-1] in _OF_OBJECTS and fault.kind == "array" else _WANTED[fault.kind]
    message = f"Invalid type for '{where}': expected {wanted}, but got {_got(fault.found)} instead."
    return _refusal("invalid_type", message, where, "invalid_type")


def _spelled(path: tuple[str | int, ...]) -> str:
    """`messages[0].content`: names with dots, places in brackets."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _got(value: JSON) -> str:
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "an integer" if is_integer(value) else "a decimal number"


def _refusal(
    name: str, message: str, param: str | None = None, code: str | None = None, extra: JSON = None
) -> Condition:
    return Condition(name, 400, message, param, code, "invalid_request_error", retry=False, extra=extra)
