"""LiteLLM as a library, with the models of all five providers.

Not its Cohere streams (1.110 cannot read the `event:` lines that Cohere sends) nor tool loops (it drops `tool_choice`).
"""

from __future__ import annotations

import os
from typing import Any, Literal

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its prices from GitHub, and what comes next
os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"

import cases
import litellm
from cases import SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, case, check_tool_input, raised, several
from pydantic import BaseModel

at = cases.hosts()
litellm.suppress_debug_info = True
litellm.num_retries = 0
OPENAI = {"model": "openai/gpt-4o-mini", "api_base": f"{at('api.openai.com')}/v1"}
AZURE = {
    "model": "azure/gpt-4o",
    "api_base": at("conformance.openai.azure.com"),
    "api_version": "2024-10-21",
}
ANTHROPIC = {"model": "anthropic/claude-sonnet-5", "api_base": at("api.anthropic.com")}
GEMINI = {
    "model": "gemini/gemini-2.5-flash",
    "api_base": f"{at('generativelanguage.googleapis.com')}/v1beta",
}
COHERE = {"model": "cohere_chat/command-a-03-2025", "api_base": f"{at('api.cohere.com')}/v2/chat"}
MESSAGES: Any = [{"role": "user", "content": SENTENCE}]
TOOLS: Any = [{"type": "function", "function": {"name": TOOL, "description": TOOL_TEXT, "parameters": TOOL_SCHEMA}}]


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


def ask(where: dict[str, str], messages: Any = MESSAGES, **options: Any) -> Any:
    return litellm.completion(**where, api_key="0" * 32, messages=messages, max_retries=0, **options)


@case("openai.chat.completions", "whole", OPENAI)
@case("azure.chat", "whole", AZURE)
@case("anthropic.messages", "whole", ANTHROPIC)
@case("gemini.generateContent", "whole", GEMINI)
@case("cohere.v2.chat", "whole", COHERE)
def whole(where: dict[str, str]) -> None:
    answer = ask(where)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0


@case("openai.chat.completions", "streaming", OPENAI)
@case("azure.chat", "streaming", AZURE)
@case("anthropic.messages", "streaming", ANTHROPIC)
@case("gemini.streamGenerateContent", "streaming", GEMINI)
def streaming(where: dict[str, str]) -> None:
    chunks = list(ask(where, stream=True))
    several(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


@case("openai.chat.completions", "tool loop", OPENAI)
@case("azure.chat", "tool loop", AZURE)
@case("anthropic.messages", "tool loop", ANTHROPIC)
@case("gemini.generateContent", "tool loop", GEMINI)
def tool_loop(where: dict[str, str]) -> None:
    messages = [*MESSAGES]
    called = 0
    for _ in range(5):
        message = ask(where, messages, tools=TOOLS, tool_choice="required").choices[0].message
        messages.append(message.model_dump())
        if not message.tool_calls:
            break
        called += 1
        for call in message.tool_calls:
            check_tool_input(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": TOLD})
    assert called
    assert message.content


@case("openai.chat.completions", "structured output, typed", OPENAI)
@case("azure.chat", "structured output, typed", AZURE)
@case("anthropic.messages", "structured output, typed", ANTHROPIC)
@case("gemini.generateContent", "structured output, typed", GEMINI)
def structured(where: dict[str, str]) -> None:
    Person.model_validate_json(ask(where, response_format=Person).choices[0].message.content)


@case("openai.chat.completions", "error: broken structure", OPENAI)
@case("azure.chat", "error: broken structure", AZURE)
def broken(where: dict[str, str]) -> None:
    wrong = {"messages": "not a list"}
    error = raised(litellm.BadRequestError, lambda: ask(where, extra_body=wrong))
    assert error.status_code == 400


@case("openai.responses.create", "whole")
def responses() -> None:
    answer: Any = litellm.responses(**OPENAI, api_key="none", input=SENTENCE)
    assert answer.output[-1].content[0].text


@case("openai.embeddings", "whole")
def embeddings() -> None:
    where = {"model": "openai/text-embedding-3-small", "api_base": OPENAI["api_base"]}
    answer: Any = litellm.embedding(**where, api_key="none", input=["cat", "sea"])
    assert [len(item["embedding"]) for item in answer.data] == [1536, 1536]


@case("cohere.v2.rerank", "whole")
def rerank() -> None:
    where = {"model": "cohere/rerank-v3.5", "api_base": f"{at('api.cohere.com')}/v2/rerank"}
    answer: Any = litellm.rerank(**where, api_key="none", query="salt sea", documents=["cats", "the salt sea"])
    assert answer.results[0]["index"] == 1


if __name__ == "__main__":
    cases.main()
