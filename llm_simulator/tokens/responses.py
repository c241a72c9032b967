"""The Responses API: the tokens that OpenAI bills for `instructions`, `input`, `tools` and `text.format`, and for an output.

Rules 12 to 14: as a chat, but the tools stand beside the messages and earlier calls cost what chat leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_simulator.tokens.chat import PRIMING, count_content
from llm_simulator.tokens.schema_text import format_text
from llm_simulator.tokens.tally import Count, Family, Tally, compact, mapping, objects, text
from llm_simulator.tokens.tool_text import described, tools_text
from llm_simulator.types import JSON

_MESSAGE = 3
_CALL = {Family.CLASSIC: 0, Family.O_SERIES: 9, Family.GPT5: 6}  # around the arguments of an earlier call
_STORED = 3  # a result whose call the server has kept, which an `id` on the call shows


def count_responses_input(body: JSON, model: str) -> Count:
    """Input tokens of a `POST /v1/responses` body."""
    tally = Tally(model)
    request = mapping(body)
    tally.add(PRIMING[tally.family])
    if instructions := text(request.get("instructions")):
        tally.add(_MESSAGE + 1 + tally.n(instructions))
    _count_items(request.get("input"), tally)
    _count_tools(objects(request.get("tools")), tally)
    _count_format(mapping(mapping(request.get("text")).get("format")), tally)
    for key in ("previous_response_id", "conversation", "prompt"):
        if request.get(key):
            tally.doubt(f"`{key}` refers to text that is not in the request")
    return tally.result()


def _count_items(items: JSON, tally: Tally) -> None:
    if isinstance(items, str):
        tally.add(_MESSAGE + 1 + tally.n(items))
        return
    names: dict[str, tuple[str, bool]] = {}
    for item in objects(items):
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
                if item.get("encrypted_content"):
                    tally.doubt("encrypted reasoning cannot be counted")
            case other:
                tally.doubt(f"an input item of type {other!r} cannot be counted from the request")


def _count_call(item: Mapping[str, JSON], tally: Tally) -> None:
    header = tally.n(" to=functions." + text(item.get("name")))
    tally.add(_MESSAGE + 1 + header + tally.n(compact(text(item.get("arguments")))) + _CALL[tally.family])


def _count_tools(tools: Sequence[Mapping[str, JSON]], tally: Tally) -> None:
    functions = [tool for tool in tools if tool.get("type") == "function"]
    if len(functions) < len(tools):
        tally.doubt("a hosted tool has instructions that are not in the request")
    if not functions:
        return
    tally.add(tally.n(tools_text(functions)))
    match tally.family:
        case Family.GPT5:
            tally.add(3 if described(functions) else 2)
        case Family.CLASSIC:
            tally.add(-3)
        case Family.O_SERIES:
            pass


def _count_format(form: Mapping[str, JSON], tally: Tally) -> None:
    if form.get("type") == "json_schema":
        schema = format_text(text(form.get("name")), text(form.get("description")), form.get("schema", {}))
        tally.add(tally.n(schema) + (1 if tally.family is Family.CLASSIC else 0))
