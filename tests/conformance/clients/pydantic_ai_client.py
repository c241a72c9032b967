"""pydantic-ai with the models of all five providers and Mistral."""

from __future__ import annotations

from typing import Any, Literal

import cases
from cases import SENTENCE, TOLD, case, raised_like, several
from cohere import AsyncClientV2
from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.cohere import CohereModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.mistral import MistralModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.azure import AzureProvider
from pydantic_ai.providers.cohere import CohereProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.mistral import MistralProvider
from pydantic_ai.providers.openai import OpenAIProvider

at = cases.hosts()


def openai_provider() -> Any:
    return OpenAIProvider(base_url=f"{at('api.openai.com')}/v1", api_key="none")


def openai() -> Any:
    return OpenAIChatModel("gpt-4o-mini", provider=openai_provider())


def responses() -> Any:
    return OpenAIResponsesModel("gpt-4o-mini", provider=openai_provider())


def azure() -> Any:
    where = at("conformance.openai.azure.com")
    provider = AzureProvider(azure_endpoint=where, api_version="2024-10-21", api_key="0" * 32)
    return OpenAIChatModel("gpt-4o", provider=provider)


def anthropic() -> Any:
    provider = AnthropicProvider(base_url=at("api.anthropic.com"), api_key="none")
    return AnthropicModel("claude-sonnet-5", provider=provider)


def gemini() -> Any:
    provider = GoogleProvider(base_url=at("generativelanguage.googleapis.com"), api_key="AIza-none")
    return GoogleModel("gemini-2.5-flash", provider=provider)


def cohere() -> Any:
    client = AsyncClientV2(api_key="none", base_url=at("api.cohere.com"))
    return CohereModel("command-a-03-2025", provider=CohereProvider(cohere_client=client))


def mistral() -> Any:
    provider = MistralProvider(base_url=at("api.mistral.ai"), api_key="none")
    return MistralModel("mistral-small-latest", provider=provider)


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


@case("openai.chat.completions", "whole", openai)
@case("openai.responses.create", "whole", responses)
@case("azure.chat", "whole", azure)
@case("anthropic.messages", "whole", anthropic)
@case("gemini.generateContent", "whole", gemini)
@case("cohere.v2.chat", "whole", cohere)
@case("mistral.chat", "whole", mistral)
async def whole(model: Any) -> None:
    result = await Agent(model(), instructions="Be brief.").run(SENTENCE)
    assert result.output
    assert result.usage.output_tokens > 0


@case("openai.chat.completions", "streaming", openai)
@case("openai.responses.create", "streaming", responses)
@case("azure.chat", "streaming", azure)
@case("anthropic.messages", "streaming", anthropic)
@case("gemini.streamGenerateContent", "streaming", gemini)
@case("mistral.chat", "streaming", mistral)
async def streaming(model: Any) -> None:
    async with Agent(model()).run_stream(SENTENCE) as result:
        several([piece async for piece in result.stream_text(delta=True, debounce_by=None)])


@case("openai.chat.completions", "tool loop", openai)
@case("openai.responses.create", "tool loop", responses)
@case("azure.chat", "tool loop", azure)
@case("anthropic.messages", "tool loop", anthropic)
@case("gemini.generateContent", "tool loop", gemini)
@case("mistral.chat", "tool loop", mistral)
async def tool_loop(model: Any) -> None:
    seen: list[str] = []
    agent = Agent(model())

    @agent.tool_plain
    def read_thermometer(city: str, days: int) -> str:
        """Reads the thermometer of a city."""
        seen.append(city)
        return TOLD

    def forced_at_first(context: Any) -> Any:  # "required" all along is refused by the client itself
        return {"tool_choice": "required"} if context.run_step <= 1 else {}

    result = await agent.run(SENTENCE, model_settings=forced_at_first)
    assert seen
    assert result.output


@case("openai.chat.completions", "structured output, typed", openai)
@case("openai.responses.create", "structured output, typed", responses)
@case("azure.chat", "structured output, typed", azure)
@case("anthropic.messages", "structured output, typed", anthropic)
@case("gemini.generateContent", "structured output, typed", gemini)
@case("cohere.v2.chat", "structured output, typed", cohere)
@case("mistral.chat", "structured output, typed", mistral)
async def structured(model: Any) -> None:
    assert isinstance((await Agent(model(), output_type=Person).run(SENTENCE)).output, Person)


@case("openai.chat.completions", "structured output, native", openai)
@case("openai.responses.create", "structured output, native", responses)
@case("azure.chat", "structured output, native", azure)
@case("gemini.generateContent", "structured output, native", gemini)
async def native(model: Any) -> None:
    assert isinstance((await Agent(model(), output_type=NativeOutput(Person)).run(SENTENCE)).output, Person)


@case("openai.chat.completions", "error: broken structure", openai)
def broken(model: Any) -> None:
    settings: Any = {"extra_body": {"messages": "not a list"}}
    error = raised_like(ModelHTTPError, lambda: Agent(model()).run_sync(SENTENCE, model_settings=settings))
    assert error.status_code == 400


if __name__ == "__main__":
    cases.main()
