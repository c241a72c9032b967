"""The engine: a call in, the answer out. Nothing depends on the order of calls, the worker or the clock.

What it says is a function of (seed, scenario, call); when it says it, of the attempt and the occurrence besides.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from llm_simulator.dialects import limits
from llm_simulator.dialects.base import Ask, Desk, Dialect, Shelf, Talk
from llm_simulator.dialects.pieces import Work
from llm_simulator.errors import SimulatorError
from llm_simulator.profiles import Profile
from llm_simulator.profiles.conditioned import conditioned
from llm_simulator.profiles.picking import SHIPPED, Picked, Picks
from llm_simulator.profiles.profile import ErrorRate
from llm_simulator.simulator.draws import FIRST, Draw, Lot, Stratified
from llm_simulator.simulator.generate import PLAIN, Generated, Style, generate
from llm_simulator.simulator.prepared import Prepared, Shared, at_due, length_for, lengths, usage_of, with_length
from llm_simulator.simulator.providers import Providers
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
    RawRequest,
    Reply,
    Source,
    Usage,
)

__all__ = ["Draw", "Engine", "Place", "Sayer", "Simulated", "runs_nothing"]

Sayer = Callable[[Call, Ask], Generated]
"""What answers a call in the place of the generator."""

CREATED_BASE = 1_767_225_600  # 2026-01-01T00:00:00Z
CREATED_SPAN = 180 * 86_400
"""`created` lies within so many seconds after the base: a function of the call, never of the clock."""
KEPT_CALLS = 4096
KEPT_BYTES = 16 << 20
_COUNTED = ("openai", "azure")  # whose tokenizers are known
SHARED_TOKENS = 2000
"""Streams of more tokens are spelled anew for each client instead of being kept."""
_CALL_BYTES, _PIECE_BYTES, _FRAME_BYTES, _CHUNK_BYTES = 2000, 8, 300, 72  # kept of a call, a token, a frame, a chunk


_Drawn = tuple[Lot, Draw]
"""What the length of an answer is drawn from."""

Timing = Callable[[Stratified], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Simulated:
    """An answer of the engine; `ttft` and `total` are virtual seconds, known before a byte is sent.

    `usage` and `completion` are empty for operations that generate nothing (lists of models). `by` is the pattern by which
    a profile was found that does not name the model itself. `timed` is the profile with all that it says, `timing` gives
    `ttft` and `total` of the same answer for another chance.
    """

    answer: Answer
    ttft: float
    total: float
    usage: Usage | None = None
    profile: str = ""
    warnings: tuple[str, ...] = ()
    completion: Completion | None = None
    by: str = ""
    timed: Profile | None = None
    timing: Timing | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """What is around a call: what its session left behind, how an inner request is answered, how its client reaches us."""

    shelf: Shelf
    run: Callable[[RawRequest], Reply]
    base_url: str = ""


def runs_nothing(raw: RawRequest) -> Reply:
    """The `run` of a place without a server around it, and of an inner request: a batch does not run batches."""
    raise SimulatorError(f"{raw.method} {raw.path}: an inner request cannot be answered here")


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
        profiles: Iterable[Profile] = (),
        providers: Providers | None = None,
    ) -> None:
        """`profiles` are the user's own; they go before the shipped ones. `providers` is what is said of some models."""
        own = tuple(profiles)
        self._seed = seed
        self._scenario = scenario
        self._created_base = created_base
        self._style = style
        self._labelled = labelled
        self._providers = providers
        self._picks = Picks(own) if own else SHIPPED
        self._kept: OrderedDict[tuple[object, ...], Prepared] = OrderedDict()
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
        made: Reply | None = None,
        say: Sayer | None = None,
        varies: bytes = b"",
    ) -> Simulated:
        """The whole answer with its times; `profile` replaces the one picked by provider and model.

        `at_once`: all chunks are due at 0, for a wire that would not wait anyway; `ttft` and `total` are the same.
        `made`: what `work` came to. `say`: what a call that generates is answered with instead of what the model says.
        `varies`: the identity that all occurrences have, where `identity` is that of this one alone (each is answered
        otherwise): times, and the length that goes with them, are drawn as for occurrences of one call.
        """
        drawn = (self.lot(varies), draw) if varies else None
        if made is not None:
            prepared = self._responded(made, call, dialect)
        elif call.operation in dialect.stateful:
            prepared = self._stateful(call, dialect, identity, draw, place or self._place, say, drawn)
        elif say is not None:
            prepared = self._generated(call, call, dialect, identity, say)
        else:
            prepared = self._prepared(call, dialect, identity, place or self._place, drawn)
        picked = Picked(profile) if profile else prepared.picked
        if picked is None:
            return Simulated(self._answer(prepared, at_due(prepared.reply.body)), 0.0, 0.0, prepared.usage)
        timed = picked.profile
        chance = Stratified(self.lot(varies or identity), draw, "latency")
        timing = self._timing(timed, prepared)
        ttft, total, chunks = self._timed(timed, timing, prepared, call, dialect, chance, at_once)
        return Simulated(
            self._answer(prepared, chunks),
            ttft,
            total,
            prepared.usage,
            timed.name,
            prepared.warnings,
            prepared.completion,
            picked.by,
            timed,
            timing,
        )

    def lot(self, identity: bytes) -> Lot:
        """What a call's chances are drawn from."""
        return Lot(self._seed, self._scenario, identity)

    def failure(self, made: Simulated, identity: bytes, draw: Draw) -> ErrorRate | None:
        """Whether this call ends in one of the failures that its profile has rates of, and in which."""
        errors = made.timed.errors if made.timed else ()
        if not errors:
            return None
        u = Lot(self._seed, self._scenario, identity).main(draw, "outcome")
        for error in errors:
            u -= error.rate
            if u < 0:
                return error
        return None

    @staticmethod
    def _timing(timed: Profile, prepared: Prepared) -> Timing:
        if isinstance(prepared.reply.body, bytes):
            return partial(timed.whole, prepared.steps)
        return partial(timed.whole, 0) if prepared.completion is None else partial(timed.outline, prepared.steps)

    def _timed(
        self,
        timed: Profile,
        timing: Timing,
        prepared: Prepared,
        call: Call,
        dialect: Dialect,
        chance: Stratified,
        at_once: bool,
    ) -> tuple[float, float, Iterable[Chunk]]:
        """TTFT, total and the chunks of an answer, each with its time."""
        body = prepared.reply.body
        if isinstance(body, bytes):
            ttft, total = timing(chance)
            return ttft, total, (Chunk(total, body),)
        if prepared.completion is None:
            ttft, total = timing(chance)
            return ttft, total, at_due(body, 0.0 if at_once else total)
        if at_once:
            ttft, total = timing(chance)
            return ttft, total, self._hurried(prepared, call, dialect)
        timings = timed.generate_streaming_timings(prepared.steps, chance)
        return timings.ttft, timings.total, paced(self._frames(prepared, call, dialect), timings, prepared.tokens)

    @staticmethod
    def _answer(prepared: Prepared, chunks: Iterable[Chunk]) -> Answer:
        return Answer(prepared.reply.status, prepared.headers, chunks, source=Source.SIMULATOR)

    def work(
        self, call: Call, dialect: Dialect, identity: bytes, draw: Draw = FIRST, place: Place | None = None
    ) -> Work | None:
        """The answer in pieces, of a call that takes long; None where `simulate` makes it in no time."""
        if call.operation in dialect.generates:
            return None
        return dialect.work(call, self._own_desk(call, dialect, identity, draw, place or self._place))

    def talk(self, call: Call, dialect: Dialect, identity: bytes, place: Place) -> Talk:
        """The conversation that a WebSocket handshake opens."""
        return dialect.talk(call, self._desk(self._seed_of(identity), identity, place))

    def _complete(
        self, call: Call, dialect: Dialect, identity: bytes, say: Sayer | None = None, drawn: _Drawn | None = None
    ) -> tuple[Completion, tuple[str, ...]]:
        ask = limits.within(dialect.ask(call), call)
        lot = Lot(self._seed, self._scenario, identity)
        profile = self._pick(call).profile
        style, labelled = self._voice(call)
        made = (
            say(call, ask)
            if say
            else generate(ask, call.model, lot, length_for(profile, *(drawn or (lot, FIRST))), style)
        )
        completion = Completion(
            id=self._seed_of(identity).hex(),
            created=self._created(identity),
            model=call.model,
            choices=made.choices,
            usage=usage_of(ask, made, profile),
            fingerprint=f"{keyed(self._seed, 'fingerprint', call.model):016x}"[:10],
            labelled=labelled,
        )
        return completion, (*ask.warnings, *made.warnings)

    def _voice(self, call: Call) -> tuple[Style, bool]:
        """How an answer sounds, and whether it says that it is simulated."""
        if self._providers is None:
            return self._style, self._labelled
        found = self._providers.of(call.provider, call.model)
        return found.style or self._style, self._labelled if found.labelled is None else found.labelled

    def _seed_of(self, identity: bytes, *more: int) -> bytes:
        """16 bytes that ids are made from."""
        halves = (keyed(self._seed, self._scenario, identity, "id", half, *more) for half in range(2))
        return b"".join(half.to_bytes(8, "big") for half in halves)

    def _created(self, identity: bytes) -> int:
        return self._created_base + keyed(self._seed, self._scenario, identity, "created") % CREATED_SPAN

    def _prepared(
        self, call: Call, dialect: Dialect, identity: bytes, place: Place, drawn: _Drawn | None = None
    ) -> Prepared:
        # The identity leaves out what the match rules ignore; the dialect may echo it, so the bytes count here, too.
        key = (identity, call.provider, call.family, call.raw.target, call.raw.body)
        prepared = self._kept.get(key)
        if prepared is not None:
            self._kept.move_to_end(key)
            prepared.fresh = False
            return prepared
        prepared = self._prepare(call, dialect, identity, place, drawn)
        self._keep(key, prepared, len(call.raw.body))
        return prepared

    def _prepare(self, call: Call, dialect: Dialect, identity: bytes, place: Place, drawn: _Drawn | None) -> Prepared:
        if call.operation not in dialect.generates:
            desk = self._desk(self._seed_of(identity), identity, place)
            if self._providers is not None and self._providers.hides:
                desk = replace(desk, hidden=partial(self._providers.hidden, call.provider))
            return self._responded(dialect.respond(call, desk), call, dialect)
        return self._generated(call, call, dialect, identity, drawn=drawn)

    def _generated(
        self,
        call: Call,
        asked: Call,
        dialect: Dialect,
        identity: bytes,
        say: Sayer | None = None,
        drawn: _Drawn | None = None,
    ) -> Prepared:
        """`asked` is the call with what it refers to filled in."""
        completion, warnings = self._complete(asked, dialect, identity, say, drawn)
        reply = dialect.write(completion, call)
        steps, tokens = lengths(completion)
        prepared = Prepared(reply, with_length(reply), self._pick(call), steps, tokens, completion, warnings)
        return self._conditioned(prepared, call, dialect)

    def _pick(self, call: Call, *, cached: bool = False) -> Picked:
        picked = self._picks.of(call.provider, call.model, call.family, stream=call.stream, cached=cached)
        return picked if self._providers is None else self._providers.timed(picked, call.provider, call.model)

    def _conditioned(self, prepared: Prepared, call: Call, dialect: Dialect) -> Prepared:
        """With the profile of a prompt of this length and as much of it cached as the answer says, where that matters."""
        assert prepared.picked is not None
        profile = prepared.picked.profile
        if not (profile.cache_hit or profile.prompt_slope or self._picks.by_cache):
            return prepared
        body = prepared.reply.body
        if not isinstance(body, bytes):
            prepared.reply = replace(prepared.reply, body=Shared(body))
            body = b"".join(frame.data for frame in prepared.reply.body)  # type: ignore[union-attr]
        usage = dialect.usage(prepared.reply.status, prepared.headers, body, call) or prepared.usage
        if usage is not None:
            picked = self._pick(call, cached=usage.cached > 0)
            timed = conditioned(picked.profile, usage.prompt - usage.cached, usage.cached)
            prepared.picked = Picked(timed, picked.by)
        return prepared

    def _responded(self, reply: Reply, call: Call, dialect: Dialect) -> Prepared:
        """With the usage that the answer shows (embeddings, token counts)."""
        usage = None
        if reply.status == 200 and isinstance(reply.body, bytes):
            usage = dialect.usage(reply.status, reply.headers, reply.body, call)
        if usage is not None and call.provider not in _COUNTED:
            usage = replace(usage, exact=False)
        picked = self._picks.of(call.provider, call.model, call.family, operation=call.operation, stream=call.stream)
        if self._providers is not None and not call.operation.startswith("models."):
            picked = self._providers.timed(picked, call.provider, call.model, generates=False)
        return Prepared(reply, with_length(reply), picked, told=usage)

    def _stateful(
        self,
        call: Call,
        dialect: Dialect,
        identity: bytes,
        draw: Draw,
        place: Place,
        say: Sayer | None = None,
        drawn: _Drawn | None = None,
    ) -> Prepared:
        """Depends on what the session did before, so it is kept only where the call refers to nothing of that."""
        if call.operation not in dialect.generates:
            desk = self._own_desk(call, dialect, identity, draw, place)
            return self._responded(dialect.respond(call, desk), call, dialect)
        asked = dialect.recall(call, place.shelf)
        if isinstance(asked, Condition):
            reply = dialect.refuse(asked, call)
            return Prepared(reply, with_length(reply))
        if asked is call and say is None:
            prepared = self._prepared(call, dialect, identity, place, drawn)
        else:
            prepared = self._generated(call, asked, dialect, identity, say, drawn)
        assert prepared.completion is not None
        dialect.retain(call, prepared.completion, place.shelf)
        return prepared

    def _own_desk(self, call: Call, dialect: Dialect, identity: bytes, draw: Draw, place: Place) -> Desk:
        """Two equal calls make two objects: the occurrence is part of what their ids derive from."""
        more = (draw.attempt, draw.occurrence) if call.operation in dialect.stateful else ()
        return self._desk(self._seed_of(identity, *more), identity, place)

    def _desk(self, seed: bytes, identity: bytes, place: Place) -> Desk:
        return Desk(seed, self._created(identity), place.shelf, place.run, place.base_url)

    def _keep(self, key: tuple[object, ...], prepared: Prepared, asked: int) -> None:
        body = prepared.reply.body
        size = asked + (len(body) if isinstance(body, bytes) else 0) + _PIECE_BYTES * prepared.tokens + _CALL_BYTES
        if size > KEPT_BYTES // 16:
            return
        self._kept[key] = prepared
        self._grow(prepared, size)

    def _grow(self, prepared: Prepared, size: int) -> None:
        prepared.size += size
        self._kept_bytes += size
        while self._kept_bytes > KEPT_BYTES or len(self._kept) > KEPT_CALLS:
            _, old = self._kept.popitem(last=False)
            self._kept_bytes -= old.size

    def _hurried(self, prepared: Prepared, call: Call, dialect: Dialect) -> Iterable[Chunk]:
        """The chunks of a stream without times, kept like its frames."""
        if prepared.hurried is not None:
            return prepared.hurried
        chunks = (Chunk(0.0, frame.data) for frame in self._frames(prepared, call, dialect))
        if prepared.frames is None:
            return chunks
        prepared.hurried = tuple(chunks)
        self._grow(prepared, _CHUNK_BYTES * len(prepared.hurried))
        return prepared.hurried

    def _frames(self, prepared: Prepared, call: Call, dialect: Dialect) -> Iterable[Frame]:
        """The frames of a stream: made as they are sent, and kept for all once the same call has come again."""
        assert prepared.completion is not None
        if prepared.fresh:
            frames = prepared.reply.body
        elif prepared.frames is not None:
            return prepared.frames
        else:
            frames = dialect.write(prepared.completion, call).body
            if prepared.tokens <= SHARED_TOKENS:
                prepared.frames = frames = Shared(frames)
                self._grow(prepared, _FRAME_BYTES * prepared.tokens)
        assert not isinstance(frames, bytes)
        return frames
