"""What providers send in a stream while nothing else comes, so that nobody between takes the connection for dead.

Anthropic: a `ping` every 30 s once the message has started, never before (charmbracelet/fantasy pull 362 on why it matters;
a server's log in frontman-ai/frontman issue 731 has 30.0 s between two; BerriAI/litellm pull 36024 says the same).
DeepSeek: the comment of its page on rate limits until the answer starts; OpenRouter: its own comment likewise. How often is
not documented: every 10 s. Gemini, Cohere, OpenAI, Azure, Mistral: nothing was seen, and google-genai fails on a comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llm_simulator.types import Call


@dataclass(frozen=True, slots=True)
class Beat:
    """`data` every so many seconds: until the first chunk (`before`), counted from the request; or from then on."""

    data: bytes
    every: float
    before: bool


_BEATS: Mapping[tuple[str, str], Beat] = {
    ("anthropic", "anthropic.messages"): Beat(b'event: ping\ndata: {"type": "ping"}\n\n', 30.0, before=False),
    ("deepseek", "openai.chat"): Beat(b": keep-alive\n\n", 10.0, before=True),
    ("openrouter", "openai.chat"): Beat(b": OPENROUTER PROCESSING\n\n", 10.0, before=True),
}


def beat_of(call: Call) -> Beat | None:
    """What keeps the stream of a call alive; None where its provider sends nothing, or nothing is streamed."""
    return _BEATS.get((call.provider, call.family)) if call.stream else None
