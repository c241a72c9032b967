"""OpenAI's legacy completions, Azure's deployments of them, and compatible hosts that serve them.

Source: OpenAI API reference (create completion), and recorded traffic for key order, layout and headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llm_simulator import tokens
from llm_simulator.dialects import (
    azure_chat,
    host_headers,
    hosts,
    openai_chat,
    openai_completions_parse,
    openai_completions_write,
    openai_headers,
)
from llm_simulator.dialects.base import Ask, Plain, Route, Turn
from llm_simulator.dialects.fields import Object, as_list, as_object, is_integer
from llm_simulator.dialects.openai_completions_write import served_by
from llm_simulator.dialects.openai_words import BAD_JSON, method_not_allowed, refusal, worded
from llm_simulator.dialects.reading import json_object, semantic, text_field, wants_stream
from llm_simulator.dialects.routes_openai import AZURE_COMPLETIONS, OPENAI_COMPLETIONS
from llm_simulator.dialects.structure import Fault, Rule, fault_in
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import JSON, Call, Completion, Condition, Headers, RawRequest, Reply, Usage

FAMILY = "openai.completions"
CREATE = "completions.create"
_PATH = re.compile(r"(?:|.*/v\d\w*|/beta|.*/openai|.*/deployments/(?P<deployment>[^/]+))/completions/?")
_OTHERS = ("writer", "anthropic", "gemini", "vertex", "cohere")  # have a format of their own at such a path
_MOST_TOKENS = 16  # where the request does not say
MOST_CHOICES = 128
_REQUESTS, _TOKENS = 3_000, 250_000  # a minute: what recorded headers of these models show

_BODY = (
    Rule("prompt", "string|array"),
    Rule("max_tokens", "integer"),
    Rule("n", "integer"),
    Rule("best_of", "integer"),
    Rule("echo", "boolean"),
    Rule("logprobs", "integer"),
    Rule("suffix", "string"),
    Rule("stop", "string|array"),
    Rule("stream", "boolean"),
    Rule("stream_options", "object"),
    Rule("temperature", "number"),
    Rule("top_p", "number"),
    Rule("frequency_penalty", "number"),
    Rule("presence_penalty", "number"),
    Rule("logit_bias", "object"),
    Rule("seed", "integer"),
    Rule("user", "string"),
)


class OpenAICompletions(Plain):
    """POST .../completions."""

    name = "openai_completions"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("completions", "streaming", "choices", "logprobs"))
    simulates: frozenset[str] = frozenset((CREATE,))
    generates: frozenset[str] = frozenset((CREATE,))
    routes: tuple[Route, ...] = OPENAI_COMPLETIONS

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path)
        if match is None or provider in _OTHERS:
            return None
        beta = semantic(raw.headers, ("openai-beta",))
        if raw.method != "POST":
            return Call(provider, FAMILY, "unknown", raw, semantic=beta)
        body, problem = json_object(raw)
        model = azure_chat.deployment(raw.path) or text_field(body, "model")
        return Call(provider, FAMILY, CREATE, raw, model, wants_stream(body), body, problem, beta)

    def check(self, call: Call) -> Condition | None:
        if call.operation != CREATE:
            return method_not_allowed(call)
        if call.problem:
            return refusal("bad_json", BAD_JSON, extra={"problem": call.problem})
        if not call.model:
            return _no_model(as_object(call.body).get("model"))
        fault = fault_in(call.body, _BODY)
        return worded(fault) if fault else _bad_prompt(as_object(call.body).get("prompt"))

    def ask(self, call: Call) -> Ask:
        body, warnings = as_object(call.body), list[str]()
        given = prompts(body, call.model)
        read, _ = tokens.count_legacy_completion(body, (), call.model)
        asked = _choices(body, warnings)
        if len(given) * asked > MOST_CHOICES:
            warnings.append(f"prompt: {len(given)} prompts with {asked} choices each; {MOST_CHOICES} choices made")
        return Ask(
            turns=tuple(Turn("user", text) for text in given[-1:]),
            prompt_tokens=read.tokens,
            exact=read.exact,
            max_tokens=_limit(body, warnings),
            choices=min(len(given) * asked, MOST_CHOICES),
            stop=_stop(body),
            warnings=tuple(warnings),
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        echoed = list(_echoes(as_object(call.body), call.model, len(completion.choices)))
        headers = self.success(completion, call)
        if call.stream:
            return Reply(200, headers, openai_completions_write.frames(completion, call, echoed))
        body = openai_completions_write.body(completion, call, echoed)
        return Reply(200, headers, hosts.wire_of(call.provider, call.raw.host).whole(body))

    def success(self, completion: Completion, call: Call) -> Headers:
        """The usual headers of a 200."""
        host, seed = hosts.name_of(call.provider, call.raw.host), completion.id
        if host != "openai":
            return host_headers.of_success(host, seed, completion.usage, stream=call.stream)
        return (
            *(openai_headers.SSE_TYPE if call.stream else openai_headers.JSON_TYPE),
            *openai_headers.own(seed, exposed="X-Request-ID"),
            ("openai-model", served_by(call)),
            *openai_headers.limits(completion.usage.total, requests=_REQUESTS, tokens=_TOKENS),
            ("cache-control", "no-cache, must-revalidate"),
            ("access-control-allow-origin", "*"),
            ("via", openai_headers.router(seed)),
            ("x-openai-proxy-wasm", "v0.1"),
            *openai_headers.edge(seed),
        )

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_chat.DIALECT.refuse(condition, call)

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        return openai_completions_parse.parse(body, call.model) if status == 200 else None

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        return openai_completions_parse.usage_in(body) if status == 200 else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.operation != CREATE or call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((None, False) if call.stream else (True,)))


class AzureCompletions(OpenAICompletions):
    """/openai/deployments/{deployment}/completions and /openai/v1/completions."""

    name = "azure_completions"
    provider = "azure"
    api_version = "2024-10-21"
    routes: tuple[Route, ...] = AZURE_COMPLETIONS

    def success(self, completion: Completion, call: Call) -> Headers:
        return azure_chat.DIALECT.success(completion, call)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return azure_chat.DIALECT.refuse(condition, call)


def _no_model(given: JSON) -> Condition:
    if given is None or given == "":
        return refusal("missing_model", "you must provide a model parameter")
    return worded(Fault(("model",), "string", given))


def _bad_prompt(prompt: JSON) -> Condition | None:
    """A prompt is a text, texts, tokens, or lists of tokens: never a mixture, never none."""
    if prompt is None or isinstance(prompt, str):
        return None
    kinds = {type(item) for item in as_list(prompt)}
    fine = kinds in ({str}, {int}) or (kinds == {list} and all(is_integer(n) for item in prompt for n in item))
    if fine:
        return None
    return refusal("invalid_prompt", f"Invalid value for 'prompt': {_described(prompt)}.", "prompt", "invalid_value")


def _described(prompt: JSON) -> str:
    wanted = "expected a string, an array of strings, an array of integers or an array of arrays of integers"
    return f"{wanted}, but got an empty array instead" if not prompt else f"{wanted}, but got a mixture instead"


def prompts(body: Object, model: str) -> list[str]:
    """The prompts as texts; a request without any continues the end of a text."""
    prompt = body.get("prompt")
    if prompt is None or isinstance(prompt, str):
        return [prompt or ""]
    items = as_list(prompt)
    if all(is_integer(item) for item in items):
        return [_decoded(items, model)]
    return [item if isinstance(item, str) else _decoded(as_list(item), model) for item in items]


def _decoded(numbers: list[int], model: str) -> str:
    """The text of tokens; those that the model's encoding does not have are left out."""
    try:
        return tokens.decode(numbers, model)
    except (KeyError, OverflowError):
        return "".join(_decoded([number], model) for number in numbers) if len(numbers) > 1 else ""


def _choices(body: Object, warnings: list[str]) -> int:
    asked: JSON = body.get("n")
    if not is_integer(asked):
        return 1
    taken: int = min(max(asked, 1), MOST_CHOICES)
    if taken != asked:
        warnings.append(f"n: {asked} is outside of 1 to {MOST_CHOICES}; {taken} taken")
    return taken


def _limit(body: Object, warnings: list[str]) -> int:
    asked: JSON = body.get("max_tokens")
    if asked is None:
        return _MOST_TOKENS
    if asked < 1:
        warnings.append(f"max_tokens: {asked} is below the minimum of 1; {_MOST_TOKENS} taken")
        return _MOST_TOKENS
    return int(asked)


def _stop(body: Object) -> tuple[str, ...]:
    given = body.get("stop")
    stops = [given] if isinstance(given, str) else as_list(given)
    return tuple(text for text in stops if isinstance(text, str) and text)


def _echoes(body: Object, model: str, choices: int) -> Iterator[str]:
    """What is put before the text of each choice: with `echo` its prompt."""
    if body.get("echo") is not True:
        yield from ("" for _ in range(choices))
        return
    given = prompts(body, model)
    each = max(choices // len(given), 1)
    yield from (given[min(place // each, len(given) - 1)] for place in range(choices))


DIALECT = OpenAICompletions()
AZURE = AzureCompletions()
