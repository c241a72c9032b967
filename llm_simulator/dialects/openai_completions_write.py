"""How legacy completions are spelled, whole and streamed.

Source: OpenAI API reference (completion object), and recorded traffic for key order: a chunk names the model last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from json.encoder import encode_basestring

from llm_simulator import tokens
from llm_simulator.dialects import jsonstyle, logprobs
from llm_simulator.dialects.fields import Object, as_list, as_object, is_integer, objects, spelled
from llm_simulator.dialects.host_forms import reordered
from llm_simulator.dialects.hosts import ALPHANUMERIC, name_of
from llm_simulator.dialects.ids import code, marked, marked_model
from llm_simulator.dialects.openai_wire import CONTENT_FILTER, is_recorded, prompt_filter, served
from llm_simulator.dialects.sse import DONE
from llm_simulator.types import JSON, Call, Choice, Completion, Finish, Frame, Text, Usage

_SNAPSHOTS = {"davinci-002": "davinci:2023-07-21-v2", "babbage-002": "babbage:2023-07-21-v2"}
_MARK = "\0piece\0"
_MARKED = encode_basestring(_MARK)
_MOST_LIKELY = 5  # the most log-probabilities that a request may ask for


def served_by(call: Call) -> str:
    """The snapshot that answers: davinci-002 is davinci:2023-07-21-v2 (recorded in 2026; babbage by its likeness)."""
    if call.provider == "azure":
        return call.model
    return _SNAPSHOTS.get(call.model) or served(call) or call.model


def body(completion: Completion, call: Call, echoed: Sequence[str]) -> Object:
    """The whole answer; `echoed` stands before the text of each choice."""
    choices, odds = zip(completion.choices, echoed, strict=True), _odds(completion, call)
    made: Object = {
        "id": _identity(completion),
        "object": "text_completion",
        "created": completion.created,
        "model": _model(completion, call),
        "choices": [
            _choice(choice, index, before, list(_tokens(before, call)), odds)
            for index, (choice, before) in enumerate(choices)
        ],
        "usage": usage_object(completion.usage),
        **_extra(completion.choices[0] if completion.choices else None, "top"),
    }
    if call.provider == "azure":
        made.setdefault("prompt_filter_results", prompt_filter())
    return _dressed(made, name_of(call.provider, call.raw.host))


def _dressed(made: Object, host: str) -> Object:
    """What other hosts spell otherwise, as recorded: key order, where a choice stopped, Together's name of the object."""
    match host:
        case "azure":
            filtered = [{**choice, "content_filter_results": CONTENT_FILTER} for choice in objects(made["choices"])]
            return as_object(jsonstyle.ordered({**made, "choices": filtered}))
        case "vllm":
            orders = (
                ("index", "text", "logprobs", "finish_reason"),
                ("prompt_tokens", "total_tokens", "completion_tokens"),
            )
            choices = [{"stop_reason": None, **choice} for choice in objects(as_list(made["choices"]))]
            spelled = {"usage": None, **made, "choices": [reordered(choice, *orders[0]) for choice in choices]}
            if made.get("usage"):
                spelled["usage"] = reordered(as_object(made["usage"]), *orders[1])
            return reordered(spelled, "id", "object", "created", "model", "choices", "usage")
        case "together":
            order = ("text", "finish_reason", "logprobs", "index")
            choices = [reordered(choice, *order) for choice in objects(as_list(made["choices"]))]
            spelled = {"prompt": [], **made, "object": "text.completion", "choices": choices}
            return reordered(spelled, "id", "object", "created", "model", "prompt", "choices", "usage")
        case _:
            return made


def _identity(completion: Completion) -> str:
    if is_recorded(completion):
        return completion.id
    return marked("cmpl-" + code(completion.id, "completion", 29, ALPHANUMERIC), completion)


def _model(completion: Completion, call: Call) -> str:
    return completion.model if is_recorded(completion) else marked_model(served_by(call), completion)


def _extra(choice: Choice | None, part: str) -> Object:
    """What else a recording held: of the "choice", or (at the first one) of the "top" object."""
    return as_object(as_object(choice.extra).get(part)) if choice else {}


def _choice(choice: Choice, index: int, before: str, prompt: list[str], odds: _Odds) -> Object:
    """`prompt` are the tokens of what stands `before` the text."""
    pieces = _pieces(choice)
    return {
        "text": before + "".join(pieces),
        "index": index,
        "logprobs": odds.told([*prompt, *pieces], first=bool(prompt)),
        "finish_reason": _word(choice),
        **_extra(choice, "choice"),
    }


def _tokens(before: str, call: Call) -> Sequence[str]:
    return tokens.split(before, call.model) if before else ()


def _pieces(choice: Choice) -> list[str]:
    return list(chain.from_iterable(part.tokens for part in choice.parts if isinstance(part, Text)))


def _word(choice: Choice) -> str:
    return choice.word or ("length" if choice.finish is Finish.LENGTH else "stop")


def usage_object(usage: Usage) -> Object:
    """The counts; those of a recording as they stand."""
    if usage.raw:
        return as_object(usage.raw)
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}


@dataclass(frozen=True, slots=True)
class _Odds:
    """How likely the tokens of an answer were: `most` alternatives stand beside each, None where nobody asks."""

    seed: str
    most: int | None

    def told(self, pieces: Sequence[str], place: int = 0, offset: int = 0, *, first: bool = False) -> Object | None:
        """Of pieces that begin at token `place` and character `offset`; `first`: the prompt's, whose first one has none."""
        if self.most is None:
            return None
        each = [logprobs.entry(piece, self.seed, place + n, self.most) for n, piece in enumerate(pieces)]
        likely: list[JSON] = [one["logprob"] for one in each]
        top: list[JSON] = [{other["token"]: other["logprob"] for other in one["top_logprobs"]} for one in each]
        if first and pieces:
            likely[0], top[0] = None, None
        starts = list(accumulate(map(len, pieces), initial=offset))[:-1]
        return {
            "tokens": list(pieces),
            "token_logprobs": likely,
            "top_logprobs": top,
            "text_offset": starts,
        }


def _odds(completion: Completion, call: Call) -> _Odds:
    asked: JSON = as_object(call.body).get("logprobs")
    return _Odds(completion.id, min(asked, _MOST_LIKELY) if is_integer(asked) else None)


def frames(completion: Completion, call: Call, echoed: Sequence[str]) -> Iterator[Frame]:
    """The chunks, one a token, `[DONE]` last. Several choices take turns. A cut text ends with its last token's chunk."""
    options = as_object(as_object(call.body).get("stream_options"))
    with_usage, odds = options.get("include_usage") is True, _odds(completion, call)
    head: Object = {"id": _identity(completion), "object": "text_completion", "created": completion.created}
    tail: Object = {"model": _model(completion, call)}
    tail |= {"usage": None} if with_usage else {}
    living = [
        _Chunks(index, head, tail, name_of(call.provider, call.raw.host)).run(
            choice, before, _tokens(before, call), odds
        )
        for index, (choice, before) in enumerate(zip(completion.choices, echoed, strict=True))
    ]
    token = 0
    while living:
        for chunks in tuple(living):
            made = next(chunks, None)
            if made is None:
                living.remove(chunks)
                continue
            data, counts = made
            yield Frame(token if counts else max(token - 1, 0), data)
            token += counts
    last = max(token - 1, 0)
    if with_usage:
        usage = {**head, "choices": [], **tail, "usage": usage_object(completion.usage)}
        yield Frame(last, _line(usage))
    yield Frame(last, DONE)


def _line(chunk: Object) -> bytes:
    return f"data: {spelled(chunk)}\n\n".encode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class _Chunks:
    """What the chunks of one choice share."""

    index: int
    head: Object
    tail: Object
    host: str

    def chunk(self, text: str, told: JSON, word: str | None) -> Object:
        choice: Object = {"text": text, "index": self.index, "logprobs": told, "finish_reason": word}
        return _dressed({**self.head, "choices": [choice], **self.tail}, self.host)

    def run(self, choice: Choice, before: str, prompt: Sequence[str], odds: _Odds) -> Iterator[tuple[bytes, bool]]:
        """(chunk, whether it is a token). What is echoed comes first, in one chunk."""
        word, pieces = _word(choice), _pieces(choice)
        last = max(len(pieces) - 1, 0) if word == "length" else len(pieces)
        place, offset = len(prompt), len(before)
        if before:
            yield _line(self.chunk(before, odds.told(prompt, first=True), None)), False
        start, _, end = spelled(self.chunk(_MARK, None, None)).partition(_MARKED)
        for piece in pieces[:last]:
            if odds.most is None:
                yield f"data: {start}{encode_basestring(piece)}{end}\n\n".encode("utf-8", "backslashreplace"), True
            else:
                yield _line(self.chunk(piece, odds.told([piece], place, offset), None)), True
            place, offset = place + 1, offset + len(piece)
        final = pieces[last] if last < len(pieces) else ""
        chunk = self.chunk(final, odds.told([final], place, offset) if final else None, word)
        as_object(chunk["choices"][0]).update(_extra(choice, "choice"))
        yield _line({**chunk, **(_extra(choice, "top") if self.index == 0 else {})}), bool(final)
