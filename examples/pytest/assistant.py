"""The application under test. It knows nothing of llm-simulator: its clients find their base URL in the environment."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai


def summary(text: str, words: int = 20) -> str:
    """The text in at most so many words."""
    completion = openai.OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[
            {"role": "system", "content": f"Summarise in at most {words} words."},
            {"role": "user", "content": text},
        ],
        max_tokens=60,
    )
    return completion.choices[0].message.content or ""


def headlines(topic: str) -> Iterator[str]:
    """Headlines on a topic, piece by piece as the model writes them."""
    stream = openai.OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": f"Three headlines on {topic}."}],
        max_tokens=60,
        stream=True,
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def translation(text: str, language: str) -> str:
    """The text in another language; the text itself where the model cannot be reached."""
    try:
        message = anthropic.Anthropic().messages.create(
            model="claude-3-5-haiku-latest",
            max_tokens=80,
            messages=[{"role": "user", "content": f"Translate to {language}: {text}"}],
        )
    except anthropic.APIError:
        return text
    return "".join(block.text for block in message.content if block.type == "text")
