"""What genuine replies need beyond the published schemas and `schema_overlay`: one patch per fact, with where it was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patch:
    """`change`: "also allow null", "also allow a ... string", "value JSON" (also that one), "NAME is not required", "any"."""

    schema: str
    pointer: str
    change: str
    why: str


_AUDIO = "/properties/audio/properties/input/properties"
_OWN = "null in the document's own example"

OPENAI: tuple[Patch, ...] = (
    Patch("RealtimeSessionCreateResponseGA", f"{_AUDIO}/transcription", "also allow null", _OWN),
    Patch("RealtimeSessionCreateResponseGA", f"{_AUDIO}/noise_reduction", "also allow null", _OWN),
    Patch("RealtimeSessionCreateResponseGA", "/properties/include", "also allow null", _OWN),
    Patch("ChatCompletionResponseMessage", "/required", "refusal is not required", "replies until the autumn of 2024"),
    Patch(
        "ResponseUsage",
        "/properties/input_tokens_details/required",
        "cache_write_tokens is not required",
        "sent since July 2026 only",
    ),
    Patch(
        "CreateChatCompletionStreamResponse", "/properties/object", 'value ""', "Azure's first chunk, without choices"
    ),
    Patch(
        "CreateChatCompletionResponse",
        "/properties/choices/items/required",
        "message is not required",
        "Azure, where its content filter took the answer",
    ),
    Patch("MessageObject", "/required", "status is not required", "Assistants API, 2024"),
    Patch("MessageObject", "/required", "completed_at is not required", "Assistants API, 2024"),
    Patch("MessageObject", "/required", "incomplete_details is not required", "Assistants API, 2024"),
    Patch("MessageObject", "/required", "incomplete_at is not required", "Assistants API, 2024"),
    Patch("ListMessagesResponse", "/properties/first_id", "also allow null", "an empty list"),
    Patch("ListMessagesResponse", "/properties/last_id", "also allow null", "an empty list"),
)
COHERE: tuple[Patch, ...] = (
    Patch("EmbedFloatsResponse", "/required", "api_version is not required", "it is in `meta`"),
    Patch("EmbedByTypeResponse", "/required", "api_version is not required", "it is in `meta`"),
)
