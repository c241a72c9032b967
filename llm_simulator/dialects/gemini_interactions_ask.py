"""A request of Gemini's Interactions API in the terms of generateContent, so that both ask the engine the same way.

Source: ai.google.dev/api/interactions (steps, tools, generation_config, response_format).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects
from llm_simulator.types import JSON

_MEDIA = ("image", "audio", "video", "document")


def steps_of(given: JSON) -> list[Object]:
    """An input as steps: a text, contents and turns with roles are what the user (or the model) said."""
    if isinstance(given, str):
        return [_said("user_input", given)]
    items = objects(given)
    if any(item.get("type") in ("text", *_MEDIA) for item in items):
        return [{"type": "user_input", "content": items}]
    return [_step(item) for item in items]


def content_request(body: Object) -> Object:
    """The body as one of generateContent."""
    config = as_object(body.get("generation_config"))
    schema, wants_json = _format(body)
    return {
        "contents": list(_contents(steps_of(body.get("input")))),
        **_instruction(body.get("system_instruction")),
        "tools": [{"functionDeclarations": list(_functions(objects(body.get("tools"))))}],
        "toolConfig": {"functionCallingConfig": _choice(config.get("tool_choice"))},
        "generationConfig": {
            **{name: config[name] for name in ("max_output_tokens", "stop_sequences") if name in config},
            "thinkingConfig": {"thinkingLevel": as_text(config.get("thinking_level"))},
            **({"responseMimeType": "application/json"} if wants_json else {}),
            **({"responseJsonSchema": schema} if schema is not None else {}),
        },
    }


def shows_summaries(body: Object) -> bool:
    return as_object(body.get("generation_config")).get("thinking_summaries") == "auto"


def _said(kind: str, text: str) -> Object:
    return {"type": kind, "content": [{"type": "text", "text": text}]}


def _step(item: Object) -> Object:
    """A step, or a turn of the API's first form: role and content."""
    if "role" not in item:
        return item
    kind = "model_output" if item["role"] == "model" else "user_input"
    content = item.get("content")
    return _said(kind, content) if isinstance(content, str) else {"type": kind, "content": objects(content)}


def _instruction(text: JSON) -> Object:
    return {"systemInstruction": {"parts": [{"text": text}]}} if isinstance(text, str) and text else {}


def _contents(steps: Iterable[Object]) -> Iterator[Object]:
    for step in steps:
        match step.get("type"):
            case "user_input":
                yield {"role": "user", "parts": [_part(item) for item in objects(step.get("content"))]}
            case "model_output":
                yield {"role": "model", "parts": [_part(item) for item in objects(step.get("content"))]}
            case "function_call":
                call = {"name": step.get("name"), "args": as_object(step.get("arguments"))}
                yield {"role": "model", "parts": [{"functionCall": call}]}
            case "function_result":
                result = {"name": as_text(step.get("name")), "response": {"result": step.get("result")}}
                yield {"role": "function", "parts": [{"functionResponse": result}]}
            case _:
                pass


def _part(item: Object) -> Object:
    if item.get("type") not in _MEDIA:
        return {"text": as_text(item.get("text"))}
    mime = as_text(item.get("mime_type")) or f"{item['type']}/*"
    if as_text(item.get("uri")):
        return {"fileData": {"fileUri": item["uri"], "mimeType": mime}}
    return {"inlineData": {"data": as_text(item.get("data")), "mimeType": mime}}


def _functions(tools: list[Object]) -> Iterator[Object]:
    for tool in tools:
        if tool.get("type") == "function":
            named = {"name": as_text(tool.get("name")), "description": as_text(tool.get("description"))}
            yield {**named, "parametersJsonSchema": tool.get("parameters")}


def _choice(given: JSON) -> Object:
    if isinstance(given, str):
        return {"mode": given}
    allowed = as_object(as_object(given).get("allowed_tools"))
    return {"mode": as_text(allowed.get("mode")), "allowedFunctionNames": as_list(allowed.get("tools"))}


def _format(body: Object) -> tuple[JSON, bool]:
    """The schema of the answer, and whether it is JSON. A format is one object, a list of them, or the schema itself."""
    given = body.get("response_format")
    first = as_object(next(iter(objects(given)), {}))
    mime = as_text(first.get("mime_type")) or as_text(body.get("response_mime_type"))
    if first.get("type") == "text" and ("schema" in first or "mime_type" in first):
        return first.get("schema"), mime == "application/json"
    return (first or None), bool(first) or mime == "application/json"
