"""A user's program on the Cohere SDK. Where it talks to is the environment's business."""

from __future__ import annotations

import base64
import json
from typing import Any

import cohere
from transcript import PROMPTS, TOOL, TOOL_SCHEMA, TOOL_TEXT, eight, png, say

MODEL = "command-a-03-2025"
TOOLS = [{"type": "function", "function": {"name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA}}]

client = cohere.ClientV2()


def user(text: str, *more: dict[str, Any]) -> list[Any]:
    return [{"role": "user", "content": [{"type": "text", "text": text}, *more] if more else text}]


def create(messages: list[Any], **options: Any) -> Any:
    return client.chat(model=MODEL, messages=messages, **options)


def counts(usage: Any) -> tuple[int, int]:
    return int(usage.billed_units.input_tokens), int(usage.billed_units.output_tokens)


def facts(answer: Any) -> tuple[Any, ...]:
    text = "".join(block.text for block in answer.message.content or () if block.type == "text")
    tools = [(call.function.name, json.loads(call.function.arguments)) for call in answer.message.tool_calls or ()]
    return text, answer.finish_reason, counts(answer.usage), tools


def whole(step: str, answer: Any) -> None:
    say(step, *facts(answer), id=answer.id)


def streamed(step: str, messages: list[Any], **options: Any) -> Any:
    """Tells the stream; gives the tool call in it, if there was one."""
    text, pieces, called, identity = "", 0, None, ""
    for event in client.chat_stream(model=MODEL, messages=messages, **options):
        match event.type:
            case "message-start":
                identity = event.id
            case "content-delta":
                text += event.delta.message.content.text
                pieces += 1
            case "tool-call-start":
                called = event.delta.message.tool_calls
            case "tool-call-delta":
                called.function.arguments += event.delta.message.tool_calls.function.arguments
            case "message-end":
                tools = [(called.function.name, json.loads(called.function.arguments))] if called else []
                usage = counts(event.delta.usage)
                say(step, text, event.delta.finish_reason, usage, tools, pieces=pieces, id=identity)
    return called


def tool_loop() -> None:
    """The tool call comes as a stream, the answer to its result as a whole."""
    messages = user(PROMPTS["ask"])
    called = streamed("ask", messages, tools=TOOLS)
    messages.append({"role": "assistant", "tool_calls": [called.model_dump()]})
    messages.append({"role": "tool", "tool_call_id": called.id, "content": PROMPTS["told"]})
    whole("told", create(messages, tools=TOOLS))


def main() -> None:
    whole("plain", create(user(PROMPTS["plain"])))
    streamed("stream", user(PROMPTS["stream"]))
    whole("gzip", create(user(PROMPTS["gzip"])))
    whole("limited", create(user(PROMPTS["limited"])))
    for _ in range(2):
        whole("twice", create(user(PROMPTS["twice"])))
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    whole("image", create(user(PROMPTS["image"], {"type": "image_url", "image_url": {"url": url}})))
    tool_loop()
    eight(lambda prompt: facts(create(user(prompt))))
    client._client_wrapper.httpx_client.httpx_client.close()


main()
