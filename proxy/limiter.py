"""Rate limits at work: a call takes of its key's and model's limits or is refused, and every answer says how they stand."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from llm_simulator.dialects import rate_limits
from llm_simulator.dialects.condition_values import key_of
from llm_simulator.dialects.rate_limits import CONCURRENT, Refused, Standing
from llm_simulator.proxy.door import RETRIES_HEADER
from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.labels import STATE as STATE_HEADER
from llm_simulator.proxy.labels import labelled
from llm_simulator.proxy.machines import cut
from llm_simulator.proxy.state import State
from llm_simulator.proxy.tasks import Tasks
from llm_simulator.proxy.turnstile import BACK_SECONDS, No, Pass, Turnstile
from llm_simulator.simulator import limits as steps
from llm_simulator.simulator.limit_tiers import Limits, family
from llm_simulator.simulator.limits import Bucket
from llm_simulator.simulator.policies import buckets, settled, standing
from llm_simulator.simulator.slots import Line
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Answer, Call, Condition, Source, Usage, header

MACHINE = "limits"
LABEL = "limits"
_COUNTS = "count_tokens"  # asking how long a prompt is takes nothing of what is limited

A = TypeVar("A")


Refuse = Callable[[Condition, Call, Entry], Answer]
"""Spells a refusal in the provider's envelope, and notes it."""


@dataclass(slots=True)
class _Taken:
    """What a call took of `buckets` under `key`, and how the limits stood then."""

    key: str
    buckets: list[Bucket]
    result: dict[str, Any]
    settled: bool = False

    @property
    def standing(self) -> Standing:
        return standing(self.buckets, self.result)


class Limiter:
    """Limits calls, for all workers together. `wall` gives seconds since the epoch: some providers tell resets by it."""

    def __init__(
        self,
        state: State,
        turnstile: Turnstile,
        refuse: Refuse,
        timeout: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._turnstile = turnstile
        self._refuse = refuse
        self._timeout = timeout
        self._wall = wall
        self._tasks = Tasks()

    async def around(
        self, limits: Limits, asked: Asked, entry: Entry, perform: Callable[[], Awaitable[A]], scope: str = ""
    ) -> A | Answer:
        """What `perform` gives, once the call is let through; else the provider's 429. `scope` keeps limits apart that are
        not the server's own (a scenario's)."""
        call = asked.known.call
        if not _limited(call):
            return await perform()
        key = key_for(asked, scope)
        if limits.concurrent is not None and (stopped := await self._crowded(key, limits.concurrent, asked, entry)):
            return stopped
        wanted = buckets(limits, call)
        if not wanted:
            return await perform()
        tries = header(call.raw.headers, RETRIES_HEADER)
        event = steps.take(wanted, asked.known.identity.hex(), int(tries) if tries.isdecimal() else None)
        taken = _Taken(key, wanted, await self._state.step(MACHINE, key, event))
        if not taken.result["ok"]:
            return self._over(taken, call, entry)
        entry.ends(lambda: self._ended(taken, entry))
        answer = await perform()
        if not isinstance(answer, Answer):
            return answer
        if answer.source is not Source.UPSTREAM:  # what that one used is known at its end
            await self._settle(taken, entry, answer.status)
        return self._told(answer, call, taken.standing, entry)

    async def _crowded(self, key: str, most: int, asked: Asked, entry: Entry) -> Answer | None:
        """The refusal of a call that is one too many at once."""
        entered = await self._turnstile.enter(key, Line(most), asked.known.identity.hex(), self._timeout())
        if isinstance(entered, Pass):
            entry.ends(lambda: self._turnstile.leave(entered))
            return None
        wait = BACK_SECONDS if entered is No.LATER else None
        return self._refused(Refused(CONCURRENT, most, most, 1, wait), {}, asked.known.call, entry)

    def _over(self, taken: _Taken, call: Call, entry: Entry) -> Answer:
        result = taken.result
        over = next(bucket for bucket in taken.buckets if bucket.name == result["by"])
        used = int(over.limit - result["left"][over.name])
        wait = result["wait"] if result["wait"] >= 0 else None
        told = Refused(over.name, int(over.limit), used, int(over.cost), wait)
        return self._refused(told, taken.standing, call, entry)

    def _refused(self, told: Refused, stand: Standing, call: Call, entry: Entry) -> Answer:
        entry.note = f"over the limit of {told.by}"
        answer = self._refuse(rate_limits.refusal(told, call), call, entry)
        if told.wait is None:  # what the catalogue has for an example would not be true
            kept = tuple(item for item in answer.headers if not item[0].lower().startswith("retry-after"))
            answer = replace(answer, headers=kept)
        return self._told(answer, call, stand, entry)

    def _told(self, answer: Answer, call: Call, stand: Standing, entry: Entry) -> Answer:
        """The answer with the provider's headers of these limits in the place of others."""
        if LABEL in header(answer.headers, STATE_HEADER):
            return answer  # a scenario's limits stand closer to the call
        used = (entry.prompt_tokens or 0) + (entry.completion_tokens or 0)
        named = rate_limits.headers(call.provider, stand, self._wall(), used)
        return labelled(answer, LABEL, named, rate_limits.without(answer.headers))

    async def all(self) -> list[dict[str, Any]]:
        """What each key holds, as it was when a call last took of it."""
        values = await self._state.values(MACHINE)
        return [
            {**_named(key), "left": value["levels"], "waiting": len(value["places"])} for key, value in values.items()
        ]

    async def _settle(self, taken: _Taken, entry: Entry, status: int) -> None:
        """Puts right what a call seemed to need."""
        taken.settled = True
        if left := _left(taken, entry, status):
            result = await self._state.step(MACHINE, taken.key, steps.settle(left))
            for name in ("left", "full"):
                taken.result[name] = {**taken.result[name], **result[name]}

    def _ended(self, taken: _Taken, entry: Entry) -> None:
        if not taken.settled and _left(taken, entry, entry.status):
            self._tasks.start(self._settle(taken, entry, entry.status))


def _left(taken: _Taken, entry: Entry, status: int) -> list[Bucket]:
    """What is left to take, or to give back. What was answered without anyone counting stays as it was estimated."""
    usage = _usage(entry)
    return [] if usage is None and 0 < status < 400 else settled(taken.buckets, usage)


def key_for(asked: Asked, scope: str = "") -> str:
    """Whose limits a call takes of: those of its session, credential, provider and model family."""
    call = asked.known.call
    return _key(asked.session, key_of(call), call.provider, call.model, scope)


@lru_cache(1024)
def _key(session: str, key: str, provider: str, model: str, scope: str) -> str:
    credential = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=6).hexdigest()
    shared = family(provider, model).replace("|", "/")
    return f"{len(session)}:{session}|{credential}|{provider}|{shared}|{scope}"


def _named(key: str) -> dict[str, str]:
    session, rest = cut(key)
    credential, provider, shared, scope = rest[1:].split("|", 3)
    return {"session": session, "credential": credential, "provider": provider, "models": shared, "scope": scope}


def _limited(call: Call) -> bool:
    return call.model != "" and call.raw.method != "GET" and not call.operation.endswith(_COUNTS)


def _usage(entry: Entry) -> Usage | None:
    if entry.prompt_tokens is None and entry.completion_tokens is None:
        return None
    return Usage(entry.prompt_tokens or 0, entry.completion_tokens or 0)
