"""What a Cohere v2 chat request asks the engine for, and what its prompt is billed as.

Source: docs.cohere.com/v2/reference/chat; /docs/image-inputs for pictures.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects import estimate
from llm_simulator.dialects.base import Ask, Thinking, Tool, Turn
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, objects, spelled
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.types import JSON


def ask(body: Object, model: str) -> Ask:
    """What to generate for a body that passed the check."""
    messages = objects(body.get("messages"))
    return Ask(
        tuple(_turn(message) for message in messages),
        prompt_tokens(body, model),
        exact=False,
        max_tokens=as_limit(body.get("max_tokens")),
        tools=tuple(_tools(body)),
        tool_choice={"REQUIRED": "required", "NONE": "none"}.get(as_text(body.get("tool_choice")), "auto"),
        stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
        schema=schema_of(as_object(body.get("response_format"))),
        thinking=_thinking(as_object(body.get("thinking")), model),
        count=estimate.answer_of(model, as_limit(body.get("max_tokens"))),
    )


def prompt_tokens(body: Object, model: str) -> int:
    """About what is billed; the hidden preamble of `estimate.cohere_preamble` comes on top in `usage.tokens`."""
    messages = objects(body.get("messages"))
    size = estimate.measure(_counted(body, messages), body.get("tools"), len(messages), images(body))
    return estimate.cohere(model, size)


def images(body: Object) -> int:
    """The pictures of a request."""
    messages = objects(body.get("messages"))
    return sum(1 for item in messages for part in objects(item.get("content")) if part.get("type") == "image_url")


def document_text(document: JSON) -> str:
    """A document's text: itself, its data, or the values of its data."""
    data = as_object(document).get("data", document)
    return data if isinstance(data, str) else " ".join(as_text(value) for value in as_object(data).values())


def schema_of(wanted: Object) -> JSON:
    """The schema of `json_object`, in older SDKs `schema`; {} for plain JSON mode."""
    if wanted.get("type") != "json_object":
        return None
    given = wanted.get("json_schema")
    return as_object(wanted.get("schema") if given is None else given)


def _thinking(given: Object, model: str) -> Thinking | None:
    """Reasoning models think unless they are told not to."""
    off = given.get("type") == "disabled"
    return None if off else thinking_of(model, "", as_limit(given.get("token_budget")))


def _turn(message: Object) -> Turn:
    calls = len(objects(message.get("tool_calls")))
    return Turn(as_text(message.get("role")), _text_of(message), calls)


def _text_of(message: Object) -> str:
    """Content as text: its text blocks, the documents of tool results; the plan where there is only that."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts = [_block_text(item) for item in objects(content)]
    return "\n".join(text for text in texts if text) or as_text(message.get("tool_plan"))


def _block_text(item: Object) -> str:
    document = as_object(item.get("document"))
    return spelled(document.get("data")) if document else as_text(item.get("text"))


def _counted(body: Object, messages: list[Object]) -> Iterator[str]:
    for message in messages:
        yield _text_of(message)
        for call in objects(message.get("tool_calls")):
            function = as_object(call.get("function"))
            yield as_text(function.get("name")) + as_text(function.get("arguments"))
    yield from (document_text(item) for item in as_list(body.get("documents")))


def _tools(body: Object) -> Iterator[Tool]:
    for item in objects(body.get("tools")):
        function = as_object(item.get("function"))
        yield Tool(as_text(function.get("name")), as_text(function.get("description")), function.get("parameters"))
