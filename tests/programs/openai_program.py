"""A user's program on the OpenAI SDK. Where it talks to is the environment's business."""

from __future__ import annotations

import base64
import json
from typing import Any

from openai import OpenAI
from transcript import PROMPTS, TOOL, TOOL_SCHEMA, TOOL_TEXT, eight, png, say

MODEL = "gpt-4o-mini"
TOOLS = [{"type": "function", "function": {"name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA}}]

client = OpenAI()


def user(text: str, *more: dict[str, Any]) -> list[Any]:
    return [{"role": "user", "content": [{"type": "text", "text": text}, *more] if more else text}]


def create(messages: list[Any], **options: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=messages, **options)


def facts(completion: Any) -> tuple[Any, ...]:
    choice, usage = completion.choices[0], completion.usage
    tools = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
    return choice.message.content or "", choice.finish_reason, (usage.prompt_tokens, usage.completion_tokens), tools


def whole(step: str, completion: Any, **more: Any) -> None:
    say(step, *facts(completion), id=completion.id, request_id=completion._request_id, **more)


def streamed(step: str) -> None:
    text, pieces, finish, usage = "", 0, None, None
    for chunk in create(user(PROMPTS[step]), stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            pieces += bool(choice.delta.content)
            finish = choice.finish_reason or finish
    say(step, text, finish, (usage.prompt_tokens, usage.completion_tokens), pieces=pieces)


def limited() -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=user(PROMPTS["limited"]))
    whole("limited", raw.parse(), retries=raw.retries_taken)


def tool_loop() -> None:
    """The tool call comes as a stream, the answer to its result as a whole."""
    messages = user(PROMPTS["ask"])
    options = {"include_usage": True}
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS, stream_options=options) as stream:
        asked = stream.get_final_completion()
    say("ask", *facts(asked), id=asked.id)
    message = asked.choices[0].message
    messages.append(message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
    messages.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": PROMPTS["told"]})
    whole("told", create(messages, tools=TOOLS))


def main() -> None:
    whole("plain", create(user(PROMPTS["plain"])))
    streamed("stream")
    whole("gzip", create(user(PROMPTS["gzip"])))
    limited()
    for _ in range(2):
        whole("twice", create(user(PROMPTS["twice"])))
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    whole("image", create(user(PROMPTS["image"], {"type": "image_url", "image_url": {"url": url}})))
    tool_loop()
    eight(lambda prompt: facts(create(user(prompt))))
    client.close()


main()
