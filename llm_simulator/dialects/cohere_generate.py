"""Cohere's first API, generate: POST /v1/generate, whole or as JSON lines. Only older clients use it.

Source: docs.cohere.com/v1/reference/generate and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects import estimate
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Turn
from llm_simulator.dialects.cohere_chat import DIALECT as V2
from llm_simulator.dialects.cohere_chat import headers_of
from llm_simulator.dialects.cohere_v1_write import text_of, word_of
from llm_simulator.dialects.cohere_write import escape
from llm_simulator.dialects.fields import Object, as_limit, as_list, as_object, as_text, dump, is_block
from llm_simulator.dialects.ids import marked, uuid
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.routes_cohere import COHERE_GENERATE
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.types import Call, Choice, Completion, Condition, Frame, RawRequest, Reply, Text, Usage

DEFAULT_MODEL = "command"

_RULES = (
    Rule("prompt", "string", required=True),
    Rule("model", "string"),
    Rule("num_generations", "integer"),
    Rule("max_tokens", "integer"),
    Rule("stream", "boolean"),
    Rule("stop_sequences", "array"),
    Rule("end_sequences", "array"),
)


class CohereGenerate(Plain):
    """POST /v1/generate."""

    name = "cohere_generate"
    provider = "cohere"
    api_version = "v1"
    features: frozenset[str] = frozenset(("completion", "streaming", "choices"))
    simulates: frozenset[str] = frozenset(("generate",))
    generates: frozenset[str] = frozenset(("generate",))
    routes: tuple[Route, ...] = COHERE_GENERATE

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider or raw.method != "POST" or raw.path.rstrip("/") != "/v1/generate":
            return None
        body, problem = json_object(raw)
        model, stream = text_field(body, "model") or DEFAULT_MODEL, wants_stream(body)
        return Call(provider, "cohere.generate", "generate", raw, model, stream, body, problem)

    def check(self, call: Call) -> Condition | None:
        if call.problem:
            why = call.problem.removeprefix("the body is not JSON: ")
            return _refusal("bad_json", f"invalid json syntax: {why}")
        fault = fault_in(call.body, _RULES)
        if fault and not fault.missing:
            words = f"invalid type: parameter {fault.dotted} is not of type {fault.kind}."
            return _refusal("invalid_type", words, fault.dotted)
        if fault or not call.body["prompt"]:
            return _refusal("missing_parameter", "invalid request: prompt must be at least 1 token long.", "prompt")
        return None

    def ask(self, call: Call) -> Ask:
        body = as_object(call.body)
        prompt, limit = as_text(body.get("prompt")), as_limit(body.get("max_tokens"))
        return Ask(
            (Turn("user", prompt),),
            estimate.cohere(call.model, estimate.measure([prompt], None, 1)),
            exact=False,
            max_tokens=limit,
            choices=as_limit(body.get("num_generations")) or 1,
            stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
            count=estimate.answer_of(call.model, limit),
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        prompt = as_text(as_object(call.body).get("prompt"))
        whole = _whole(completion, prompt)
        if call.stream:
            headers = (("content-type", "application/stream+json"), *headers_of(completion.id))
            return Reply(200, headers, _frames(completion, whole))
        counted = (("num_chars", str(len(call.raw.body))), ("num_tokens", str(completion.usage.total)))
        headers = (("content-type", "application/json"), *headers_of(completion.id), *counted)
        return Reply(200, headers, escape(dump({**whole, "meta": _meta(completion.usage)})))

    def respond(self, call: Call, desk: Desk) -> Reply:
        return V2.respond(call, desk)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return V2.refuse(condition, call)


def _whole(completion: Completion, prompt: str) -> Object:
    return {
        "id": marked(uuid(completion.id, "generate"), completion),
        "generations": [_spelled(completion, choice, place) for place, choice in enumerate(completion.choices)],
        "prompt": prompt,
    }


def _spelled(completion: Completion, choice: Choice, place: int) -> Object:
    text = text_of(choice)
    return {"id": uuid(completion.id, f"generation {place}"), "text": text, "finish_reason": word_of(choice)}


def _meta(usage: Usage) -> Object:
    billed = {"input_tokens": usage.prompt, "output_tokens": usage.completion}
    return {"api_version": {"version": "1"}, "billed_units": billed}


def _frames(completion: Completion, whole: Object) -> Iterator[Frame]:
    """A line a token with the number of its generation, then the whole."""
    token = 0
    for place, choice in enumerate(completion.choices):
        for part in choice.parts:
            for piece in part.tokens if isinstance(part, Text) and not is_block(part) else ():
                line = {"text": piece, "index": place, "is_finished": False, "event_type": "text-generation"}
                yield Frame(token, escape(dump(line)) + b"\n")
                token += 1
    word = word_of(completion.choices[0]) if completion.choices else "COMPLETE"
    end = {"is_finished": True, "event_type": "stream-end", "finish_reason": word, "response": whole}
    yield Frame(max(token - 1, 0), escape(dump(end)) + b"\n")


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, retry=False)


DIALECT = CohereGenerate()
