"""What OpenAI refuses beyond broken structure: chat, completions, embeddings, Responses, images, audio.

Source: the error catalogue (conditions_openai.json), OpenAI's API reference for parameters and their ranges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from llm_simulator.dialects.condition_values import masked
from llm_simulator.dialects.conditions import raised
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, objects, spelled
from llm_simulator.dialects.rules import (
    Asked,
    Rule,
    first,
    malformed,
    names,
    number,
    retired,
    reworded,
    spelled_number,
    texts,
    triggered,
)
from llm_simulator.types import JSON, Condition

KEY = re.compile(r"(?:sk-|sess-|ek_)[\w-]{4,}")
CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS = "/chat/completions", "/completions", "/responses", "/embeddings"
_AUDIO = ("/audio/speech", "/audio/transcriptions", "/audio/translations")
_AUDIO_BYTES = 25 << 20
_EMBEDDED = 8192  # tokens of a text: what the refusals say, where lists of models have 8191
_LONGEST_STRING, _MOST_INPUTS, _MOST_TOOLS, _MOST_STOPS = 10_485_760, 2048, 128, 4
_IMAGE = re.compile(r"data:image/[\w.+-]+;base64,(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR)")  # PNG, JPEG, GIF, WebP
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REASONING = re.compile(r"o\d|gpt-[5-9](?!.*-chat)|codex-")
_TEXT_MODEL = re.compile(r"(?:davinci|babbage)-00\d|gpt-3\.5-turbo-instruct|text-(?:davinci|curie|babbage|ada)-")
_OTHER_MODEL = re.compile(r"text-embedding-|dall-e-|gpt-image-|whisper-|tts-|omni-moderation-|text-moderation-")

_PARAMETERS: Mapping[str, frozenset[str]] = {
    CHAT: names(
        """audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
        metadata modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
        prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier
        stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity
        web_search_options"""
    ),
    COMPLETIONS: names(
        """best_of echo frequency_penalty logit_bias logprobs max_tokens model n presence_penalty prompt seed stop stream
        stream_options suffix temperature top_p user"""
    ),
    EMBEDDINGS: names("dimensions encoding_format input model user"),
    RESPONSES: names(
        """access_programs background background_options context_management conversation image include input instructions
        max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt
        prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store
        stream stream_options temperature text tool_choice tools top_logprobs top_p truncation user"""
    ),
}


class Range(NamedTuple):
    """The least and the most that a number may be, and whether it must be whole."""

    low: float
    high: float | None
    whole: bool = False


_RANGES: Mapping[str, Range] = {
    "temperature": Range(0, 2),
    "top_p": Range(0, 1),
    "frequency_penalty": Range(-2, 2),
    "presence_penalty": Range(-2, 2),
    "n": Range(1, 128, True),
    "max_tokens": Range(1, None, True),
    "max_completion_tokens": Range(1, None, True),
    "max_output_tokens": Range(16, None, True),
    "top_logprobs": Range(0, 20, True),
    "dimensions": Range(1, None, True),
    "best_of": Range(1, 20, True),
}


def endpoint(asked: Asked) -> str:
    """The endpoint whose parameters are known: the longest that the path ends with; "" for another."""
    return next((path for path in (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS) if asked.ends(path)), "")


def authentication(asked: Asked) -> Condition | None:
    if not asked.key:
        return raised("openai.missing_api_key")
    if not malformed(asked.key, KEY):
        return None
    if endpoint(asked) in (CHAT, COMPLETIONS, EMBEDDINGS):
        return raised("openai.invalid_api_key_gateway", masked_key=masked(asked.key))
    if asked.ends(*_AUDIO):  # where the catalogue has one key for an example
        words = raised("openai.invalid_api_key_gateway", masked_key=masked(asked.key)).message
        return reworded("openai.invalid_api_key_audio", words)
    if asked.ends("/realtime"):
        words = raised("openai.invalid_api_key_gateway", masked_key=masked(asked.key)).message
        return reworded("openai.realtime_handshake_401", words)
    return raised("openai.invalid_api_key_responses", masked_key=masked(asked.key))


def content_type(asked: Asked) -> Condition | None:
    given = asked.header("content-type")
    if not given or not endpoint(asked) or "json" in given.lower():
        return None
    name = given.partition(";")[0].strip()
    message = (
        f"Unsupported content type: '{name}'. This API method only accepts 'application/json' requests, but you specified the "
        f"header 'Content-Type: {given}'. Please try again with a supported content type."
    )
    return reworded("openai.unsupported_content_type", message)


def size(asked: Asked) -> Condition | None:
    length = len(asked.call.raw.body)
    if asked.ends("/audio/transcriptions", "/audio/translations") and length > _AUDIO_BYTES:
        return raised("openai.payload_too_large", limit=_AUDIO_BYTES, value=length)
    return None


def parameters(asked: Asked) -> Condition | None:
    """The first top-level name that the endpoint does not know."""
    where = endpoint(asked)
    known = _PARAMETERS.get(where)
    unknown = [name for name in asked.body if name not in known] if known else []
    if not unknown:
        return None
    if where == RESPONSES:
        return raised("openai.unknown_parameter", param=unknown[0])
    several = "s" if len(unknown) > 1 else ""
    message = f"Unrecognized request argument{several} supplied: {', '.join(unknown)}"
    return reworded("openai.unrecognized_argument", message)


def ranges(asked: Asked) -> Condition | None:
    for name, allowed in _RANGES.items():
        value = number(asked.body.get(name))
        if value is not None and (fault := _out_of(name, value, allowed)):
            return fault
    return None


def _out_of(name: str, value: float, allowed: Range) -> Condition | None:
    kind = "integer" if allowed.whole else "decimal"
    if value < allowed.low:
        condition = "openai.integer_below_min_value" if allowed.whole else "openai.decimal_below_min_value"
        return raised(condition, param=name, limit=spelled_number(allowed.low), value=spelled_number(value))
    if allowed.high is None or value <= allowed.high:
        return None
    high, got = spelled_number(allowed.high), spelled_number(value)
    message = f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high}, but got {got} instead."
    return reworded("openai.decimal_above_max_value", message, name, f"{kind}_above_max_value")


def lengths(asked: Asked) -> Condition | None:
    """Strings and lists that are longer than they may be."""
    given = asked.body.get("input") if endpoint(asked) == EMBEDDINGS else None
    lists = (("input", given, _MOST_INPUTS), ("tools", asked.body.get("tools"), _MOST_TOOLS))
    for name, value, most in (*lists, ("stop", asked.body.get("stop"), _MOST_STOPS)):
        if isinstance(value, list) and len(value) > most and not (name == "input" and _is_one(value)):
            return raised("openai.array_above_max_length", param=name, limit=most, value=len(value))
    if len(asked.call.raw.body) <= _LONGEST_STRING:
        return None
    for place, message in enumerate(objects(asked.body.get("messages"))):
        text = message.get("content")
        if isinstance(text, str) and len(text) > _LONGEST_STRING:
            where = f"messages[{place}].content"
            return raised("openai.string_above_max_length", param=where, limit=_LONGEST_STRING, value=len(text))
    return None


def _is_one(value: list[JSON]) -> bool:
    """Whether an embedding input is one text, given as its tokens."""
    return bool(value) and isinstance(value[0], int)


def right_model(asked: Asked) -> Condition | None:
    """A model at an endpoint that is not its own."""
    if endpoint(asked) == CHAT and _TEXT_MODEL.match(asked.call.model):
        return raised("openai.non_chat_model_on_chat")
    if endpoint(asked) == CHAT and _OTHER_MODEL.match(asked.call.model):
        return raised("openai.non_chat_model_on_chat")
    found = asked.model
    if endpoint(asked) == COMPLETIONS and found and found.mode == "chat" and not _TEXT_MODEL.match(asked.call.model):
        return raised("openai.chat_model_on_completions")
    return None


def model_parameters(asked: Asked) -> Condition | None:
    """What reasoning models do not take."""
    if endpoint(asked) not in (CHAT, RESPONSES) or not _REASONING.match(asked.call.model):
        return None
    if asked.body.get("max_tokens") is not None and endpoint(asked) == CHAT:
        return raised("openai.unsupported_parameter", param="max_tokens")
    for name in ("temperature", "top_p"):
        value = number(asked.body.get(name))
        if value is not None and value != 1:
            message = (
                f"Unsupported value: '{name}' does not support {spelled_number(value)} with this model. "
                "Only the default (1) value is supported."
            )
            return reworded("openai.unsupported_value", message, name)
    return None


def output_limit(asked: Asked) -> Condition | None:
    most = asked.model.output if asked.model else 0
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        value = number(asked.body.get(name))
        if most and value is not None and value > most:
            given = int(value)
            message = (
                f"{name} is too large: {given}. This model supports at most {most} completion tokens, whereas you provided "
                f"{given}."
            )
            return reworded("openai.max_tokens_too_large", message, name)
    return None


def combinations(asked: Asked) -> Condition | None:
    """Parameters that do not go together. Source: its replies as quoted in public (langgraph #5943, litellm #5803)."""
    if endpoint(asked) not in (CHAT, COMPLETIONS):
        return None
    if asked.body.get("stream_options") is not None and not asked.call.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return reworded("openai.feature_not_supported", message, "stream_options")
    if asked.body.get("max_tokens") is not None and asked.body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        return reworded("openai.invalid_value", message, "max_tokens", "invalid_parameter_combination")
    return None


def tool_ids(asked: Asked) -> Condition | None:
    """One result for each tool call. Source: its reply as quoted in public (agno #5116)."""
    seen: dict[JSON, int] = {}
    for place, message in enumerate(objects(asked.body.get("messages"))) if endpoint(asked) == CHAT else ():
        if message.get("role") != "tool":
            seen = {}
            continue
        identity = as_text(message.get("tool_call_id"))
        if identity in seen:
            both = f"in messages[{seen[identity]}] and messages[{place}]."
            words = f"Invalid parameter: Duplicate value for 'tool_call_id' of '{identity}', {both}"
            return reworded("openai.tool_call_without_reply", words, f"messages.[{place}].tool_call_id")
        seen[identity] = place
    return None


def tool_turns(asked: Asked) -> Condition | None:
    """Every tool call of a chat is answered before anyone else speaks, and nothing else is answered."""
    if endpoint(asked) != CHAT:
        return None
    open_calls: list[str] = []
    for place, message in enumerate(objects(asked.body.get("messages"))):
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return _stray_tool(place)
            open_calls.remove(as_text(message.get("tool_call_id")))
            continue
        if open_calls:
            break
        if role == "assistant":
            open_calls = [as_text(call.get("id")) for call in objects(message.get("tool_calls"))]
    return raised("openai.tool_call_without_reply", ids=", ".join(open_calls)) if open_calls else None


def _stray_tool(place: int) -> Condition:
    message = (
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
    )
    return reworded("openai.tool_call_without_reply", message, f"messages.[{place}].role")


def response_items(asked: Asked) -> Condition | None:
    """Every function call in the input of Responses has its output there."""
    if endpoint(asked) != RESPONSES or asked.body.get("previous_response_id"):
        return None
    items = objects(asked.body.get("input"))
    done = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
    called = [as_text(item.get("call_id")) for item in items if item.get("type") == "function_call"]
    missing = [identity for identity in called if identity not in done]
    return raised("openai.function_call_output_missing", ids=missing[0]) if missing else None


def json_mode(asked: Asked) -> Condition | None:
    if endpoint(asked) != CHAT or as_object(asked.body.get("response_format")).get("type") != "json_object":
        return None
    if any("json" in text.lower() for text in texts(asked.body.get("messages"))):
        return None
    return raised("openai.json_object_without_json_word")


def strict_schema(asked: Asked) -> Condition | None:
    """Strict structured output wants `additionalProperties: false` and every property required."""
    responses = endpoint(asked) == RESPONSES
    given = as_object(as_object(asked.body.get("text")).get("format")) if responses else {}
    if not responses:
        wanted = as_object(asked.body.get("response_format"))
        given = as_object(wanted.get("json_schema")) if wanted.get("type") == "json_schema" else {}
    if given.get("strict") is not True:
        return None
    fault = next(_loose(as_object(given.get("schema")), ()), None)
    if fault is None:
        return None
    name = as_text(given.get("name"))
    condition = "openai.invalid_response_schema_responses" if responses else "openai.invalid_response_schema_chat"
    return reworded(condition, f"Invalid schema for response_format '{name}': {fault}")


def _loose(schema: Object, place: tuple[str, ...]) -> Iterator[str]:
    """What in a schema is not strict, and where."""
    context = f"In context=({', '.join(map(repr, place))}{',' if len(place) == 1 else ''})"
    properties = as_object(schema.get("properties"))
    if schema.get("type") == "object" or properties:
        if schema.get("additionalProperties") is not False:
            yield f"{context}, 'additionalProperties' is required to be supplied and to be false."
        missing = [name for name in properties if name not in as_list(schema.get("required"))]
        if missing:
            yield (
                f"{context}, 'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing[0]}'."
            )
    for name, inner in properties.items():
        yield from _loose(as_object(inner), (*place, "properties", name))
    if schema.get("type") == "array":
        yield from _loose(as_object(schema.get("items")), (*place, "items"))


def functions(asked: Asked) -> Condition | None:
    """Names and parameter schemas of the functions on offer."""
    chat = endpoint(asked) == CHAT
    if not chat and endpoint(asked) != RESPONSES:
        return None
    inner = ".function" if chat else ""
    for place, tool in enumerate(objects(asked.body.get("tools"))):
        function = as_object(tool.get("function")) if chat else tool if tool.get("type") == "function" else {}
        name, schema = as_text(function.get("name")), function.get("parameters")
        if function and not _NAME.fullmatch(name):
            where = f"tools[{place}]{inner}.name"
            wanted = "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            message = f"Invalid '{where}': string does not match pattern. {wanted}"
            return reworded("openai.invalid_value", message, where)
        if isinstance(schema, dict) and schema and schema.get("type") != "object":
            kind = spelled(schema.get("type")) if schema.get("type") is not None else '"None"'
            where = f"tools[{place}]{inner}.parameters"
            wanted = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {kind}'."
            message = f"Invalid schema for function '{name}': {wanted}"
            return reworded("openai.invalid_function_parameters", message, where)
    return None


def images(asked: Asked) -> Condition | None:
    """Images in a chat that are given as data and are none that the models read."""
    for message in objects(asked.body.get("messages")) if endpoint(asked) == CHAT else []:
        for part in objects(message.get("content")):
            url = as_text(as_object(part.get("image_url")).get("url"))
            if url.startswith("data:") and not _IMAGE.match(url):
                return raised("openai.invalid_image_format")
    return None


def context_window(asked: Asked) -> Condition | None:
    window = asked.model.context if asked.model else 0
    if not window or len(asked.call.raw.body) <= window:  # a token is a byte at least
        return None
    where = endpoint(asked)
    if where == EMBEDDINGS:
        window = max(window, _EMBEDDED)
    count = _embedded(asked) if where == EMBEDDINGS else asked.prompt_tokens()
    if count <= window:
        return None
    if where == RESPONSES:
        return raised("openai.context_length_exceeded_responses")
    if where == CHAT:
        return raised("openai.context_length_exceeded_chat", limit=window, value=count)
    return raised("openai.context_length_exceeded_embeddings", limit=window, value=count)


def _embedded(asked: Asked) -> int:
    """The tokens of the longest text to embed."""
    from llm_simulator import tokens

    given = asked.body.get("input")
    items = given if isinstance(given, list) and not _is_one(given) else [given]
    counts = [len(item) if isinstance(item, list) else tokens.count(as_text(item), asked.call.model) for item in items]
    return max(counts, default=0)


def content_filter(asked: Asked) -> Condition | None:
    if asked.ends("/images/generations", "/images/edits"):
        found = triggered(asked.body.get("prompt"))
        return raised("openai.moderation_blocked") if found is not None else None
    prompts = [asked.body.get(name) for name in ("messages", "input", "instructions", "prompt")]
    if endpoint(asked) in ("", EMBEDDINGS) or triggered(*prompts) is None:
        return None
    return raised("openai.invalid_prompt")


BODY_RULES: tuple[Rule, ...] = (
    parameters,
    ranges,
    lengths,
    model_parameters,
    output_limit,
    combinations,
    tool_ids,
    tool_turns,
    response_items,
    json_mode,
    strict_schema,
    functions,
    images,
    context_window,
)


def body(asked: Asked) -> Condition | None:
    """What is wrong with the body, whoever serves it (Azure has the same validator)."""
    return first(BODY_RULES, asked)


RULES: tuple[Rule, ...] = (authentication, content_type, size, retired, right_model, body, content_filter)
