"""What a request and its model make of a Cohere answer beside its words: a plan before tool calls, citations, counts.

Sources: docs.cohere.com (citations, tool use) and recorded traffic: an answer is cited where documents were given or tools
have answered, tool calls come with a plan unless the model has thought about them, retired models tell no cached tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llm_simulator import tokens
from llm_simulator.dialects import estimate, logprobs
from llm_simulator.dialects.cohere_ask import document_text, images
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, is_block, load, objects
from llm_simulator.dialects.ids import digest, is_raw
from llm_simulator.types import JSON, Call, Choice, Completion, Text, ToolCall

RETIRED = re.compile(r"command(?:-light|-r|-r-plus)?$")
MOST_CITATIONS = 3

_WORD = re.compile(r"\w[\w.,;:!?%-]*")


@dataclass(frozen=True, slots=True)
class Manner:
    """Counts of a generated answer: `preamble` tokens are hidden, `images` are those of pictures (0: none told)."""

    preamble: int = 0
    images: int = 0
    cached: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """Something that may be cited: how a citation names it, and its id where only that is told (v1)."""

    shown: Object
    identity: str


def manner_of(call: Call) -> Manner:
    body = as_object(call.body)
    preamble = estimate.cohere_preamble(call.model, bool(body.get("tools")))
    return Manner(preamble, estimate.COHERE_IMAGE * images(body), RETIRED.match(call.model) is None)


def _likely(choice: Choice, seed: str) -> list[Object]:
    """The log probability of each token of the text (`LogprobItem` of Cohere's specification)."""
    told = not any(isinstance(part, ToolCall) for part in choice.parts)
    texts = [part for part in choice.parts if isinstance(part, Text) and told]
    entries = logprobs.entries([token for text in texts for token in text.tokens], seed, 0)
    return [
        {"text": each["token"], "token_ids": [logprobs.token_id(str(each["token"]))], "logprobs": [each["logprob"]]}
        for each in entries
    ]


def dressed(completion: Completion, call: Call) -> Completion:
    """A generated completion with plan and citations; a recorded one as it is."""
    if completion.usage.raw is not None or not is_raw(completion.id) or not completion.choices:
        return completion
    choice = planned(completion.choices[0], completion)
    body = as_object(call.body)
    if body.get("logprobs") is True:
        choice = replace(choice, extra={**as_object(choice.extra), "logprobs": _likely(choice, completion.id)})
    off = as_text(as_object(body.get("citation_options")).get("mode")).lower() == "off"
    found = [] if off else list(cited(choice, sources(body), completion.id))
    if found:
        extra = [{**citation, "type": "TEXT_CONTENT"} for citation, _ in found]
        choice = replace(choice, extra={**as_object(choice.extra), "citations": extra})
    return replace(completion, choices=(choice,))


def planned(choice: Choice, completion: Completion) -> Choice:
    """With a sentence before tool calls, unless the model has said or thought something already."""
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    if not calls or len(calls) < len(choice.parts):
        return choice
    names = " and ".join(dict.fromkeys(call.name for call in calls))
    plan = f"I will use the {names} tool{'s' if ' and ' in names else ''} to answer the user's request."
    return replace(choice, parts=(Text(tokens.split(plan, completion.model)), *choice.parts))


def sources(body: Object) -> tuple[Source, ...]:
    """What an answer may cite: the documents given, and what the tools of the last turn have answered."""
    given = tuple(_document(item, place) for place, item in enumerate(as_list(body.get("documents"))))
    messages = objects(body.get("messages"))
    last = next((at for at in range(len(messages) - 1, -1, -1) if messages[at].get("role") != "tool"), -1)
    return (*given, *(source for message in messages[last + 1 :] for source in _results(message)))


def cited(choice: Choice, given: tuple[Source, ...], seed: str) -> Iterator[tuple[Object, Source]]:
    """Up to three citations of words in the text, in its order, each with what it cites."""
    text = "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text) and not is_block(part))
    if not given or not text or any(isinstance(part, ToolCall) for part in choice.parts):
        return
    words = list(_WORD.finditer(text))
    drawn = digest(seed, "citations", 2 * MOST_CITATIONS)
    places = sorted({drawn[at] * len(words) >> 8 for at in range(min(MOST_CITATIONS, len(given)))} if words else ())
    for at, place in enumerate(places):
        word, source = words[place], given[drawn[MOST_CITATIONS + at] % len(given)]
        yield {"start": word.start(), "end": word.end(), "text": word[0], "sources": [source.shown]}, source


def _document(item: JSON, place: int) -> Source:
    document = as_object(item)
    identity = as_text(document.get("id")) or f"doc:{place}"
    data = document.get("data", document or {"text": document_text(item)})
    fields = as_object(data) if isinstance(data, dict) else {"text": document_text(item)}
    shown = {"type": "document", "id": identity, "document": {"id": identity, **fields}}
    return Source(shown, identity)


def _results(message: Object) -> Iterator[Source]:
    """A tool's answers: its documents, or its text, which is one document."""
    content, call = message.get("content"), as_text(message.get("tool_call_id"))
    items = [{"data": content}] if isinstance(content, str) else [_inner(item) for item in objects(content)]
    for place, item in enumerate(items):
        identity = as_text(item.get("id")) or f"{call}:{place}"
        yield Source({"type": "tool", "id": identity, "tool_output": _output(item.get("data"))}, identity)


def _inner(item: Object) -> Object:
    return as_object(item.get("document")) or {"data": as_text(item.get("text"))}


def _output(data: JSON) -> Object:
    """A result as an object; text that is no JSON object stands under "content"."""
    found = load(data) if isinstance(data, str) else data
    return as_object(found) if isinstance(found, dict) else {"content": as_text(data)}
