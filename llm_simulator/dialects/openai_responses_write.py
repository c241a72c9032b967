"""The response object: what the request said, what the model said, what it cost; in the key order of the wire.

Source: OpenAI API reference (response object), and recorded traffic of July 2026 for order, nulls and layout.
"""

from __future__ import annotations

from dataclasses import dataclass

from llm_simulator.dialects import openai_responses_echo as echo
from llm_simulator.dialects.fields import Object, as_list, as_object
from llm_simulator.dialects.ids import is_raw, marked, marked_model
from llm_simulator.dialects.openai_responses_hosted import hosted_of
from llm_simulator.dialects.openai_responses_ids import Ids
from llm_simulator.dialects.openai_responses_items import Item, Manner, items_of, recorded_items
from llm_simulator.dialects.openai_wire import CONTENT_FILTER, served
from llm_simulator.dialects.thinking import habit_of
from llm_simulator.types import Call, Choice, Completion, Finish, Usage

_LAST = ("usage", "user", "metadata")
_FIRST = ("id", "object", "created_at", "status")
_NO_TOOL_USAGE: Object = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "total_tokens": 0,
    },
    "web_search": {"num_requests": 0},
}
_TOKENS_A_SECOND = 60  # by which `completed_at` follows `created_at`
_REASONS = {Finish.LENGTH: "max_output_tokens", Finish.CONTENT_FILTER: "content_filter"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished response, and its items with the pieces that they are streamed in."""

    response: Object
    items: tuple[Item, ...]


_last: tuple[Completion, Call, Draft] | None = None


def draft(completion: Completion, call: Call) -> Draft:
    """The response of a completion: one that was recorded as it stands, one of the engine's spelled anew.

    The last one is remembered: it is written, and then kept for later calls.
    """
    global _last
    last = _last
    if last is None or last[0] is not completion or last[1] is not call:
        last = _last = completion, call, _draft(completion, call)
    return last[2]


def _draft(completion: Completion, call: Call) -> Draft:
    choice = completion.choices[0]
    recorded = as_object(as_object(choice.extra).get("response"))
    if recorded:
        return Draft(recorded, tuple(recorded_items(recorded.get("output"), choice.parts)))
    items = items_of(choice, manner_of(completion, call))
    return Draft(_response(completion, call, choice, [item.final for item in items]), tuple(items))


def identity_of(completion: Completion) -> str:
    """The id that the response of a completion has."""
    if not is_raw(completion.id):
        return completion.id
    return marked(Ids(completion.id, completion.created).make("resp", "response"), completion)


def manner_of(completion: Completion, call: Call) -> Manner:
    body = as_object(call.body)
    phase = habit_of(call.model) is not None and echo.version_of(call.model) >= (5, 3)
    ids, shown = Ids(completion.id, completion.created), echo.summary_of(body) is not None
    return Manner(ids, shown, phase, hosted_of(body), echo.alternatives(body))


def _response(completion: Completion, call: Call, choice: Choice, output: list[Object]) -> Object:
    reason = _REASONS.get(choice.finish)
    fields: Object = {
        "id": identity_of(completion),
        "object": "response",
        "created_at": completion.created,
        "status": "incomplete" if reason else "completed",
        "completed_at": None if reason else completion.created + 1 + completion.usage.completion // _TOKENS_A_SECOND,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": marked_model(call.model if call.provider == "azure" else served(call) or call.model, completion),
        "output": output,
        "tool_usage": _NO_TOOL_USAGE | {"web_search": {"num_requests": sum(map(_searches, output))}},
        "usage": usage_object(completion.usage),
        **echo.settings(as_object(call.body), call.model),
    }
    if call.provider == "azure":
        fields["content_filters"] = content_filters()
    return ordered(fields)


def _searches(item: Object) -> bool:
    return item.get("type") == "web_search_call"


def ordered(fields: Object) -> Object:
    """Id, object and status first, usage and metadata last, all others by the alphabet."""
    between = sorted(name for name in fields if name not in _FIRST and name not in _LAST)
    return {name: fields[name] for name in (*_FIRST, *between, *_LAST) if name in fields}


def content_filters() -> list[Object]:
    """What Azure's filter made of the prompt and of the answer."""
    return [
        {
            "blocked": False,
            "source_type": source,
            "content_filter_raw": [],
            "content_filter_results": CONTENT_FILTER,
            "content_filter_offsets": {"start_offset": 0, "end_offset": 0, "check_offset": 0},
        }
        for source in ("prompt", "completion")
    ]


def usage_object(usage: Usage) -> Object:
    """The counts; those of a recording as they stand."""
    if usage.raw:
        return as_object(usage.raw)
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def whole(response: Object, call: Call) -> Object:
    """The object as a body: who pays stands in those of OpenAI's alone, and never in a stream."""
    if call.provider == "azure" or "billing" in response or "completed_at" not in response:
        return response
    return ordered({**response, "billing": {"payer": "developer"}})


def streamed(response: Object) -> Object:
    """The object as the events of a stream hold it."""
    return {name: value for name, value in response.items() if name != "billing"}


def underway(response: Object, body: Object, status: str = "in_progress") -> Object:
    """The same response before it has an output: what `response.created` and a first look at it show."""
    changed: Object = {"status": status, "error": None, "incomplete_details": None, "output": [], "usage": None}
    if "completed_at" in response:
        changed["completed_at"] = None
    if "service_tier" in response and not body.get("service_tier"):
        changed["service_tier"] = "auto"
    if as_list(response.get("content_filters")):
        changed["content_filters"] = None
    return {name: changed.get(name, value) for name, value in response.items()}
