"""Chat completions: the tokens that OpenAI and Azure bill for `messages`, `tools` and `response_format`.

Every message costs three tokens around its header and content. What is said about tools and response format is put into
the first system message, or into one of its own where there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_simulator.tokens.images import data_url_size, image_tokens
from llm_simulator.tokens.schema_text import format_text
from llm_simulator.tokens.tally import Count, Family, Tally, compact, mapping, objects, text
from llm_simulator.tokens.tool_text import described, tools_text
from llm_simulator.types import JSON

PRIMING = {Family.CLASSIC: 3, Family.O_SERIES: 2, Family.GPT5: 2}  # what stands before the answer
_MESSAGE = 3  # start, end of header, end of message
_CALL = {Family.CLASSIC: 2, Family.O_SERIES: 11, Family.GPT5: 8}  # around the arguments of an earlier tool call
PARALLEL = "multi_tool_use.parallel"  # what several calls in one message become


def count_chat(body: JSON, model: str) -> Count:
    """Prompt tokens of a chat completions request body."""
    tally = Tally(model)
    request = mapping(body)
    messages = objects(request.get("messages"))
    if not messages:
        tally.doubt("no messages")
    tally.add(PRIMING[tally.family])
    told = _told(request, tally)
    _count_messages(messages, told, tally)
    _tool_choice(request, tally)
    return tally.result()


def functions_of(request: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    """The functions a chat request offers, in `tools` or the older `functions`."""
    tools = [mapping(tool.get("function")) for tool in objects(request.get("tools")) if "function" in tool]
    return [*tools, *objects(request.get("functions"))]


def _told(request: Mapping[str, JSON], tally: Tally) -> str:
    """The text about tools and response format that is put into a system message; counts what stands beside it."""
    functions = functions_of(request)
    parts = []
    if functions:
        parts.append(tally.attempt(lambda: tools_text(functions)))
        tally.add(tools_constant(tally.family, functions))
    schema = mapping(mapping(request.get("response_format")).get("json_schema"))
    if schema:
        name = text(schema.get("name"))
        description, inner = text(schema.get("description")), schema.get("schema", {})
        parts.append(tally.attempt(lambda: format_text(name, description, inner)))
        if tally.family is Family.CLASSIC and not functions:
            tally.add(2 + tally.n(name))
    return "\n\n".join(parts)


def tools_constant(family: Family, functions: Sequence[Mapping[str, JSON]]) -> int:
    if family is Family.GPT5:
        return 81 if described(functions) else 80
    return -1 if family is Family.CLASSIC else 0


def forced_function(request: Mapping[str, JSON]) -> str:
    """The function that `tool_choice` (or the older `function_call`) names, else ""."""
    choice = mapping(request.get("tool_choice") or request.get("function_call"))
    return text(mapping(choice.get("function") or choice).get("name"))


def _tool_choice(request: Mapping[str, JSON], tally: Tally) -> None:
    """Only naming a function costs. The cl100k models pay for the whole header of the call, seen in two of two."""
    name = forced_function(request)
    if not name or tally.family is Family.GPT5:
        return
    whole = tally.encoding == "cl100k_base" and "tool_choice" in request
    tally.add(tally.n((" to=functions." if whole else "") + name) + 4)
    tally.doubt("what a named tool_choice costs has changed over time")


def _count_messages(messages: Sequence[Mapping[str, JSON]], told: str, tally: Tally) -> None:
    first = text(messages[0].get("role")) if messages else ""
    joins = first in ("system", "developer") and tally.family is not Family.GPT5
    if told and not joins:
        tally.add(_MESSAGE + 1 + tally.n(told))
    calls, results = _Calls(), list[JSON]()
    for index, message in enumerate(messages):
        if text(message.get("tool_call_id")) in calls.parallel:
            results.append(message.get("content"))
            continue
        if results:
            _count_parallel_results(results, tally)
            results.clear()
        _count_message(message, told if joins and index == 0 else "", calls, tally)
    if results:
        _count_parallel_results(results, tally)


@dataclass(slots=True)
class _Calls:
    """The tool calls seen so far: name by call id, and the ids that were made together in one message."""

    names: dict[str, str]
    parallel: set[str]
    last: str

    def __init__(self) -> None:
        self.names, self.parallel, self.last = {}, set(), ""


def _count_message(message: Mapping[str, JSON], told: str, calls: _Calls, tally: Tally) -> None:
    role = text(message.get("role"))
    if role in ("tool", "function"):
        _count_result(message, calls, tally)
        return
    made = calls_of(message)
    content = message.get("content")
    if content or not made:
        tally.add(_MESSAGE + tally.n(role) + count_content(content, tally, told))
        if name := text(message.get("name")):
            tally.add(tally.n(":" + name))
    if made:
        _count_calls(made, calls, tally)


def calls_of(message: Mapping[str, JSON]) -> list[tuple[str, str, str]]:
    """(id, name, arguments) of the calls in an assistant message."""
    made = [(text(call.get("id")), mapping(call.get("function"))) for call in objects(message.get("tool_calls"))]
    if function := mapping(message.get("function_call")):
        made.append(("", function))
    return [(id, text(function.get("name")), text(function.get("arguments"))) for id, function in made]


def _count_calls(made: Sequence[tuple[str, str, str]], calls: _Calls, tally: Tally) -> None:
    for id, name, _ in made:
        calls.names[id] = calls.last = name
    if len(made) > 1 and tally.family is not Family.GPT5:
        calls.parallel.update(id for id, _, _ in made)
        _count_call(" to=" + PARALLEL, parallel_text(made), tally)
        return
    for _, name, arguments in made:
        _count_call(" to=functions." + name, compact(arguments), tally)


def _count_call(header: str, arguments: str, tally: Tally) -> None:
    tally.add(_MESSAGE + 1 + tally.n(header) + tally.n(arguments) + _CALL[tally.family])


def parallel_text(made: Sequence[tuple[str, str, str]]) -> str:
    """The arguments of the one call that several calls of a message become."""
    uses = (f'{{"recipient_name":"functions.{name}","parameters":{compact(args)}}}' for _, name, args in made)
    return f'{{"tool_uses":[{",".join(uses)}]}}'


def _count_result(message: Mapping[str, JSON], calls: _Calls, tally: Tally) -> None:
    id = text(message.get("tool_call_id"))
    name = calls.names.get(id) or text(message.get("name")) or calls.last
    tally.add(_MESSAGE + 1 + tally.n(name) + count_content(message.get("content"), tally))


def _count_parallel_results(results: Sequence[JSON], tally: Tally) -> None:
    """The results of such a call are one message again: a list of them, as Python's json module writes it."""
    tally.add(_MESSAGE + 1 + tally.n(PARALLEL) + tally.n(json.dumps([_parsed(result) for result in results])))


def _parsed(content: JSON) -> JSON:
    if isinstance(content, list):
        content = "".join(text(part.get("text")) for part in objects(content))
    try:
        return json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return content


def count_content(content: JSON, tally: Tally, told: str = "") -> int:
    """Tokens of a message's content (a string, or parts); `told` is appended to the last of its text."""
    if isinstance(content, str) or content is None:
        return tally.n(_with(text(content), told))
    texts, tokens = [], 0
    for part in objects(content):
        match part.get("type"):
            case "text" | "input_text" | "output_text" | "summary_text" | None:
                texts.append(text(part.get("text")))
            case "refusal":
                texts.append(text(part.get("refusal")))
            case "image_url" | "input_image":
                tokens += _image(part, tally)
            case other:
                tally.doubt(f"a content part of type {other!r} cannot be counted from the request")
    if told:
        texts = [*texts[:-1], _with(texts[-1] if texts else "", told)]
    return tokens + sum(map(tally.n, texts))


def _with(content: str, told: str) -> str:
    return f"{content}\n\n{told}" if content and told else content or told


def _image(part: Mapping[str, JSON], tally: Tally) -> int:
    inner = part.get("image_url")
    url, detail = (
        text(inner) or text(mapping(inner).get("url")),
        text(mapping(inner).get("detail") or part.get("detail")),
    )
    size = data_url_size(url)
    if size is None and detail != "low":
        tally.doubt("the size of an image is not in the request")
    return image_tokens(tally.model, size or (1024, 1024), detail)
