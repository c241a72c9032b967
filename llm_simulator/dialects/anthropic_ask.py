"""What an Anthropic request asks the engine for, and what its prompt is billed as.

Source: platform.claude.com/docs/en/api/messages, /build-with-claude/vision (an image is width x height / 750 tokens) and
/build-with-claude/pdf-support.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from math import sqrt

from llm_simulator.dialects import estimate
from llm_simulator.dialects.base import Ask, Thinking, Tool, Turn
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, objects, spelled
from llm_simulator.dialects.thinking import thinking_of
from llm_simulator.tokens.images import data_url_size
from llm_simulator.types import JSON

DEFAULT_MAX_TOKENS = 4096
DEPTH = 3
"""How deeply content is followed: a message, a tool result in it, a document in that."""

_PIXELS_PER_TOKEN = 750
_LONGEST_EDGE, _MOST_PIXELS = 1568, 1_200_000  # larger images are scaled down first
_PAGE = 2300  # tokens of a PDF page, its text and its picture
_PAGE_MARK = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def ask(body: Object, model: str) -> Ask:
    """What to generate for a body that passed the check."""
    limit, choice = as_limit(body.get("max_tokens")), as_object(body.get("tool_choice"))
    return Ask(
        tuple(_turns(body)),
        prompt_tokens(body, model),
        exact=False,
        max_tokens=limit or DEFAULT_MAX_TOKENS,
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(choice),
        stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
        schema=schema_of(body),
        warnings=() if limit else (f"max_tokens: Field required; {DEFAULT_MAX_TOKENS} taken",),
        parallel=choice.get("disable_parallel_tool_use") is not True,
        thinking=_thinking(body, model),
        count=estimate.answer_of(model, limit or DEFAULT_MAX_TOKENS),
    )


def prompt_tokens(body: Object, model: str) -> int:
    """About what the whole prompt is billed as, read from a cache or not."""
    messages = objects(body.get("messages"))
    size = estimate.measure(_counted(body), body.get("tools"), len(messages))
    counted = estimate.anthropic(model, size, thinking=thinks(body), schema=schema_of(body) is not None)
    return counted + sum(map(media_tokens, messages))


def thinks(body: Object) -> bool:
    """Whether the request turns extended thinking on."""
    return as_object(body.get("thinking")).get("type") in ("enabled", "adaptive")


def schema_of(body: Object) -> JSON:
    """The schema of a structured output: `output_config.format`, in the beta of 2025 `output_format`."""
    given = as_object(as_object(body.get("output_config")).get("format")) or as_object(body.get("output_format"))
    return as_object(given.get("schema")) if given.get("type") == "json_schema" else None


def text_of(content: JSON, depth: int = 0) -> str:
    """The visible text of a message: its text blocks, and those of its tool results and documents."""
    if isinstance(content, str) or depth > DEPTH:
        return as_text(content)
    texts = (_block_text(item, depth) for item in objects(content))
    return "\n".join(text for text in texts if text)


def media_tokens(message: Object) -> int:
    """What the images and PDF files of a message cost, also those inside tool results."""
    return sum(_media(item) for item in _blocks(message.get("content")))


def called_text(message: Object) -> Iterator[str]:
    """The calls of a message as they are billed."""
    for item in objects(message.get("content")):
        if item.get("type") in ("tool_use", "server_tool_use"):
            yield as_text(item.get("name")) + spelled(item.get("input"))


def _turns(body: Object) -> Iterator[Turn]:
    system = text_of(body.get("system"))
    if system:
        yield Turn("system", system)
    for message in objects(body.get("messages")):
        content = message.get("content")
        calls = sum(1 for item in objects(content) if item.get("type") == "tool_use")
        yield Turn(as_text(message.get("role")), text_of(content), calls)


def _thinking(body: Object, model: str) -> Thinking | None:
    """Nothing is thought unless the request turns it on; `between_tools` and `disabled` turn it off."""
    given = as_object(body.get("thinking"))
    match given.get("type"):
        case "enabled":
            return thinking_of(model, "", as_limit(given.get("budget_tokens")))
        case "adaptive":
            return thinking_of(model, as_text(as_object(body.get("output_config")).get("effort")) or "high")
        case _:
            return None


def _block_text(item: Object, depth: int) -> str:
    match item.get("type"):
        case "text":
            return as_text(item.get("text"))
        case "tool_result" | "search_result":
            return text_of(item.get("content"), depth + 1)
        case "document":
            return _document_text(item, depth)
        case _:
            return ""


def _document_text(item: Object, depth: int) -> str:
    """A document with its title and context; a PDF file's text is part of what its pages cost."""
    source = as_object(item.get("source"))
    inside = source.get("data") if source.get("type") == "text" else source.get("content")
    texts = (as_text(item.get("title")), as_text(item.get("context")), text_of(inside, depth + 1))
    return "\n".join(text for text in texts if text)


def _counted(body: Object) -> Iterator[str]:
    """All text that is billed as input: system, messages, tool calls and results; not earlier thinking."""
    yield text_of(body.get("system"))
    for message in objects(body.get("messages")):
        yield text_of(message.get("content"))
        yield from called_text(message)


def _blocks(content: JSON, depth: int = 0) -> Iterator[Object]:
    for item in objects(content):
        yield item
        inside = item.get("content") if item.get("type") != "document" else as_object(item.get("source")).get("content")
        if depth < DEPTH and isinstance(inside, list):
            yield from _blocks(inside, depth + 1)


def _media(item: Object) -> int:
    source = as_object(item.get("source"))
    match item.get("type"), source.get("type"):
        case "image", "base64":
            size = data_url_size(f"data:;base64,{as_text(source.get('data'))}")
            return _image(*size) if size else estimate.ANTHROPIC_IMAGE
        case "image", _:
            return estimate.ANTHROPIC_IMAGE
        case "document", "base64":
            return _PAGE * pages(as_text(source.get("data")))
        case "document", "url" | "file":
            return _PAGE
        case _:
            return 0


def _image(width: int, height: int) -> int:
    shrink = min(1.0, _LONGEST_EDGE / max(width, height), sqrt(_MOST_PIXELS / (width * height)))
    return max(1, round(width * shrink * height * shrink / _PIXELS_PER_TOKEN))


def pages(data: str) -> int:
    """The pages of a PDF file in base64, as far as it shows them without decompressing anything; at least 1."""
    try:
        return max(1, len(_PAGE_MARK.findall(binascii.a2b_base64(data))))
    except ValueError:  # not base64
        return 1


def _tools(body: Object) -> Iterator[Tool]:
    """The client's own tools; hosted ones (web search, code execution) have a type and are the provider's to call."""
    for item in objects(body.get("tools")):
        if as_text(item.get("type")) in ("", "custom") and as_text(item.get("name")):
            yield Tool(as_text(item["name"]), as_text(item.get("description")), item.get("input_schema"))


def _tool_choice(choice: Object) -> str:
    match choice.get("type"):
        case "any":
            return "required"
        case "tool":
            return as_text(choice.get("name")) or "required"
        case "none":
            return "none"
        case _:
            return "auto"
