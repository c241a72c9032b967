"""Answers: the tokens that OpenAI and Azure bill for what a model wrote, and the two endpoints that count text alone.

Whether the token that ends a turn is billed has changed over time: `created` tells which rule was in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from llm_simulator.tokens.chat import PARALLEL, calls_of, count_content, forced_function, functions_of, parallel_text
from llm_simulator.tokens.tally import Count, Family, Tally, mapping, text
from llm_simulator.types import JSON

# When api.openai.com began and ceased to bill the end of a turn, and when Azure began: seconds since the epoch, roughly.
_OPENAI_FROM, _OPENAI_UNTIL, _AZURE_FROM = 1734220800, 1747353600, 1748736000


_CALL = 4  # around the arguments of a call
_LEGACY_MOST = 16  # the default of `max_tokens`


def count_completion(
    request: JSON,
    choices: Sequence[Mapping[str, JSON]],
    model: str,
    *,
    reasoning: int = 0,
    azure: bool = False,
    created: int | None = None,
) -> Count:
    """Completion tokens of a chat answer, summed over its `choices` (as in a response: message, finish_reason).

    `reasoning` is what the provider reports as reasoning tokens; `created` is in seconds since the epoch, None is today.
    """
    tally = Tally(model)
    asked = mapping(request)
    end = 0 if asked.get("stop") else end_of_turn(azure, created)
    most = asked.get("max_completion_tokens") or asked.get("max_tokens")
    for choice in choices:
        message, finish = mapping(choice.get("message")), text(choice.get("finish_reason"))
        if finish == "length" and isinstance(most, int):
            tally.add(most)
        elif tally.family is Family.CLASSIC:
            _count_answer(message, finish, asked, end, tally)
        else:
            tally.add(reasoning + end)
            _count_reasoned(message, tally)
        if not message:
            tally.doubt("a withheld answer is billed, but not shown")
    return tally.result()


def end_of_turn(azure: bool, created: int | None) -> int:
    """1 where the token that ends a turn is billed."""
    if azure:
        return 1 if created is None or created >= _AZURE_FROM else 0
    return 1 if created is not None and _OPENAI_FROM <= created < _OPENAI_UNTIL else 0


def _count_answer(message: Mapping[str, JSON], finish: str, asked: Mapping[str, JSON], end: int, tally: Tally) -> None:
    made, functions = calls_of(message), functions_of(asked)
    tally.add(count_content(message.get("content"), tally) + (0 if finish == "length" else end))
    if refusal := text(message.get("refusal")):
        tally.add(tally.n(refusal) + 1)
    if not made:
        tally.add(1 if functions and finish != "length" else 0)
        tally.add(4 if functions and mapping(asked.get("response_format")).get("json_schema") else 0)
    elif forced_function(asked):
        tally.add(sum(tally.n(arguments) for _, _, arguments in made))
    elif len(made) == 1:
        (_, name, arguments) = made[0]
        around = 1 if tally.model == "gpt-4-0613" else _CALL
        tally.add(tally.n(" to=functions." + name) + tally.n(arguments) + around)
    else:
        tally.add(tally.n(" to=" + PARALLEL) + tally.n(parallel_text(made)) + _CALL)


def _count_reasoned(message: Mapping[str, JSON], tally: Tally) -> None:
    made = calls_of(message)
    if content := count_content(message.get("content"), tally):
        tally.add(content + text_frame(tally))
    for _, name, arguments in made:
        tally.add(tally.n(" to=functions." + name) + tally.n(arguments) + (7 if tally.late else 13))
    tally.doubt("the tokens around a reasoning model's answer vary")


def text_frame(tally: Tally) -> int:
    """What a reasoning model's text costs beside itself: the header of its message."""
    if tally.family is Family.O_SERIES:
        return 10
    return 3 if tally.late else 9


def count_legacy_completion(request: JSON, choices: Iterable[Mapping[str, JSON]], model: str) -> tuple[Count, Count]:
    """Prompt and completion tokens of `POST /v1/completions`; `choices` as in a response: text, finish_reason."""
    asked = mapping(request)
    most = asked.get("max_tokens", _LEGACY_MOST)
    tally = Tally(model)
    for choice in choices:
        cut = choice.get("finish_reason") == "length" and isinstance(most, int) and not asked.get("echo")
        tally.add(most if cut else tally.n(text(choice.get("text"))))
    return _count_input(asked.get("prompt"), model), tally.result()


def count_embeddings(request: JSON, model: str) -> Count:
    """Tokens of the `input` of `POST /v1/embeddings`: a text, texts, a list of tokens, or lists of tokens."""
    return _count_input(mapping(request).get("input"), model)


def _count_input(value: JSON, model: str) -> Count:
    tally = Tally(model)
    for item in value if isinstance(value, list) else [value]:
        match item:
            case str():
                tally.add(tally.n(item))
            case bool() | None:
                tally.doubt("an input is neither text nor tokens")
            case int():
                tally.add(1)
            case list():
                tally.add(len(item))
            case _:
                tally.doubt("an input is neither text nor tokens")
    return tally.result()
