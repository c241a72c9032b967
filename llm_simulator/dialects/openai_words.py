"""How OpenAI words what is structurally wrong with a request: the same at all of its endpoints.

Source: its error replies as recorded and quoted in public (400 `invalid_type`, `missing_required_parameter`, ...).
"""

from __future__ import annotations

from llm_simulator.dialects.fields import is_integer
from llm_simulator.dialects.structure import Fault
from llm_simulator.types import JSON, Call, Condition

BAD_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)
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


def refusal(
    name: str, message: str, param: str | None = None, code: str | None = None, *, extra: JSON = None, status: int = 400
) -> Condition:
    """A refusal of the request as it stands: trying again would not help."""
    return Condition(name, status, message, param, code, "invalid_request_error", retry=False, extra=extra)


def method_not_allowed(call: Call) -> Condition:
    hint = "(HINT: Perhaps you meant to use a different HTTP method?)"
    message = f"Not allowed to {call.raw.method} on {call.raw.path}. {hint}"
    return Condition("method_not_allowed", 405, message, type="invalid_request_error", retry=False)


def worded(fault: Fault) -> Condition:
    """A fault in the fields of a body."""
    if not fault.path:
        return refusal("bad_json", BAD_JSON, extra={"problem": f"the body is {_got(fault.found)}, not a JSON object"})
    where = _spelled(fault.path)
    if fault.missing:
        message = f"Missing required parameter: '{where}'."
        return refusal("missing_parameter", message, where, "missing_required_parameter")
    objects = fault.kind == "array" and fault.path[-1] in _OF_OBJECTS
    wanted = "an array of objects" if objects else _wanted(fault.kind)
    message = f"Invalid type for '{where}': expected {wanted}, but got {_got(fault.found)} instead."
    return refusal("invalid_type", message, where, "invalid_type")


def _wanted(kind: str) -> str:
    return _WANTED.get(kind) or "one of " + " or ".join(_WANTED[name] for name in kind.split("|"))


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
