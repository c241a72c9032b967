"""What is structurally wrong with a generateContent request, in Google's own words.

Google's JSON reader is lenient and so are we: one object may stand for a list of one, numbers may come as text, and
field names may be camelCase or snake_case. Roles and ranges are not refused here: both validation levels must agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from llm_simulator.dialects.fields import Object, as_object, objects
from llm_simulator.dialects.gemini_fields import pick, snake
from llm_simulator.dialects.structure import Fault, Rule, fault_in, first
from llm_simulator.types import JSON, Call, Condition

_PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta"
_MISSING = "* GenerateContentRequest.contents: contents is not specified\n"
_MISSING_VERTEX = (
    "Unable to submit request because at least one contents field is required. Learn more: "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
)

_MANY = "array|object"
_INT = "integer|string"
_NUMBER = "number|string"
_TEXTS = {
    _INT: re.compile(r"[+-]?\d+(?:\.0*)?(?:[eE]\+?\d+)?"),
    _NUMBER: re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|NaN|-?Infinity"),
}
_BODY = (
    Rule("contents", _MANY),
    Rule("systemInstruction", _MANY),
    Rule("tools", _MANY),
    Rule("toolConfig", "object"),
    Rule("safetySettings", _MANY),
    Rule("generationConfig", "object"),
    Rule("cachedContent", "string"),
)
_CONTENT = (Rule("role", "string"), Rule("parts", _MANY))
_PART = (Rule("text", "string"), Rule("functionCall", "object"), Rule("functionResponse", "object"))
_CONFIG = (
    Rule("maxOutputTokens", _INT),
    Rule("candidateCount", _INT),
    Rule("temperature", _NUMBER),
    Rule("topP", _NUMBER),
    Rule("topK", _NUMBER),
    Rule("stopSequences", "array|string"),
    Rule("responseMimeType", "string"),
)
_TYPES = {
    "contents": f"{_PACKAGE}.Content",
    "systemInstruction": f"{_PACKAGE}.Content",
    "tools": f"{_PACKAGE}.Tool",
    "toolConfig": f"{_PACKAGE}.ToolConfig",
    "safetySettings": f"{_PACKAGE}.SafetySetting",
    "generationConfig": f"{_PACKAGE}.GenerationConfig",
    "parts": f"{_PACKAGE}.Part",
    "functionCall": f"{_PACKAGE}.FunctionCall",
    "functionResponse": f"{_PACKAGE}.FunctionResponse",
    "maxOutputTokens": "TYPE_INT32",
    "candidateCount": "TYPE_INT32",
    "temperature": "TYPE_FLOAT",
    "topP": "TYPE_FLOAT",
    "topK": "TYPE_FLOAT",
}


def check(call: Call) -> Condition | None:
    """The first structural fault as a 400, or None."""
    if call.problem:
        why = call.problem.removeprefix("the body is not JSON: ")
        return _refusal("bad_json", f"Invalid JSON payload received. {why}")
    fault = first(_faults(call.body))
    if fault:
        return _refusal("invalid_type", _words(fault), _path(fault))
    if not pick(as_object(call.body), "contents"):
        missing = _MISSING_VERTEX if call.provider == "vertex" else _MISSING
        return _refusal("missing_parameter", missing, "contents")
    return None


def _faults(body: JSON) -> Iterator[Fault | None]:
    yield _fault(body, _BODY)
    fields = as_object(body)
    contents = pick(fields, "contents")
    for place, content in enumerate(contents if isinstance(contents, list) else objects(contents)):
        path = ("contents", place) if isinstance(contents, list) else ("contents",)
        yield from _content(content, path)
    config = pick(fields, "generationConfig")
    if config is not None:
        yield _fault(config, _CONFIG, ("generationConfig",))


def _content(content: JSON, path: tuple[str | int, ...]) -> Iterator[Fault | None]:
    yield _fault(content, _CONTENT, path)
    parts = pick(as_object(content), "parts")
    for place, part in enumerate(parts if isinstance(parts, list) else objects(parts)):
        yield _fault(part, _PART, (*path, "parts", place))


def _fault(value: JSON, rules: tuple[Rule, ...], path: tuple[str | int, ...] = ()) -> Fault | None:
    """As `fault_in`, the fields in either spelling."""
    if not isinstance(value, dict):
        return Fault(path, "object", value)
    named: Object = {rule.name: pick(value, rule.name) for rule in rules}
    return fault_in(named, rules, path) or first(_number(rule, named[rule.name], path) for rule in rules)


def _number(rule: Rule, value: JSON, path: tuple[str | int, ...]) -> Fault | None:
    """A number that comes as text must be one."""
    form = _TEXTS.get(rule.kind)
    wrong = form is not None and isinstance(value, str) and not form.fullmatch(value)
    return Fault((*path, rule.name), rule.kind, value) if wrong else None


def _path(fault: Fault) -> str:
    """`contents[0].parts[1].text`, in the proto's own names."""
    text = ""
    for step in fault.path:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' if text else ''}{snake(step)}"
    return text


def _words(fault: Fault) -> str:
    name = next((step for step in reversed(fault.path) if isinstance(step, str)), "")
    kind = _TYPES.get(name, "TYPE_STRING")
    return f"Invalid value at '{_path(fault)}' ({kind}), {json.dumps(fault.found, ensure_ascii=False)[:200]}"


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)
