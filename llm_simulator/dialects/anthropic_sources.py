"""Answers that name their sources: citations of documents, and a web search that Anthropic itself would have made.

A search is made where the tool is offered and none was made in the turn before; what it finds is invented, at example.com.
Source: platform.claude.com/docs/en/build-with-claude/citations and /agents-and-tools/tool-use/web-search-tool; recorded search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from llm_simulator.dialects.anthropic_ask import schema_of, text_of
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, block, is_block, objects
from llm_simulator.dialects.ids import code, digest, is_raw, sealed
from llm_simulator.types import Call, Choice, Completion, Part, Text, ToolCall

RESULTS = 3
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?\s*")
_WORD = re.compile(r"\w+")


def dressed(completion: Completion, call: Call) -> Completion:
    """A generated completion with the search and the citations that the request asks for; any other as it is."""
    if completion.usage.raw is not None or not is_raw(completion.id) or not completion.choices:
        return completion
    choice, body = completion.choices[0], as_object(call.body)
    if any(isinstance(part, ToolCall) for part in choice.parts) or not any(map(_is_text, choice.parts)):
        return completion
    searched = _searches(body)
    found = _found(body, completion.id) if searched else []
    sources = _web(found, completion.id) if searched else _documents(body, completion.id)
    parts = choice.parts if schema_of(body) is not None else _cited(choice, list(sources))
    if searched:
        before = next(place for place, part in enumerate(parts) if _is_text(part))
        parts = (*parts[:before], *_search(body, found, completion.id), *parts[before:])
    return replace(completion, choices=(replace(choice, parts=parts),))


def _is_text(part: Part) -> bool:
    return isinstance(part, Text) and not is_block(part)


def _cited(choice: Choice, citations: list[Object]) -> tuple[Part, ...]:
    """The text in blocks: what comes before, the cited sentence, what comes after."""
    if not citations:
        return choice.parts
    parts: list[Part] = []
    for part in choice.parts:
        if isinstance(part, Text) and _is_text(part) and citations:
            parts += _blocks(part, citations)
            citations = []
        else:
            parts.append(part)
    return tuple(parts)


def _blocks(part: Text, citations: list[Object]) -> Iterator[Text]:
    ends = [place for place, token in enumerate(part.tokens, 1) if token.rstrip().endswith((".", "!", "?"))]
    cuts = [0, *(ends[:2] if len(ends) > 1 else ends[:0]), len(part.tokens)]
    pieces = [part.tokens[begin:end] for begin, end in pairwise(cuts) if begin < end]
    cited = 1 if len(pieces) > 1 else 0
    for place, tokens in enumerate(pieces):
        yield Text(tokens, extra={"citations": citations} if place == cited else None)


def _documents(body: Object, seed: str) -> Iterator[Object]:
    """A citation of the first document that may be cited."""
    blocks = [item for message in objects(body.get("messages")) for item in objects(message.get("content"))]
    documents = [item for item in blocks if item.get("type") == "document"]
    for place, item in enumerate(documents):
        if as_object(item.get("citations")).get("enabled") is True:
            head = {"document_index": place, "document_title": item.get("title"), "file_id": None}
            yield {**_location(as_object(item.get("source")), seed), **head}
            return


def _location(source: Object, seed: str) -> Object:
    match source.get("type"):
        case "text":
            sentences = list(_SENTENCE.finditer(as_text(source.get("data"))))
            spot = sentences[digest(seed, "cited", 1)[0] % len(sentences)] if sentences else None
            begin, end, text = (spot.start(), spot.end(), spot[0]) if spot else (0, 0, "")
            return {"type": "char_location", "cited_text": text, "start_char_index": begin, "end_char_index": end}
        case "content":
            content = as_list(source.get("content"))
            text = text_of(content[:1])
            return {
                "type": "content_block_location",
                "cited_text": text,
                "start_block_index": 0,
                "end_block_index": 1,
            }
        case _:
            return {"type": "page_location", "cited_text": "", "start_page_number": 1, "end_page_number": 2}


def _searches(body: Object) -> bool:
    """Whether the search tool is offered, allowed, and was not used in the turn before."""
    offered = any(as_text(tool.get("type")).startswith("web_search_") for tool in objects(body.get("tools")))
    allowed = as_object(body.get("tool_choice")).get("type") != "none"
    last = next(iter(objects(body.get("messages"))[-2:-1]), {})
    used = any(item.get("type") == "server_tool_use" for item in objects(last.get("content")))
    return offered and allowed and not used


def _query(body: Object) -> str:
    messages = objects(body.get("messages"))
    words = _WORD.findall(text_of(messages[-1].get("content")) if messages else "")
    return " ".join(words[:8]) or "news"


def _found(body: Object, seed: str) -> list[Object]:
    query = _query(body)
    slug = "-".join(query.lower().split())
    return [
        {
            "type": "web_search_result",
            "title": f"{query} - Example {place}",
            "url": f"https://example.com/{slug}/{place}",
            "encrypted_content": sealed(seed, f"result {place}", 300),
            "page_age": None,
        }
        for place in range(1, RESULTS + 1)
    ]


def _search(body: Object, found: list[Object], seed: str) -> tuple[Text, Text]:
    identity = "srvtoolu_01" + code(seed, "search", 22)
    asked = {"type": "server_tool_use", "id": identity, "name": "web_search", "input": {"query": _query(body)}}
    return block(asked), block({"type": "web_search_tool_result", "tool_use_id": identity, "content": found})


def _web(found: list[Object], seed: str) -> Iterator[Object]:
    """A citation of one of the results."""
    one = found[digest(seed, "cited", 1)[0] % len(found)]
    yield {
        "type": "web_search_result_location",
        "cited_text": f"{one['title']}.",
        "url": one["url"],
        "title": one["title"],
        "encrypted_index": sealed(seed, "index", 110),
    }
