"""The OpenAI Agents SDK, on Responses and on chat completions."""

from __future__ import annotations

from typing import Any, Literal

import cases
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from cases import SENTENCE, TOLD, case, several
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)  # it would send its traces to OpenAI
BASE = f"{cases.hosts()('api.openai.com')}/v1"


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["glad", "sad"]


def chat() -> Any:
    return OpenAIChatCompletionsModel("gpt-4o-mini", AsyncOpenAI(api_key="none", base_url=BASE, max_retries=0))


def responses() -> Any:
    return OpenAIResponsesModel("gpt-4o-mini", AsyncOpenAI(api_key="none", base_url=BASE, max_retries=0))


@case("openai.chat.completions", "whole", chat)
@case("openai.responses.create", "whole", responses)
def whole(model: Any) -> None:
    result = Runner.run_sync(Agent(name="Ours", instructions="Be brief.", model=model()), SENTENCE)
    assert result.final_output


@case("openai.chat.completions", "streaming", chat)
@case("openai.responses.create", "streaming", responses)
async def streaming(model: Any) -> None:
    result = Runner.run_streamed(Agent(name="Ours", model=model()), SENTENCE)
    events = [event async for event in result.stream_events()]
    raw = [event.data for event in events if event.type == "raw_response_event"]
    several(data.delta for data in raw if data.type == "response.output_text.delta")
    assert result.final_output


@case("openai.chat.completions", "tool loop", chat)
@case("openai.responses.create", "tool loop", responses)
def tool_loop(model: Any) -> None:
    seen: list[str] = []

    @function_tool
    def read_thermometer(city: str, days: int) -> str:
        """Reads the thermometer of a city."""
        seen.append(city)
        return TOLD

    agent = Agent(
        name="Ours",
        model=model(),
        tools=[read_thermometer],
        model_settings=ModelSettings(tool_choice="required"),
        reset_tool_choice=False,
    )
    result = Runner.run_sync(agent, SENTENCE, max_turns=5)
    assert seen
    assert result.final_output


@case("openai.chat.completions", "structured output, typed", chat)
@case("openai.responses.create", "structured output, typed", responses)
def structured(model: Any) -> None:
    result = Runner.run_sync(Agent(name="Ours", model=model(), output_type=Person), SENTENCE)
    assert isinstance(result.final_output, Person)


@case("openai.chat.completions", "handoff", chat)
@case("openai.responses.create", "handoff", responses)
def handoff(model: Any) -> None:
    other = Agent(name="Other", model=model())
    first = Agent(name="First", model=model(), handoffs=[other], model_settings=ModelSettings(tool_choice="required"))
    result = Runner.run_sync(first, SENTENCE, max_turns=5)
    assert result.last_agent.name == "Other"
    assert result.final_output


if __name__ == "__main__":
    cases.main()
