"""What Gemini refuses beyond broken structure, on Google AI and on Vertex AI.

Source: the error catalogue (conditions_gemini.json), recorded errors, ai.google.dev/api/generate-content for the fields.
"""

from __future__ import annotations

import re

from llm_simulator.dialects.conditions import raised
from llm_simulator.dialects.fields import Object, as_object, as_text, objects
from llm_simulator.dialects.gemini_fields import pick, snake
from llm_simulator.dialects.rules import Asked, Rule, is_token, malformed, names, number, retired, reworded, triggered
from llm_simulator.types import Condition

KEY = re.compile(r"AIza[\w-]{4,}|AQ\.[\w.-]{4,}")
_BODY_BYTES = 20 << 20
_ROLES = ("user", "model", "function", "tool", "")
_TOP = names(
    """contents system_instruction tools tool_config safety_settings generation_config cached_content labels model store
    service_tier"""
)
_CONFIG = names(
    """_response_json_schema audio_timestamp candidate_count enable_affective_dialog enable_enhanced_civic_answers
    frequency_penalty image_config logprobs max_output_tokens media_resolution model_selection_config
    presence_penalty response_json_schema response_logprobs response_mime_type response_modalities
    response_schema routing_config seed speech_config stop_sequences temperature thinking_config top_k top_p
    response_format translation_config"""
)
_ASIDE = names("thought video_metadata media_resolution part_metadata")
"""What a part may have beside its content."""
_TYPES = names("TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL")
_TYPE_OF = {"gemini": "google.ai.generativelanguage.v1beta.Type", "vertex": "google.cloud.aiplatform.v1beta1.Type"}
_NO_TEXT = (
    "Unable to submit request because it must have a text parameter. Add a text parameter and try again. Learn more: "
    "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
)
_UNREGISTERED = "gemini.api_key_missing"


def authentication(asked: Asked) -> Condition | None:
    bearer = asked.header("authorization")
    if asked.call.provider == "vertex":
        return None if is_token(asked.key) or _api_key(asked) else raised("gemini.unauthenticated")
    if asked.ends("/openai/chat/completions", "/openai/embeddings"):
        return raised("gemini.openai_compat_api_key_invalid") if malformed(asked.key, KEY) else None
    if not asked.key:
        return raised(_UNREGISTERED)
    if bearer and not asked.header("x-goog-api-key"):
        return None if is_token(asked.key) else raised("gemini.unauthenticated")
    return raised("gemini.api_key_invalid") if malformed(asked.key, KEY) else None


def _api_key(asked: Asked) -> bool:
    """Whether it comes with a key, as Vertex AI takes them in express mode."""
    return not asked.header("authorization") and not malformed(asked.key, KEY)


def size(asked: Asked) -> Condition | None:
    return raised("gemini.payload_too_large", limit=_BODY_BYTES) if len(asked.call.raw.body) > _BODY_BYTES else None


def _generates(asked: Asked) -> bool:
    return asked.path.rpartition(":")[2] in ("generateContent", "streamGenerateContent")


def unknown_fields(asked: Asked) -> Condition | None:
    """Names that the API version does not have, in either spelling."""
    if not _generates(asked):
        return None
    for name in asked.body:
        if snake(name) not in _TOP:
            return _unknown(name, "")
    for name in as_object(pick(asked.body, "generationConfig")):
        if snake(name) not in _CONFIG:
            return _unknown(name, "generation_config")
    return None


def _unknown(name: str, where: str) -> Condition:
    at = f" at '{where}'" if where else ""
    message = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    violation = {"field": where, "description": message} if where else {"description": message}
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    return _worded("gemini.unknown_field", message, details)


def _worded(name: str, message: str, details: list[Object]) -> Condition:
    """With `details` of its own in the place of the example's."""
    worded = reworded(name, message)
    return Condition(worded.name, worded.status, message, details=details)


def roles(asked: Asked) -> Condition | None:
    contents = objects(pick(asked.body, "contents"))
    wrong = any(as_text(content.get("role")) not in _ROLES for content in contents)
    return raised("gemini.invalid_role") if wrong and _generates(asked) else None


def parts(asked: Asked) -> Condition | None:
    """A part holds something. Source: its replies as quoted in public (sketch #68; on Vertex AI uni-api #120)."""
    for place, content in enumerate(objects(pick(asked.body, "contents"))) if _generates(asked) else ():
        for at, part in enumerate(objects(pick(content, "parts"))):
            if any(value is not None and snake(name) not in _ASIDE for name, value in part.items()):
                continue
            if asked.call.provider == "vertex":
                return reworded("gemini.invalid_argument", _NO_TEXT)
            where = f"GenerateContentRequest.contents[{place}].parts[{at}].data"
            words = f"* {where}: required oneof field 'data' must have one initialized field\n"
            return reworded("gemini.invalid_argument", words)
    return None


def schemas(asked: Asked) -> Condition | None:
    """Types in the schemas of functions are those of the API. Source: its replies as quoted in public (agno #3298)."""
    for place, tool in enumerate(objects(pick(asked.body, "tools"))) if _generates(asked) else ():
        for at, function in enumerate(objects(pick(tool, "functionDeclarations"))):
            schema = as_object(pick(function, "parameters"))
            kind = schema.get("type")
            if isinstance(kind, str) and kind.upper() not in _TYPES:
                where = f"tools[{place}].function_declarations[{at}].parameters.type"
                words = f"Invalid value at '{where}' (type.googleapis.com/{_TYPE_OF[asked.call.provider]}), \"{kind}\""
                violation = {"field": where, "description": words}
                details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
                return _worded("gemini.invalid_value", words, details)
    return None


def function_turns(asked: Asked) -> Condition | None:
    """A function call comes after a user or a function turn, and is answered part for part."""
    before, called = "", 0
    for content in objects(pick(asked.body, "contents")) if _generates(asked) else []:
        role = as_text(content.get("role"))
        parts = objects(pick(content, "parts"))
        calls = sum(1 for part in parts if pick(part, "functionCall"))
        answers = sum(1 for part in parts if pick(part, "functionResponse"))
        if calls and (role not in ("model", "") or before in ("", "model")):
            return raised("gemini.function_call_turn_order")
        if (called or answers) and called != answers:
            return raised("gemini.function_parts_mismatch")
        before, called = role or "user", calls
    return None


def ranges(asked: Asked) -> Condition | None:
    config = as_object(pick(asked.body, "generationConfig"))
    temperature = number(pick(config, "temperature"))
    if temperature is not None and not 0 <= temperature <= 2:
        message = (
            f"Unable to submit request because it has a temperature value of {temperature:g} but the supported range is from 0 "
            "(inclusive) to 2.0001 (exclusive). Update the value and try again."
        )
        return reworded("gemini.invalid_temperature", message)
    top_p = number(pick(config, "topP"))
    if top_p is not None and not 0 <= top_p <= 1:
        message = (
            f"Unable to submit request because it has a topP value of {top_p:g} but the supported range is from 0 (inclusive) "
            "to 1.0001 (exclusive). Update the value and try again."
        )
        return reworded("gemini.invalid_argument", message)
    return _output_limit(asked, config)


def _output_limit(asked: Asked, config: Object) -> Condition | None:
    given = number(pick(config, "maxOutputTokens"))
    most = asked.model.output if asked.model else 0
    if given is None or (given > 0 and (not most or given <= most)):
        return None
    end = f"{most + 1} (exclusive)" if most else "the model's limit"
    message = (
        f"Unable to submit request because it has a maxOutputTokens value of {given:g} but the supported range is from 1 "
        f"(inclusive) to {end}. Update the value and try again."
    )
    return reworded("gemini.invalid_argument", message)


def context_window(asked: Asked) -> Condition | None:
    window = asked.model.context if asked.model else 0
    if not window or not _generates(asked) or len(asked.call.raw.body) <= window:  # a token is a byte at least
        return None
    count = asked.prompt_tokens()
    return raised("gemini.token_limit", value=count, limit=window) if count > window else None


def content_filter(asked: Asked) -> Condition | None:
    found = triggered(asked.call.body) if _generates(asked) else None
    return raised("gemini.prompt_blocked_safety") if found is not None else None


RULES: tuple[Rule, ...] = (
    authentication,
    size,
    retired,
    unknown_fields,
    roles,
    parts,
    schemas,
    function_turns,
    ranges,
    context_window,
    content_filter,
)
