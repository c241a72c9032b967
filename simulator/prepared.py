"""What all occurrences of one call have in common: the answer spelled, its lengths and counts, before it has times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llm_simulator.dialects.base import Ask
from llm_simulator.profiles import Profile
from llm_simulator.profiles.distributions import Distribution
from llm_simulator.profiles.picking import Picked
from llm_simulator.simulator.draws import FIRST, Draw, Lot, Stratified
from llm_simulator.simulator.generate import Exactly, Generated
from llm_simulator.types import Chunk, Completion, Finish, Frame, Headers, Part, Reply, ToolCall, Usage, header


@dataclass(slots=True)
class Prepared:
    """What all occurrences of one call have in common."""

    reply: Reply
    headers: Headers
    picked: Picked | None = None
    steps: int = 0  # token times
    tokens: int = 0  # what the frames of a stream are numbered by
    completion: Completion | None = None
    warnings: tuple[str, ...] = ()
    frames: Iterable[Frame] | None = None  # from the second occurrence on, shared by all
    hurried: tuple[Chunk, ...] | None = None  # the same as chunks that are due at once
    size: int = 0
    fresh: bool = True
    told: Usage | None = None  # by an answer that was not generated

    @property
    def usage(self) -> Usage | None:
        return self.completion.usage if self.completion else self.told


class Shared:
    """Frames that several streams read at their own pace, each made once."""

    __slots__ = ("_made", "_source")

    def __init__(self, source: Iterable[Frame] | bytes) -> None:
        assert not isinstance(source, bytes)
        self._source = iter(source)
        self._made: list[Frame] = []

    def __iter__(self) -> Iterator[Frame]:
        at = 0
        while True:
            if at == len(self._made):
                following = next(self._source, None)
                if following is None:
                    return
                self._made.append(following)
            yield self._made[at]
            at += 1


def length_for(profile: Profile, lot: Lot, draw: Draw = FIRST) -> Distribution:
    """Of the tokens of an answer. With traces it is that of the one which the times of this draw come from: the first
    occurrence's, where all occurrences get the same answer."""
    if profile.traces is None:
        return profile.length
    return Exactly(profile.length_of(Stratified(lot, draw, "latency")))


def usage_of(ask: Ask, made: Generated, profile: Profile) -> Usage:
    """Counts that are estimated follow the ratio that the profile was calibrated with, where it has one."""
    prompt, completion, ratio = ask.prompt_tokens, made.tokens, profile.usage_ratio
    if ratio is not None and not ask.exact:
        prompt = max(1, round(ratio.prompt * prompt))
    if ratio is not None and not made.exact and all(choice.finish is Finish.STOP for choice in made.choices):
        completion = max(1, round(ratio.completion * (completion - made.reasoning))) + made.reasoning
    return Usage(prompt, completion, reasoning=made.reasoning, exact=ask.exact and made.exact)


def lengths(completion: Completion) -> tuple[int, int]:
    """The pieces of the longest choice, by which the answer is paced, and those of all choices."""
    lengths = [sum(map(_pieces, choice.parts)) for choice in completion.choices]
    return max(lengths, default=0), sum(lengths)


def _pieces(part: Part) -> int:
    return len(part.arguments if isinstance(part, ToolCall) else part.tokens)


def with_length(reply: Reply) -> Headers:
    """With the length of a whole body, where the dialect does not give it."""
    if not isinstance(reply.body, bytes) or header(reply.headers, "content-length"):
        return reply.headers
    return (*reply.headers, ("content-length", str(len(reply.body))))


def at_due(body: bytes | Iterable[Frame], due: float = 0.0) -> tuple[Chunk, ...]:
    return (Chunk(due, body),) if isinstance(body, bytes) else tuple(Chunk(due, frame.data) for frame in body)
