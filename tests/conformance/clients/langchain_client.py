"""The chat models of LangChain for all five providers."""

from __future__ import annotations

from typing import Any, Literal

import anthropic
import cases
import openai
from cases import SENTENCE, TOLD, TOOL, case, raised_like, several
from langchain_anthropic import ChatAnthropic
from langchain_cohere import ChatCohere
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

at = cases.hosts()
OPENAI = ChatOpenAI(model="gpt-4o-mini", api_key="none", base_url=f"{at('api.openai.com')}/v1", max_retries=0)
RESPONSES = ChatOpenAI(
    model="gpt-4o-mini",
    api_key="none",
    base_url=f"{at('api.openai.com')}/v1",
    max_retries=0,
    use_responses_api=True,
)
AZURE = AzureChatOpenAI(
    azure_endpoint=at("conformance.openai.azure.com"),
    azure_deployment="gpt-4o",
    api_version="2024-10-21",
    api_key="0" * 32,
    max_retries=0,
)
ANTHROPIC = ChatAnthropic(
    model="claude-sonnet-5", api_key="none", base_url=at("api.anthropic.com"), max_tokens=1000, max_retries=0
)
GEMINI = ChatGoogleGenerativeAI(
    model="gemini-2.5-flash", api_key="AIza-none", base_url=at("generativelanguage.googleapis.com"), max_retries=0
)
COHERE = ChatCohere(model="command-a-03-2025", cohere_api_key="none", base_url=at("api.cohere.com"))


class Person(BaseModel):
    """A person."""

    name: str
    age: int
    mood: Literal["glad", "sad"]


@tool
def read_thermometer(city: str, days: int) -> str:
    """Reads the thermometer of a city."""
    return TOLD


@case("openai.chat.completions", "whole", OPENAI)
@case("openai.responses.create", "whole", RESPONSES)
@case("azure.chat", "whole", AZURE)
@case("anthropic.messages", "whole", ANTHROPIC)
@case("gemini.generateContent", "whole", GEMINI)
@case("cohere.v2.chat", "whole", COHERE)
def whole(model: Any) -> None:
    message = model.invoke(SENTENCE)
    assert message.text
    assert message.usage_metadata["output_tokens"] > 0


@case("openai.chat.completions", "streaming", OPENAI)
@case("openai.responses.create", "streaming", RESPONSES)
@case("azure.chat", "streaming", AZURE)
@case("anthropic.messages", "streaming", ANTHROPIC)
@case("gemini.streamGenerateContent", "streaming", GEMINI)
@case("cohere.v2.chat", "streaming", COHERE)
def streaming(model: Any) -> None:
    several(chunk.text for chunk in model.stream(SENTENCE))


@case("openai.chat.completions", "asynchronous", OPENAI)
@case("anthropic.messages", "asynchronous", ANTHROPIC)
@case("gemini.generateContent", "asynchronous", GEMINI)
async def asynchronous(model: Any) -> None:
    assert (await model.ainvoke(SENTENCE)).text


@case("openai.chat.completions", "tool loop", OPENAI, {"tool_choice": "any"})
@case("openai.responses.create", "tool loop", RESPONSES, {"tool_choice": "any"})
@case("azure.chat", "tool loop", AZURE, {"tool_choice": "any"})
@case("anthropic.messages", "tool loop", ANTHROPIC, {"tool_choice": "any"})
@case("gemini.generateContent", "tool loop", GEMINI, {"tool_choice": "any"})
@case("cohere.v2.chat", "tool loop", COHERE, {"tool_choice": "REQUIRED"})
def tool_loop(model: Any, options: dict[str, str]) -> None:
    armed = model.bind_tools([read_thermometer], **options)
    messages: list[Any] = [HumanMessage(SENTENCE)]
    called = 0
    for _ in range(5):
        message = armed.invoke(messages)
        messages.append(message)
        if not message.tool_calls:
            break
        called += 1
        for call in message.tool_calls:
            assert call["name"] == TOOL  # on the way to Gemini and Cohere bounds and enums of the schema get lost
            assert isinstance(call["args"]["city"], str)
            assert isinstance(call["args"]["days"], int)
            messages.append(ToolMessage(TOLD, tool_call_id=call["id"], name=TOOL))
    assert called
    assert message.text


@case("openai.chat.completions", "structured output, typed", OPENAI)
@case("openai.responses.create", "structured output, typed", RESPONSES)
@case("azure.chat", "structured output, typed", AZURE)
@case("anthropic.messages", "structured output, typed", ANTHROPIC)
@case("gemini.generateContent", "structured output, typed", GEMINI)
@case("cohere.v2.chat", "structured output, typed", COHERE)
def structured(model: Any) -> None:
    assert isinstance(model.with_structured_output(Person).invoke(SENTENCE), Person)


@case("openai.chat.completions", "error: broken structure", OPENAI, openai.BadRequestError)
@case("azure.chat", "error: broken structure", AZURE, openai.BadRequestError)
@case("anthropic.messages", "error: broken structure", ANTHROPIC, anthropic.BadRequestError)
def broken(model: Any, kind: Any) -> None:
    error = raised_like(kind, lambda: model.invoke(SENTENCE, extra_body={"messages": "not a list"}))
    assert error.status_code == 400


@case("openai.embeddings", "whole")
def embeddings() -> None:
    model = OpenAIEmbeddings(
        model="text-embedding-3-small",
        api_key="none",
        base_url=f"{at('api.openai.com')}/v1",
        check_embedding_ctx_length=False,
    )
    assert [len(vector) for vector in model.embed_documents(["cat", "sea"])] == [1536, 1536]


if __name__ == "__main__":
    cases.main()
