"""A user's program on the Anthropic SDK. Where it talks to is the environment's business."""

from __future__ import annotations

import base64
from typing import Any

from anthropic import Anthropic
from transcript import PROMPTS, TOOL, TOOL_SCHEMA, TOOL_TEXT, eight, png, say

ASKED = {"model": "claude-sonnet-4-6", "max_tokens": 400}
TOOLS = [{"name": TOOL, "description": TOOL_TEXT, "input_schema": TOOL_SCHEMA}]

client = Anthropic()


def user(text: str, *more: dict[str, Any]) -> list[Any]:
    return [{"role": "user", "content": [*more, {"type": "text", "text": text}] if more else text}]


def create(messages: list[Any], **options: Any) -> Any:
    return client.messages.create(messages=messages, **ASKED, **options)


def facts(message: Any) -> tuple[Any, ...]:
    text = "".join(block.text for block in message.content if block.type == "text")
    tools = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    return text, message.stop_reason, (message.usage.input_tokens, message.usage.output_tokens), tools


def whole(step: str, message: Any, **more: Any) -> None:
    say(step, *facts(message), id=message.id, **more)


def streamed(step: str) -> None:
    with client.messages.stream(messages=user(PROMPTS[step]), **ASKED) as stream:
        pieces = sum(1 for _ in stream.text_stream)
        whole(step, stream.get_final_message(), pieces=pieces)


def limited() -> None:
    raw = client.messages.with_raw_response.create(messages=user(PROMPTS["limited"]), **ASKED)
    whole("limited", raw.parse(), retries=raw.retries_taken, request_id=raw.headers["request-id"])


def tool_loop() -> None:
    """The tool call comes as a stream, the answer to its result as a whole."""
    messages = user(PROMPTS["ask"])
    with client.messages.stream(messages=messages, tools=TOOLS, **ASKED) as stream:
        asked = stream.get_final_message()
    whole("ask", asked)
    called = next(block for block in asked.content if block.type == "tool_use")
    messages.append({"role": "assistant", "content": [block.to_dict() for block in asked.content]})
    result = {"type": "tool_result", "tool_use_id": called.id, "content": PROMPTS["told"]}
    messages.append({"role": "user", "content": [result]})
    whole("told", create(messages, tools=TOOLS))


def main() -> None:
    whole("plain", create(user(PROMPTS["plain"])))
    streamed("stream")
    whole("gzip", create(user(PROMPTS["gzip"])))
    limited()
    for _ in range(2):
        whole("twice", create(user(PROMPTS["twice"])))
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    whole("image", create(user(PROMPTS["image"], {"type": "image", "source": source})))
    tool_loop()
    eight(lambda prompt: facts(create(user(prompt))))
    client.close()


main()
