"""Anthropic's first API, text completions: POST /v1/complete, whole or as events with CRLF. Only older clients use it.

Source: the API reference of 2023 and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_simulator.dialects import estimate
from llm_simulator.dialects.anthropic_messages import DIALECT as MESSAGES
from llm_simulator.dialects.anthropic_messages import betas, headers_of
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Turn
from llm_simulator.dialects.fields import (
    Object,
    as_count,
    as_limit,
    as_list,
    as_object,
    as_text,
    dump,
    load,
    merged,
    quote,
    words,
)
from llm_simulator.dialects.ids import code, is_raw, marked, marked_model, recorded_at
from llm_simulator.dialects.reading import json_object, text_field, wants_stream
from llm_simulator.dialects.routes_anthropic import ANTHROPIC_COMPLETE
from llm_simulator.dialects.sse import events, is_stream
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.dialects.twins import with_stream
from llm_simulator.types import (
    Call,
    Choice,
    Completion,
    Condition,
    Finish,
    Frame,
    Headers,
    RawRequest,
    Reply,
    Text,
    Usage,
)

HUMAN = "\n\nHuman:"
"""What ends an answer where the request names no other end."""

_ASSISTANT = "\n\nAssistant:"
_PING = b'event: ping\r\ndata: {"type": "ping"}\r\n\r\n'
_PADS = (15, 9, 10, 13, 4, 5, 8, 11, 0, 6, 7, 3, 14, 2, 12, 1)
_RULES = (
    Rule("model", "string", required=True),
    Rule("prompt", "string", required=True),
    Rule("max_tokens_to_sample", "integer"),
    Rule("stop_sequences", "array"),
    Rule("stream", "boolean"),
)


class AnthropicComplete(Plain):
    """POST /v1/complete."""

    name = "anthropic_complete"
    provider = "anthropic"
    api_version = "2023-06-01"
    features: frozenset[str] = frozenset(("completion", "streaming"))
    simulates: frozenset[str] = frozenset(("complete",))
    generates: frozenset[str] = frozenset(("complete",))
    routes: tuple[Route, ...] = ANTHROPIC_COMPLETE

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if provider != self.provider or raw.method != "POST" or raw.path.rstrip("/") != "/v1/complete":
            return None
        body, problem = json_object(raw)
        model, stream = text_field(body, "model"), wants_stream(body)
        semantic = betas(raw.headers)
        return Call(provider, "anthropic.complete", "complete", raw, model, stream, body, problem, semantic)

    def check(self, call: Call) -> Condition | None:
        if call.problem:
            why = call.problem.removeprefix("the body is not JSON: ")
            return _refusal("bad_json", f"The request body is not valid JSON: {why}")
        fault = fault_in(call.body, _RULES)
        if not fault:
            return None
        wanted = {"array": "list"}.get(fault.kind, fault.kind)
        words = "Field required" if fault.missing else f"Input should be a valid {wanted}"
        name = "missing_parameter" if fault.missing else "invalid_type"
        return _refusal(name, f"{fault.dotted}: {words}", fault.dotted)

    def ask(self, call: Call) -> Ask:
        body = as_object(call.body)
        prompt = as_text(body.get("prompt"))
        return Ask(
            tuple(_turns(prompt)),
            estimate.anthropic(call.model, estimate.measure([prompt], None, 1), thinking=False, schema=False),
            exact=False,
            max_tokens=as_limit(body.get("max_tokens_to_sample")),
            stop=tuple(as_text(item) for item in as_list(body.get("stop_sequences")) if item),
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        choice = completion.choices[0] if completion.choices else Choice((), Finish.STOP)
        if call.stream:
            headers = headers_of(completion.id, "text/event-stream; charset=utf-8")
            return Reply(200, headers, _frames(completion, choice))
        text = "".join(_pieces(choice))
        return Reply(200, headers_of(completion.id), dump(_answer(completion, text, _ending(choice))))

    def respond(self, call: Call, desk: Desk) -> Reply:
        return MESSAGES.respond(call, desk)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return MESSAGES.refuse(condition, call)

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        return _parse(body, recorded_at(headers)) if status == 200 else None

    def twins(self, call: Call) -> tuple[Call, ...]:
        if call.problem or not isinstance(call.body, dict):
            return ()
        return tuple(with_stream(call, flag) for flag in ((None, False) if call.stream else (True,)))


def _turns(prompt: str) -> Iterator[Turn]:
    """The turns of a prompt: what stands before the first mark is for the system."""
    before, *rest = prompt.split(HUMAN)
    if before.strip():
        yield Turn("system", before.strip())
    for piece in rest:
        asked, *answers = piece.split(_ASSISTANT)
        yield Turn("user", asked.strip())
        yield from (Turn("assistant", answer.strip()) for answer in answers if answer.strip())


def _pieces(choice: Choice) -> Iterator[str]:
    """The text in pieces; an answer begins with the space after "Assistant:"."""
    tokens = [token for part in choice.parts if isinstance(part, Text) for token in part.tokens]
    for place, token in enumerate(tokens):
        yield f" {token}" if place == 0 and not choice.word and not token.startswith(" ") else token


def _ending(choice: Choice) -> Object:
    if choice.word or choice.finish is Finish.LENGTH:
        return {"stop_reason": choice.word or "max_tokens", "stop": choice.stop_sequence or None}
    return {"stop_reason": "stop_sequence", "stop": choice.stop_sequence or HUMAN}


def _answer(completion: Completion, text: str, ending: Object) -> Object:
    identity = completion.id if not is_raw(completion.id) else "compl_01" + code(completion.id, "completion", 22)
    identity = marked(identity, completion)
    return {
        "type": "completion",
        "id": identity,
        "completion": text,
        "stop_reason": ending["stop_reason"],
        "model": marked_model(completion.model, completion),
        "stop": ending["stop"],
        "log_id": identity,
    }


def _frames(completion: Completion, choice: Choice) -> Iterator[Frame]:
    """An event a token, then one with the end; a ping after the second."""
    around = dump(_answer(completion, "\x00", {"stop_reason": None, "stop": None}))
    before, _, after = around.partition(b'"\\u0000"')
    place = 0
    for place, piece in enumerate(_pieces(choice)):
        event = _event(before + quote(piece) + after, place)
        yield Frame(place, event + _PING if place == 1 else event)
    yield Frame(place, _event(dump(_answer(completion, "", _ending(choice))), place + 1))


def _event(data: bytes, place: int) -> bytes:
    """Padded with spaces before its last brace, as on the wire."""
    return b"event: completion\r\ndata: " + data[:-1] + b" " * _PADS[place & 15] + b"}\r\n\r\n"


def _parse(body: bytes, created: int) -> Completion | None:
    text = body.decode("utf-8", "replace")
    found = [as_object(load(data)) for _, data in events(text)] if is_stream(text) else [as_object(load(text))]
    found = [item for item in found if item.get("type") == "completion"]
    if not found:
        return None
    last = found[-1]
    pieces = [as_text(item.get("completion")) for item in found]
    tokens = merged(pieces) if len(pieces) > 1 else words(pieces[0])
    word, stop = as_text(last.get("stop_reason")), as_text(last.get("stop"))
    finish = Finish.LENGTH if word == "max_tokens" else Finish.STOP_SEQUENCE if stop != HUMAN else Finish.STOP
    choice = Choice((Text(tokens or ("",)),), finish, stop, word or "stop_sequence")
    usage = Usage(as_count(last.get("input_tokens")), as_count(last.get("output_tokens")))
    return Completion(as_text(last.get("id")), created, as_text(last.get("model")), (choice,), usage)


def _refusal(name: str, message: str, param: str | None = None) -> Condition:
    return Condition(name, 400, message, param, type="invalid_request_error", retry=False)


DIALECT = AnthropicComplete()
