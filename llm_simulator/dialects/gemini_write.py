"""Spells a completion as Gemini and Vertex AI do: one indented object, and the pieces that a stream is made of."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass

from llm_simulator.dialects import logprobs
from llm_simulator.dialects.fields import Object, as_object, is_block, is_integer, load, objects
from llm_simulator.dialects.gemini_fields import Form, dumped, finish_value, pick
from llm_simulator.dialects.gemini_manner import Manner, dressed
from llm_simulator.dialects.gemini_parse import TOP
from llm_simulator.dialects.gemini_sources import runs_code
from llm_simulator.dialects.ids import BASE36, code, digest, is_raw, marked, marked_model, rfc3339
from llm_simulator.types import JSON, Choice, Completion, Finish, Part, Reasoning, Text, ToolCall, Usage

TOOL_TOKENS = 60
"""About what the code of a run and its output are, in tokens."""

_MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")


def _likely(entry: Object) -> Object:
    token = str(entry["token"])
    return {"token": token, "tokenId": logprobs.token_id(token), "logProbability": entry["logprob"]}


def word_of(choice: Choice) -> str:
    """The finish reason: the recorded word, or the one that our finish is called by (a tool call is a plain STOP)."""
    if choice.word:
        return choice.word
    match choice.finish:
        case Finish.STOP | Finish.STOP_SEQUENCE | Finish.TOOL_CALLS:
            return "STOP"
        case Finish.LENGTH:
            return "MAX_TOKENS"
        case Finish.CONTENT_FILTER:
            return "SAFETY"


def body(completion: Completion, form: Form, manner: Manner) -> bytes:
    completion = dressed(completion, manner)
    spelling = Spelling(completion, form, manner)
    candidates = [spelling.candidate(place, choice) for place, choice in enumerate(completion.choices)]
    # Where enums are asked for as numbers another front end answers, and it writes no newline at the end.
    return dumped(spelling.answer(candidates, spelling.last_usage()), indent=True) + (b"" if form.numbers else b"\n")


def response_id(completion: Completion) -> str:
    """A response id: the second it was made in (32 bits, little-endian) and 13 bytes more, in base64."""
    moment = completion.created.to_bytes(8, "little", signed=True)[:4]
    return urlsafe_b64encode(moment + digest(completion.id, "response", 13)).rstrip(b"=").decode()


def visible(usage: Usage) -> int:
    """Tokens of the answer without its thinking."""
    return max(0, usage.completion - usage.reasoning)


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the parts of one answer are spelled for one client."""

    completion: Completion
    form: Form
    manner: Manner

    def answer(self, candidates: list[Object], usage: JSON) -> Object:
        """The object around candidates and usage. A blocked prompt has no candidates."""
        completion = self.completion
        first = as_object(completion.choices[0].extra) if completion.choices else {}
        top = {name: first[name] for name in TOP if name in first}
        if self.manner.vertex:
            top.setdefault("createTime", self.created())
        shown = {"candidates": candidates} if candidates and "promptFeedback" not in top else {}
        identity = completion.id if not is_raw(completion.id) else response_id(completion)
        identity = marked(identity, completion)
        model = marked_model(self.manner.model or completion.model.removeprefix("models/"), completion)
        return {**shown, "usageMetadata": usage, "modelVersion": model, **top, "responseId": identity}

    def created(self) -> str:
        """The creation time with microseconds, which are part of the id's raw material."""
        micros = int.from_bytes(digest(self.completion.id, "created", 4), "big") % 1_000_000
        return f"{rfc3339(self.completion.created)[:-1]}.{micros:06}Z"

    def candidate(self, place: int, choice: Choice) -> Object:
        shown = (part for part in choice.parts if self.shows(part))
        parts = [self.part(part, number) for number, part in enumerate(shown)]
        likely = self.likelihood(place) | self.logprobs(place, choice) if parts else {}
        return self.around(parts, self.ending(choice) | self.index(place, choice) | likely | self.extra(choice))

    def shows(self, part: Part) -> bool:
        """Thought is shown only to those who asked for it."""
        return self.manner.shown or not isinstance(part, Reasoning)

    def likelihood(self, place: int) -> Object:
        """The mean log probability of a token, which whole answers of Vertex and of earlier models tell."""
        if not self.manner.generated or not (self.manner.vertex or self.manner.first):
            return {}
        drawn = int.from_bytes(digest(self.completion.id, f"likelihood {place}", 6), "big") / 2**48
        return {"avgLogprobs": -0.02 - drawn * 0.4}

    def logprobs(self, place: int, choice: Choice) -> Object:
        """Each token's log probability, and the most probable ones in its place, for those who ask (`LogprobsResult`)."""
        config = as_object(pick(self.manner.body, "generationConfig"))
        if not self.manner.generated or pick(config, "responseLogprobs") is not True:
            return {}
        top = pick(config, "logprobs")
        texts = (part for part in choice.parts if isinstance(part, Text) and not is_block(part))
        seed, pieces = f"{self.completion.id} {place}", [token for text in texts for token in text.tokens]
        found = logprobs.entries(pieces, seed, top if is_integer(top) else 0)
        tops = [{"candidates": [_likely(each) for each in objects(entry["top_logprobs"])]} for entry in found]
        chosen = [_likely(entry) for entry in found]
        return {"logprobsResult": {**({"topCandidates": tops} if top else {}), "chosenCandidates": chosen}}

    def around(self, parts: list[Object], ending: Object) -> Object:
        """A candidate: content, then how it ended. Vertex puts the role first."""
        if self.manner.vertex:
            return {"content": {"role": "model", "parts": parts} if parts else {"role": "model"}, **ending}
        return {"content": {"parts": parts, "role": "model"} if parts else {"role": "model"}, **ending}

    def index(self, place: int, choice: Choice) -> Object:
        """The candidate's number as recorded; Vertex and models before 2.5 leave out a 0."""
        if self.completion.usage.raw is not None:
            return {"index": place} if "index" in as_object(choice.extra) else {}
        return {} if (self.manner.vertex or self.manner.first) and not place else {"index": place}

    def ending(self, choice: Choice) -> Object:
        """The finish reason; an answer that was recorded without one keeps none."""
        if not choice.word and self.completion.usage.raw is not None:
            return {}
        return {"finishReason": finish_value(word_of(choice), self.form.numbers)}

    def extra(self, choice: Choice) -> Object:
        """Further fields of a candidate: the recorded ones, or what goes with a function call on Gemini."""
        own = {name: value for name, value in as_object(choice.extra).items() if name not in (*TOP, "index")}
        second = not (self.manner.vertex or self.manner.first or (self.manner.third and self.form.stream))
        if self.manner.generated and second and choice.finish is Finish.TOOL_CALLS:
            return {**own, "finishMessage": "Model generated function call(s)."}
        return own

    def part(self, part: Part, place: int) -> Object:
        match part:
            case Text() if is_block(part):
                return as_object(part.extra)
            case Text():
                return {"text": "".join(part.tokens), **as_object(part.extra)}
            case Reasoning():
                signed = {"thoughtSignature": part.signature} if part.signature else {}
                return {"text": "".join(part.tokens), "thought": True, **signed}
            case ToolCall():
                arguments = as_object(load("".join(part.arguments)))
                call = {"name": part.name, "args": arguments, **self.call_id(part, place)}
                return {"functionCall": call, **as_object(part.extra)}

    def call_id(self, call: ToolCall, place: int) -> Object:
        """Gemini 3 and later give their calls ids of eight characters, earlier ones none."""
        if not is_raw(call.id):
            return {"id": call.id}
        named = call.id and self.manner.third
        return {"id": code(call.id, f"call {place}", 8, BASE36)} if named else {}

    def usage(self, candidates: JSON, total: JSON, thoughts: int, *, last: bool = False) -> Object:
        """Counts beside the text so far; what is 0 is left out."""
        usage, manner = self.completion.usage, self.manner
        counts = (("TEXT", usage.prompt - sum(count for _, count in manner.media)), *manner.media)
        traffic: Object = {"trafficType": 1 if self.form.numbers else "ON_DEMAND"} if manner.vertex else {}
        kept = usage.cached or manner.cached
        cached: Object = {"cachedContentTokenCount": kept} if kept else {}
        cache: Object = {"cacheTokensDetails": [self.modality("TEXT", manner.cached)]} if manner.cached else {}
        detailed = last and candidates and (manner.vertex or manner.first)
        ran = self.tool_tokens() if last else 0
        used: Object = {"toolUsePromptTokenCount": ran, "toolUsePromptTokensDetails": [self.modality("TEXT", ran)]}
        return {
            "promptTokenCount": usage.prompt,
            **({"candidatesTokenCount": candidates} if candidates else {}),
            "totalTokenCount": total + ran if ran else total,
            **cached,
            **traffic,
            "promptTokensDetails": [self.modality(kind, count) for kind, count in counts],
            **cache,
            **({"candidatesTokensDetails": [self.modality("TEXT", candidates)]} if detailed else {}),
            **(used if ran else {}),
            **({"thoughtsTokenCount": thoughts} if thoughts else {}),
            **({} if manner.vertex else {"serviceTier": "standard"}),
        }

    def tool_tokens(self) -> int:
        """What running code costs: the prompt once more, with the code and its output. Nothing is counted here anew."""
        ran = any(runs_code(choice) for choice in self.completion.choices) and self.manner.generated
        return self.completion.usage.prompt + TOOL_TOKENS if ran else 0

    def modality(self, kind: str, count: JSON) -> Object:
        return {"modality": _MODALITIES.index(kind) if self.form.numbers else kind, "tokenCount": count}

    def last_usage(self) -> Object:
        usage = self.completion.usage
        if usage.raw is not None:
            return as_object(usage.raw)
        return self.usage(visible(usage), usage.total, usage.reasoning, last=True)
