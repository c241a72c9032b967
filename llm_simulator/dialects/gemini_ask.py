"""What a Gemini request asks the engine for, and what its prompt is billed as.

Source: ai.google.dev/api/generate-content (fields) and /gemini-api/docs/thinking (budgets and levels).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_simulator.dialects import estimate, gemini_media
from llm_simulator.dialects.base import Ask, Thinking, Tool, Turn
from llm_simulator.dialects.fields import (
    Object,
    as_count,
    as_limit,
    as_list,
    as_object,
    as_text,
    is_integer,
    objects,
    spelled,
)
from llm_simulator.dialects.gemini_fields import pick
from llm_simulator.dialects.gemini_media import Counts
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.types import JSON

DEPTH = 64
"""How deeply a schema is followed."""

_ROLES = {"model": "assistant", "function": "tool"}


def ask(body: Object, model: str) -> Ask:
    """What to generate for a body that passed the check."""
    config = as_object(pick(body, "generationConfig"))
    contents = objects(pick(body, "contents"))
    stop = pick(config, "stopSequences")
    return Ask(
        tuple(_turns(body, contents)),
        sum(count for _, count in prompt_tokens(body, model)) + _cached(body),
        exact=False,
        max_tokens=_number(pick(config, "maxOutputTokens")),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(as_object(pick(body, "toolConfig"))),
        choices=_number(pick(config, "candidateCount")) or 1,
        stop=tuple(as_text(item) for item in ([stop] if isinstance(stop, str) else as_list(stop)) if item),
        schema=_schema(config),
        warnings=tuple(_warnings(contents)),
        thinking=_thinking(config, model),
        count=estimate.answer_of(model, _number(pick(config, "maxOutputTokens"))),
    )


def prompt_tokens(body: Object, model: str) -> Counts:
    """About what the prompt is billed as, by modality, text first."""
    contents = objects(pick(body, "contents"))
    size = estimate.measure(_counted(body, contents), pick(body, "tools"), len(contents))
    config = as_object(pick(body, "generationConfig"))
    media = gemini_media.counted(_parts(contents), config, model)
    return (("TEXT", estimate.gemini(model, size)), *media)


def _cached(body: Object) -> int:
    """Tokens of cached contents, where the request was filled in with them."""
    cache = as_object(pick(body, "cachedContent"))
    return as_count(as_object(cache.get("usageMetadata")).get("totalTokenCount"))


def shows_thought(body: Object) -> bool:
    """Whether the request wants to see summaries of what was thought."""
    config = as_object(pick(as_object(pick(body, "generationConfig")), "thinkingConfig"))
    return pick(config, "includeThoughts") is True


def text_of(contents: list[Object]) -> str:
    """The visible text of contents: their text and the results of functions; thoughts are not."""
    texts = (_part_text(part) for part in _parts(contents) if part.get("thought") is not True)
    return "\n".join(text for text in texts if text)


def _number(value: JSON) -> int | None:
    """A positive whole number, also as text (protobuf's JSON allows it)."""
    return as_limit(int(value) if isinstance(value, str) and value.isdecimal() else value)


def _thinking(config: Object, model: str) -> Thinking | None:
    """A budget of -1 leaves it to the model, one of 0 switches thinking off where that is possible."""
    given = as_object(pick(config, "thinkingConfig"))
    level, budget = as_text(pick(given, "thinkingLevel")).lower(), pick(given, "thinkingBudget")
    effort = "" if level == "thinking_level_unspecified" else level
    thinking = thinking_of(model, effort, budget if is_integer(budget) and budget >= 0 else None)
    limit = _number(pick(config, "maxOutputTokens"))
    if thinking is None or limit is None or "flash-lite" not in model:
        return thinking
    # Flash-Lite stops thinking in time to say something (recorded twice: 57 of 64 tokens); the larger ones do not.
    return replace(thinking, budget=max(1, min(thinking.budget or limit, limit * 9 // 10)))


def _warnings(contents: list[Object]) -> Iterator[str]:
    for place, content in enumerate(contents):
        role = as_text(content.get("role"))
        if role not in ("", "user", "model", "function"):
            yield f"contents[{place}].role: Please use a valid role: user, model; {role!r} taken"


def _parts(contents: list[Object]) -> Iterator[Object]:
    for content in contents:
        yield from objects(pick(content, "parts"))


def _part_text(part: Object) -> str:
    response = as_object(pick(part, "functionResponse"))
    return spelled(response.get("response")) if response else as_text(part.get("text"))


def _turns(body: Object, contents: list[Object]) -> Iterator[Turn]:
    system = text_of(objects(pick(body, "systemInstruction")))
    if system:
        yield Turn("system", system)
    for content in contents:
        role = as_text(content.get("role")) or "user"
        calls = sum(1 for part in _parts([content]) if pick(part, "functionCall"))
        yield Turn(_ROLES.get(role, role), text_of([content]), calls)


def _counted(body: Object, contents: list[Object]) -> Iterator[str]:
    yield text_of(objects(pick(body, "systemInstruction")))
    for part in _parts(contents):
        yield _part_text(part) or gemini_media.inline_text(part)
        call = as_object(pick(part, "functionCall"))
        if call:
            yield as_text(call.get("name")) + spelled(call.get("args"))


def _tools(body: Object) -> Iterator[Tool]:
    for tool in objects(pick(body, "tools")):
        for item in objects(pick(tool, "functionDeclarations")):
            schema = pick(item, "parametersJsonSchema")
            schema = json_schema(pick(item, "parameters")) if schema is None else schema
            yield Tool(as_text(item.get("name")), as_text(item.get("description")), schema)


def _tool_choice(config: Object) -> str:
    calling = as_object(pick(config, "functionCallingConfig"))
    allowed = as_list(pick(calling, "allowedFunctionNames"))
    match as_text(calling.get("mode")).upper():
        case "ANY":
            return as_text(allowed[0]) if len(allowed) == 1 else "required"
        case "NONE":
            return "none"
        case _:
            return "auto"


def _schema(config: Object) -> JSON:
    """The schema of a structured output; {} where only the MIME type asks for JSON."""
    given = pick(config, "responseJsonSchema")
    given = json_schema(pick(config, "responseSchema")) if given is None else given
    wants_json = as_text(pick(config, "responseMimeType")) == "application/json"
    return given if given is not None else ({} if wants_json else None)


def json_schema(schema: JSON, depth: int = 0) -> JSON:
    """Google's OpenAPI-like Schema as JSON Schema: lower-case types, `nullable` as a type of its own."""
    if isinstance(schema, list):
        return [json_schema(item, depth + 1) for item in schema if depth < DEPTH]
    if not isinstance(schema, dict):
        return schema
    named: Object = {name: json_schema(value, depth + 1) for name, value in as_object(schema).items() if depth < DEPTH}
    kind = named.get("type")
    if isinstance(kind, str):
        named["type"] = [kind.lower(), "null"] if named.pop("nullable", False) is True else kind.lower()
    return named
