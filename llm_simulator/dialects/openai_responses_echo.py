"""What a response object repeats of its request, with the defaults and in the spelling that the provider fills in.

Source: OpenAI API reference (create a response), and recorded traffic of 2026 for the defaults of each model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, is_integer, is_number, objects
from llm_simulator.dialects.thinking import habit_of
from llm_simulator.types import JSON

_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?")
_US: Object = {"type": "approximate", "city": None, "country": "US", "region": None, "timezone": None}


def base_of(model: str) -> str:
    """The model without a router's or fine-tuner's prefix."""
    return model.rpartition("/")[2].removeprefix("ft:").lower()


def version_of(model: str) -> tuple[int, int]:
    """The version in a GPT model's name: (5, 4) of gpt-5.4-mini; (0, 0) where there is none."""
    match = _VERSION.match(base_of(model))
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def effort_of(body: Object, model: str) -> str | None:
    """The reasoning effort that holds, None for a model that does not reason."""
    habit = habit_of(model)
    return (as_text(as_object(body.get("reasoning")).get("effort")) or habit.default) if habit else None


def summary_of(body: Object) -> str | None:
    """The kind of summary that reasoning is shown as, None where it is not shown. "auto" means the most detailed one."""
    asked = as_object(body.get("reasoning"))
    kind = as_text(asked.get("summary")) or as_text(asked.get("generate_summary"))
    return "detailed" if kind == "auto" else kind or None


def alternatives(body: Object) -> int | None:
    """How many tokens the log probabilities that are asked for name beside each; None where none are asked for."""
    if "message.output_text.logprobs" not in as_list(body.get("include")):
        return None
    most = body.get("top_logprobs")
    return most if is_integer(most) else 0


def reasoning(body: Object, model: str) -> Object:
    if not habit_of(model):
        return {"context": None, "effort": None, "summary": None}
    asked = as_object(body.get("reasoning"))
    return {
        "context": as_text(asked.get("context")) or "current_turn",
        "effort": effort_of(body, model),
        "mode": as_text(asked.get("mode")) or "standard",
        "summary": summary_of(body),
    }


def settings(body: Object, model: str) -> Object:
    """The parts of the object that follow from the request, by name."""
    return {
        "background": body.get("background") is True,
        "frequency_penalty": decimal(body.get("frequency_penalty"), 0.0),
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "moderation": None,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "presence_penalty": decimal(body.get("presence_penalty"), 0.0),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_retention": body.get("prompt_cache_retention") or _retention(model),
        "reasoning": reasoning(body, model),
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": tier(body),
        "store": body.get("store") is not False,
        "temperature": decimal(body.get("temperature"), 1.0),
        "text": text(as_object(body.get("text"))),
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": [tool(given) for given in objects(as_list(body.get("tools")))],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": decimal(body.get("top_p"), 0.98 if version_of(model) >= (5, 2) else 1.0),
        "truncation": body.get("truncation") or "disabled",
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
        **_given(body),
    }


def _given(body: Object) -> Object:
    """What only stands in the object of a request that had it."""
    conversation = body.get("conversation")
    named: Object = {"conversation": {"id": conversation} if isinstance(conversation, str) else conversation}
    named["prompt"] = body.get("prompt")
    return {name: value for name, value in named.items() if value}


def decimal(value: JSON, default: float) -> float:
    return float(value) if is_number(value) else default


def tier(body: Object) -> str:
    asked = body.get("service_tier")
    return asked if asked in ("flex", "priority", "scale") else "default"


def _retention(model: str) -> str:
    return "24h" if version_of(model) >= (5, 5) else "in_memory"


def text(asked: Object) -> Object:
    """`text` with its format in the provider's key order."""
    return {"format": form(as_object(asked.get("format"))), "verbosity": asked.get("verbosity") or "medium"}


def form(asked: Object) -> Object:
    if asked.get("type") != "json_schema":
        return {"type": "json_object"} if asked.get("type") == "json_object" else {"type": "text"}
    return {
        "type": "json_schema",
        "description": asked.get("description"),
        "name": asked.get("name"),
        "schema": asked.get("schema"),
        "strict": asked.get("strict") is True,
    }


def tool(given: Object) -> Object:
    """A tool as the provider repeats it: functions are strict unless told otherwise, searches have a place to be at."""
    kind = as_text(given.get("type"))
    if kind == "function":
        return {
            "type": "function",
            "description": given.get("description"),
            "name": given.get("name"),
            "parameters": parameters(given),
            "strict": given.get("strict") is not False,
        }
    if kind.startswith("web_search_preview"):
        return {
            "type": kind,
            "search_context_size": given.get("search_context_size") or "medium",
            "user_location": {**_US, **as_object(given.get("user_location"))},
        }
    if kind == "custom":
        told = {"description": given["description"]} if given.get("description") else {}
        return {"type": kind, **told, "format": given.get("format") or {"type": "text"}, "name": given.get("name")}
    return given


def parameters(given: Object) -> JSON:
    """A function's parameters; where the request does not say whether they are strict, they are made so."""
    schema = given.get("parameters")
    return strict(schema) if given.get("strict") is None and isinstance(schema, dict) else schema


def strict(schema: JSON) -> JSON:
    """A schema with every object closed and all of its properties required, as strict mode wants it."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    made: Object = {str(name): _inside(str(name), value) for name, value in schema.items()}
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        required = as_list(made.get("required"))
        missing = [name for name in made["properties"] if name not in required]
        if missing or "required" not in made:
            made["required"] = [*required, *missing]
        made.setdefault("additionalProperties", False)
    return made


def _inside(name: str, value: JSON) -> JSON:
    """Under `enum`, `const`, `default` and the like stand values, not schemas."""
    if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
        return {key: strict(item) for key, item in as_object(value).items()}
    return strict(value) if name in ("items", "anyOf", "oneOf", "allOf", "prefixItems") else value
