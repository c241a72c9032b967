"""The engine: a call in, the answer out. Nothing depends on the order of calls, the worker or the clock.

What it says is a function of (seed, scenario, call); when it says it, of the attempt and the occurrence besides.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from llm_simulator.dialects import limits
from llm_simulator.dialects.base import Desk, Dialect, Shelf, Talk
from llm_simulator.errors import SimulatorError
from llm_simulator.profiles import Profile, pick
from llm_simulator.simulator.draws import FIRST, Draw, Lot, Stratified
from llm_simulator.simulator.generate import PLAIN, Style, generate
from llm_simulator.simulator.rng import keyed
from llm_simulator.simulator.schedule import paced
from llm_simulator.simulator.shelf import MemoryShelf
from llm_simulator.types import (
    Answer,
    Call,
    Chunk,
    Completion,
    Condition,
    Frame,
    Headers,
    Part,
    RawRequest,
    Reply,
    Source,
    ToolCall,
    Usage,
    header,
)

__all__ = ["Draw", "Engine", "Place", "Simulated", "runs_nothing"]

CREATED_BASE = 1_767_225_600  # 2026-01-01T00:00:00Z
CREATED_SPAN = 180 * 86_400
"""`created` lies within so many seconds after the base: a function of the call, never of the clock."""
KEPT_CALLS = 4096
KEPT_BYTES = 16 << 20
_COUNTED = ("openai", "azure")  # whose tokenizers are known
SHARED_TOKENS = 2000
"""Streams of more tokens are spelled anew for each client instead of being kept."""
_CALL_BYTES, _PIECE_BYTES, _FRAME_BYTES, _CHUNK_BYTES = 2000, 8, 300, 72  # kept of a call, a token, a frame, a chunk


@dataclass(frozen=True, slots=True)
class Simulated:
    """An answer of the engine; `ttft` and `total` are virtual seconds, known before a byte is sent.

    `usage`, `completion` and `profile` are empty for operations that generate nothing (lists of models).
    """

    answer: Answer
    ttft: float
    total: float
    usage: Usage | None = None
    profile: str = ""
    warnings: tuple[str, ...] = ()
    completion: Completion | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What is around a call: what its session left behind, how an inner request is answered, how its client reaches us."""

    shelf: Shelf
    run: Callable[[RawRequest], Reply]
    base_url: str = ""


def runs_nothing(raw: RawRequest) -> Reply:
    """The `run` of a place without a server around it, and of an inner request: a batch does not run batches."""
    raise SimulatorError(f"{raw.method} {raw.path}: an inner request cannot be answered here")


@dataclass(slots=True)
class _Prepared:
    """What all occurrences of one call have in common."""

    reply: Reply
    headers: Headers
    profile: Profile | None = None
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


class Engine:
    """Answers calls. What it keeps of earlier calls is bounded and only saves work: answers are the same without."""

    def __init__(
        self,
        seed: int,
        scenario: str = "default",
        *,
        created_base: int = CREATED_BASE,
        style: Style = PLAIN,
        labelled: bool = False,
    ) -> None:
        self._seed = seed
        self._scenario = scenario
        self._created_base = created_base
        self._style = style
        self._labelled = labelled
        self._kept: OrderedDict[tuple[object, ...], _Prepared] = OrderedDict()
        self._kept_bytes = 0
        self._place = Place(MemoryShelf(), runs_nothing)

    def complete(self, call: Call, dialect: Dialect, identity: bytes) -> Completion:
        """What the model says to a chat call that `dialect.check` passed."""
        return self._complete(call, dialect, identity)[0]

    def simulate(
        self,
        call: Call,
        dialect: Dialect,
        identity: bytes,
        draw: Draw = FIRST,
        *,
        profile: Profile | None = None,
        at_once: bool = False,
        place: Place | None = None,
    ) -> Simulated:
        """The whole answer with its times; `profile` replaces the one picked by provider and model.

        `at_once`: all chunks are due at 0, for a wire that would not wait anyway; `ttft` and `total` are the same.
        """
        if call.operation in dialect.stateful:
            prepared = self._stateful(call, dialect, identity, draw, place or self._place)
        else:
            prepared = self._prepared(call, dialect, identity, place or self._place)
        timed = profile or prepared.profile
        body = prepared.reply.body
        if timed is None:
            ttft = total = 0.0
            chunks: Iterable[Chunk] = _at_once(body)
        else:
            chance = Stratified(Lot(self._seed, self._scenario, identity), draw, "latency")
            if isinstance(body, bytes):
                ttft, total = timed.outline(prepared.steps, chance)
                chunks = (Chunk(total, body),)
            elif at_once:
                ttft, total = timed.outline(prepared.steps, chance)
                chunks = self._hurried(prepared, call, dialect)
            else:
                timings = timed.generate_streaming_timings(prepared.steps, chance)
                ttft, total = timings.ttft, timings.total
                chunks = paced(self._frames(prepared, call, dialect), timings, prepared.tokens)
        return Simulated(
            Answer(prepared.reply.status, prepared.headers, chunks, source=Source.SIMULATOR),
            ttft,
            total,
            prepared.usage,
            timed.name if timed else "",
            prepared.warnings,
            prepared.completion,
        )

    def talk(self, call: Call, dialect: Dialect, identity: bytes, place: Place) -> Talk:
        """The conversation that a WebSocket handshake opens."""
        return dialect.talk(call, self._desk(self._seed_of(identity), identity, place))

    def _complete(self, call: Call, dialect: Dialect, identity: bytes) -> tuple[Completion, tuple[str, ...]]:
        ask = limits.within(dialect.ask(call), call)
        lot = Lot(self._seed, self._scenario, identity)
        length = pick(call.provider, call.model, call.family).length
        made = generate(ask, call.model, lot, length, self._style)
        completion = Completion(
            id=self._seed_of(identity).hex(),
            created=self._created(identity),
            model=call.model,
            choices=made.choices,
            usage=Usage(ask.prompt_tokens, made.tokens, reasoning=made.reasoning, exact=ask.exact and made.exact),
            fingerprint=f"{keyed(self._seed, 'fingerprint', call.model):016x}"[:10],
            labelled=self._labelled,
        )
        return completion, (*ask.warnings, *made.warnings)

    def _seed_of(self, identity: bytes, *more: int) -> bytes:
        """16 bytes that ids are made from."""
        halves = (keyed(self._seed, self._scenario, identity, "id", half, *more) for half in range(2))
        return b"".join(half.to_bytes(8, "big") for half in halves)

    def _created(self, identity: bytes) -> int:
        return self._created_base + keyed(self._seed, self._scenario, identity, "created") % CREATED_SPAN

    def _prepared(self, call: Call, dialect: Dialect, identity: bytes, place: Place) -> _Prepared:
        # The identity leaves out what the match rules ignore; the dialect may echo it, so the bytes count here, too.
        key = (identity, call.provider, call.family, call.raw.target, call.raw.body)
        prepared = self._kept.get(key)
        if prepared is not None:
            self._kept.move_to_end(key)
            prepared.fresh = False
            return prepared
        prepared = self._prepare(call, dialect, identity, place)
        self._keep(key, prepared, len(call.raw.body))
        return prepared

    def _prepare(self, call: Call, dialect: Dialect, identity: bytes, place: Place) -> _Prepared:
        if call.operation not in dialect.generates:
            desk = self._desk(self._seed_of(identity), identity, place)
            return _responded(dialect.respond(call, desk), call, dialect)
        return self._generated(call, call, dialect, identity)

    def _generated(self, call: Call, asked: Call, dialect: Dialect, identity: bytes) -> _Prepared:
        """`asked` is the call with what it refers to filled in."""
        completion, warnings = self._complete(asked, dialect, identity)
        reply = dialect.write(completion, call)
        profile = pick(call.provider, call.model, call.family)
        steps, tokens = _lengths(completion)
        return _Prepared(reply, _headers(reply), profile, steps, tokens, completion, warnings)

    def _stateful(self, call: Call, dialect: Dialect, identity: bytes, draw: Draw, place: Place) -> _Prepared:
        """Depends on what the session did before, so it is kept only where the call refers to nothing of that."""
        if call.operation not in dialect.generates:
            # Two equal calls make two objects: the occurrence is part of what their ids derive from.
            seed = self._seed_of(identity, draw.attempt, draw.occurrence)
            return _responded(dialect.respond(call, self._desk(seed, identity, place)), call, dialect)
        asked = dialect.recall(call, place.shelf)
        if isinstance(asked, Condition):
            reply = dialect.refuse(asked, call)
            return _Prepared(reply, _headers(reply))
        if asked is call:
            prepared = self._prepared(call, dialect, identity, place)
        else:
            prepared = self._generated(call, asked, dialect, identity)
        assert prepared.completion is not None
        dialect.retain(call, prepared.completion, place.shelf)
        return prepared

    def _desk(self, seed: bytes, identity: bytes, place: Place) -> Desk:
        return Desk(seed, self._created(identity), place.shelf, place.run, place.base_url)

    def _keep(self, key: tuple[object, ...], prepared: _Prepared, asked: int) -> None:
        body = prepared.reply.body
        size = asked + (len(body) if isinstance(body, bytes) else 0) + _PIECE_BYTES * prepared.tokens + _CALL_BYTES
        if size > KEPT_BYTES // 16:
            return
        self._kept[key] = prepared
        self._grow(prepared, size)

    def _grow(self, prepared: _Prepared, size: int) -> None:
        prepared.size += size
        self._kept_bytes += size
        while self._kept_bytes > KEPT_BYTES or len(self._kept) > KEPT_CALLS:
            _, old = self._kept.popitem(last=False)
            self._kept_bytes -= old.size

    def _hurried(self, prepared: _Prepared, call: Call, dialect: Dialect) -> Iterable[Chunk]:
        """The chunks of a stream without times, kept like its frames."""
        if prepared.hurried is not None:
            return prepared.hurried
        chunks = (Chunk(0.0, frame.data) for frame in self._frames(prepared, call, dialect))
        if prepared.frames is None:
            return chunks
        prepared.hurried = tuple(chunks)
        self._grow(prepared, _CHUNK_BYTES * len(prepared.hurried))
        return prepared.hurried

    def _frames(self, prepared: _Prepared, call: Call, dialect: Dialect) -> Iterable[Frame]:
        """The frames of a stream: made as they are sent, and kept for all once the same call has come again."""
        assert prepared.completion is not None
        if prepared.fresh:
            frames = prepared.reply.body
        elif prepared.frames is not None:
            return prepared.frames
        else:
            frames = dialect.write(prepared.completion, call).body
            if prepared.tokens <= SHARED_TOKENS:
                prepared.frames = frames = _Shared(frames)
                self._grow(prepared, _FRAME_BYTES * prepared.tokens)
        assert not isinstance(frames, bytes)
        return frames


class _Shared:
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


def _responded(reply: Reply, call: Call, dialect: Dialect) -> _Prepared:
    """With the usage that the answer shows (embeddings, token counts)."""
    usage = None
    if reply.status == 200 and isinstance(reply.body, bytes):
        usage = dialect.usage(reply.status, reply.headers, reply.body, call)
    if usage is not None and call.provider not in _COUNTED:
        usage = replace(usage, exact=False)
    return _Prepared(reply, _headers(reply), told=usage)


def _lengths(completion: Completion) -> tuple[int, int]:
    """The pieces of the longest choice, by which the answer is paced, and those of all choices."""
    lengths = [sum(map(_pieces, choice.parts)) for choice in completion.choices]
    return max(lengths, default=0), sum(lengths)


def _pieces(part: Part) -> int:
    return len(part.arguments if isinstance(part, ToolCall) else part.tokens)


def _headers(reply: Reply) -> Headers:
    """With the length of a whole body, where the dialect does not give it."""
    if not isinstance(reply.body, bytes) or header(reply.headers, "content-length"):
        return reply.headers
    return (*reply.headers, ("content-length", str(len(reply.body))))


def _at_once(body: bytes | Iterable[Frame]) -> tuple[Chunk, ...]:
    return (Chunk(0.0, body),) if isinstance(body, bytes) else tuple(Chunk(0.0, frame.data) for frame in body)
