"""The Responses API: the tokens that OpenAI bills for `instructions`, `input`, `tools` and `text.format`, and for an output.

As a chat, but the tools stand beside the messages, and an earlier call and its result cost something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_simulator.tokens.chat import PARALLEL, PRIMING, count_content, parallel_text
from llm_simulator.tokens.schema_text import format_text
from llm_simulator.tokens.tally import Count, Family, Tally, compact, mapping, objects, text
from llm_simulator.tokens.tool_text import described, tools_text
from llm_simulator.types import JSON

_MESSAGE = 3
_CALL = {Family.CLASSIC: 0, Family.O_SERIES: 9, Family.GPT5: 6}  # around the arguments of an earlier call
_LATE_CALL = 9  # the same for gpt-5.2 and later
_STORED = 3  # a result whose call the server has kept, which an `id` on the call shows
_REASONING = 2  # around earlier reasoning
_WEB_SEARCH = 294  # instructions of the hosted tool, seen with gpt-4.1
_SEARCH_CALL = 10  # around the query of a web search that an answer made
_ROUNDED, _FEB_2026 = 64, 1769904000  # since then some models' reasoning is billed to the token, but told rounded down
_2026 = 1767225600
_MAY_2025 = 1746057600
_HIDDEN, _HIDDEN_WITH_TOOLS = 18, 216  # what stood before the input until then


def count_responses_input(body: JSON, model: str, *, created: int | None = None) -> Count:
    """Input tokens of a `POST /v1/responses` body; `created` is in seconds since the epoch, None is today."""
    tally = Tally(model)
    request = mapping(body)
    tally.add(PRIMING[tally.family])
    if instructions := text(request.get("instructions")):
        tally.add(_MESSAGE + 1 + tally.n(instructions))
    _count_items(request.get("input"), tally)
    _count_tools(objects(request.get("tools")), tally)
    _count_format(mapping(mapping(request.get("text")).get("format")), tally)
    if (forced := forced_function(request)) and (created is None or created >= _2026):
        tally.add(tally.n(" to=functions." + forced) + 4)
        tally.doubt("what a forced tool_choice costs has changed over time")
    if created is not None and created < _MAY_2025:
        tally.add(_HIDDEN_WITH_TOOLS if request.get("tools") else _HIDDEN)
        tally.doubt("early Responses calls had hidden input")
    for key in ("previous_response_id", "conversation", "prompt"):
        if request.get(key):
            tally.doubt(f"`{key}` refers to text that is not in the request")
    return tally.result()


def forced_function(request: Mapping[str, JSON]) -> str:
    """The function that must be called: named by `tool_choice`, or the only one where a call is required; else ""."""
    choice, tools = request.get("tool_choice"), objects(request.get("tools"))
    if choice == "required":
        return text(tools[0].get("name")) if len(tools) == 1 else ""
    return text(mapping(choice).get("name")) if mapping(choice).get("type") == "function" else ""


def _count_items(items: JSON, tally: Tally) -> None:
    if isinstance(items, str):
        tally.add(_MESSAGE + 1 + tally.n(items))
        return
    conversation = objects(items)
    turn = max((i for i, item in enumerate(conversation) if item.get("role") == "user"), default=-1)
    names: dict[str, tuple[str, bool]] = {}
    for index, item in enumerate(conversation):
        match item.get("type"):
            case "message" | None:
                tally.add(_MESSAGE + tally.n(text(item.get("role"))) + count_content(item.get("content"), tally))
            case "function_call":
                names[text(item.get("call_id"))] = (text(item.get("name")), bool(item.get("id")))
                _count_call(item, tally)
            case "function_call_output":
                name, stored = names.get(text(item.get("call_id")), ("", False))
                output = count_content(item.get("output"), tally)
                tally.add(_MESSAGE + 1 + tally.n(name) + output + (_STORED if stored else 0))
            case "reasoning":
                _count_reasoning(item, index > turn, tally)
            case other:
                tally.doubt(f"an input item of type {other!r} cannot be counted from the request")


def _count_reasoning(item: Mapping[str, JSON], current: bool, tally: Tally) -> None:
    """Reasoning is read again until the next user message. Its length tells how much, within some six tokens:
    the encrypted form is 57 bytes of frame, some 600 bytes of other data, and 4.4 bytes a token."""
    tally.add(_REASONING)
    if current:
        size = len(text(item.get("encrypted_content"))) * 3 // 4
        tally.add(max(0, round((size - 723) / 4.4)) if size else 0)
        tally.doubt("encrypted reasoning cannot be counted")


def _count_call(item: Mapping[str, JSON], tally: Tally) -> None:
    header = tally.n(" to=functions." + text(item.get("name")))
    around = _LATE_CALL if tally.late else _CALL[tally.family]
    tally.add(_MESSAGE + 1 + header + tally.n(compact(text(item.get("arguments")))) + around)


def _count_tools(tools: Sequence[Mapping[str, JSON]], tally: Tally) -> None:
    functions = [tool for tool in tools if tool.get("type") == "function"]
    for kind in (text(tool.get("type")) for tool in tools if tool.get("type") != "function"):
        tally.add(_WEB_SEARCH if kind.startswith("web_search") else 0)
        tally.doubt("a hosted tool has instructions that are not in the request")
    if not functions:
        return
    tally.add(tally.n(tally.attempt(lambda: tools_text(functions))))
    match tally.family:
        case Family.GPT5:
            tally.add(3 if described(functions) else 2)
            tally.doubt("gpt-5 has read hidden text about tools at times")
        case Family.CLASSIC:
            tally.add(-3)
        case Family.O_SERIES:
            pass


def _count_format(form: Mapping[str, JSON], tally: Tally) -> None:
    if form.get("type") == "json_schema":
        name, description = text(form.get("name")), text(form.get("description"))
        schema = tally.attempt(lambda: format_text(name, description, form.get("schema", {})))
        tally.add(tally.n(schema) + (1 if tally.family is Family.CLASSIC else 0))


def hides_reasoning(output: Sequence[Mapping[str, JSON]], reasoning: int, created: int | None) -> bool:
    """Whether an answer that reasoned tells its `reasoning` tokens only to the last multiple of 64."""
    reasoned = any(item.get("type") == "reasoning" for item in output)
    return reasoned and reasoning % _ROUNDED == 0 and (created is None or created >= _FEB_2026)


def count_responses_output(
    request: JSON, output: Sequence[Mapping[str, JSON]], model: str, *, reasoning: int = 0
) -> Count:
    """Output tokens of a response: its `output` items and the reasoning tokens that the provider reports."""
    tally = Tally(model)
    asked = mapping(request)
    most = asked.get("max_output_tokens")
    if any(item.get("status") == "incomplete" for item in output) and isinstance(most, int):
        return Count(most)
    for item in output:
        if item.get("type") == "message":
            tally.add(count_content(item.get("content"), tally) + _text_frame(asked, tally, reasoning))
        elif item.get("type") == "web_search_call":
            _count_search(mapping(item.get("action")), tally)
    _count_answered_calls([item for item in output if item.get("type") == "function_call"], asked, tally)
    if tally.family is not Family.CLASSIC:
        tally.add(reasoning + (2 if reasoning and tally.late else 0))
        tally.doubt("the tokens around calls and reasoned answers vary")
    if any(item.get("type") not in ("message", "function_call", "reasoning", "web_search_call") for item in output):
        tally.doubt("a hosted tool's own tokens are not in the answer")
    return tally.result()


def _count_search(action: Mapping[str, JSON], tally: Tally) -> None:
    query, queries = text(action.get("query")), action.get("queries")
    tally.add(_SEARCH_CALL + tally.n(query))
    if not query or (isinstance(queries, list) and len(queries) > 1):
        tally.doubt("a hosted tool's own tokens are not in the answer")


def _text_frame(asked: Mapping[str, JSON], tally: Tally, reasoning: int) -> int:
    if tally.family is Family.GPT5:
        unreasoned = 4 if tally.model.startswith("gpt-5.1") and not reasoning else 0
        return 4 if tally.late else 6 + unreasoned
    if tally.family is Family.O_SERIES:
        return 10
    return 2 if asked.get("tools") else 1


def _count_answered_calls(calls: Sequence[Mapping[str, JSON]], asked: Mapping[str, JSON], tally: Tally) -> None:
    made = [("", text(call.get("name")), text(call.get("arguments"))) for call in calls]
    classic = tally.family is Family.CLASSIC
    if forced_function(asked) and classic:
        tally.add(sum(tally.n(arguments) + 1 for _, _, arguments in made))
    elif len(made) > 1 and classic:
        tally.add(tally.n(" to=" + PARALLEL) + tally.n(parallel_text(made)) + 5)
    else:
        around = 5 if classic else 8 if tally.late else 10
        tally.add(sum(tally.n(" to=functions." + name) + tally.n(arguments) + around for _, name, arguments in made))
