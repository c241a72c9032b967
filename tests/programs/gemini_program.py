"""A user's program on the Google GenAI SDK. Where it talks to is the environment's business."""

from __future__ import annotations

import asyncio
from typing import Any

from google import genai
from google.genai import types
from transcript import PROMPTS, TOOL, TOOL_SCHEMA, TOOL_TEXT, eight, png, say

MODEL = "gemini-2.5-flash"
DECLARED = types.FunctionDeclaration(name=TOOL, description=TOOL_TEXT, parameters_json_schema=TOOL_SCHEMA)
TOOLS = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[DECLARED])])

# Unlike the other SDKs this one tries once only, unless it is told otherwise.
RETRIES = types.HttpRetryOptions(attempts=3, initial_delay=0.02, max_delay=0.1)
client = genai.Client(http_options=types.HttpOptions(retry_options=RETRIES))


def create(contents: Any, config: Any = None) -> Any:
    return client.models.generate_content(model=MODEL, contents=contents, config=config)


def told(chunks: list[Any]) -> tuple[Any, ...]:
    """Text, finish, usage and tool calls of an answer in one or more pieces."""
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or ()]
    text = "".join(part.text or "" for part in parts)
    tools = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
    finish, usage = chunks[-1].candidates[0].finish_reason, chunks[-1].usage_metadata
    return text, finish.value, (usage.prompt_token_count, usage.candidates_token_count), tools


def whole(step: str, answer: Any) -> None:
    say(step, *told([answer]), id=answer.response_id)


def streamed(step: str) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=PROMPTS[step]))
    say(step, *told(chunks), id=chunks[0].response_id, pieces=len(chunks))


def tool_loop() -> None:
    """The tool call comes as a stream, the answer to its result as a whole."""
    contents = [types.Content(role="user", parts=[types.Part(text=PROMPTS["ask"])])]
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=contents, config=TOOLS))
    say("ask", *told(chunks), id=chunks[0].response_id)
    contents.append(next(c.candidates[0].content for c in chunks if c.candidates[0].content.parts[0].function_call))
    result = types.Part.from_function_response(name=TOOL, response={"result": PROMPTS["told"]})
    contents.append(types.Content(role="user", parts=[result]))
    whole("told", create(contents, TOOLS))


async def asynchronous() -> None:
    """Another HTTP library than the one of the calls above (aiohttp, where it can be imported)."""
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents=PROMPTS["async"])
    say("async", *told([chunk async for chunk in stream]))
    await client.aio.aclose()


def main() -> None:
    whole("plain", create(PROMPTS["plain"]))
    streamed("stream")
    whole("gzip", create(PROMPTS["gzip"]))
    whole("limited", create(PROMPTS["limited"]))
    for _ in range(2):
        whole("twice", create(PROMPTS["twice"]))
    picture = types.Part.from_bytes(data=png(), mime_type="image/png")
    whole("image", create([picture, PROMPTS["image"]]))
    tool_loop()
    eight(lambda prompt: told([create(prompt)]))
    asyncio.run(asynchronous())
    client.close()


main()
