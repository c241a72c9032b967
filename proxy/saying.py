"""What surrounds a simulated answer: the profiles it is timed by, what it says of itself, its pings and its failures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from llm_simulator.config.settings import Settings
from llm_simulator.dialects import conditions
from llm_simulator.dialects.keepalive import beat_of
from llm_simulator.dialects.usage_error import expected_error
from llm_simulator.errors import ConfigError
from llm_simulator.types import Call, Condition, Headers

if TYPE_CHECKING:
    from llm_simulator.profiles import Profile
    from llm_simulator.profiles.profile import ErrorRate
    from llm_simulator.simulator.engine import Simulated


def own_profiles(settings: Settings) -> tuple[Profile, ...]:
    """The user's profiles.

    Raises:
        ConfigError: a file of them is wrong.
    """
    if not settings.profiles:
        return ()
    from llm_simulator.profiles.file import load  # with the schema: who has no file does not pay for it

    return tuple(profile for path in settings.profiles for profile in load(path))


def profile_named(name: str, own: Iterable[Profile]) -> Profile:
    """The profile of that name: of the user's files, else a shipped one.

    Raises:
        ConfigError: there is none; the message says where their names are.
    """
    from llm_simulator.profiles.shipped import every

    for profile in chain(own, (profile for _, profile in every())):
        if profile.name == name:
            return profile
    raise ConfigError(f"there is no latency profile {name!r}; `llm-simulator profile list` shows them")


def told(made: Simulated, provider: str) -> Headers:
    """What an answer says of its profile and its counts."""
    return _told(made.profile, made.by, made.usage.exact if made.usage is not None else None, provider)


@lru_cache(maxsize=1024)
def _told(profile: str, by: str, exact: bool | None, provider: str) -> Headers:
    named = [("x-llm-simulator-profile", profile)] if profile else []
    if by:
        named.append(("x-llm-simulator-profile-by", f"pattern {by}"))
    if exact is not None:
        named.append(("x-llm-simulator-usage", "exact" if exact else "estimated"))
    if exact is False:
        named.append(("x-llm-simulator-usage-error", expected_error(provider)))
    return tuple(named)


def with_pings(made: Simulated, call: Call) -> Simulated:
    """With what the provider sends in long waits, where the answer has one."""
    beat = beat_of(call)
    if beat is None or made.total <= beat.every:
        return made
    from llm_simulator.simulator.schedule import kept_alive

    chunks = made.answer.chunks
    assert not isinstance(chunks, AsyncIterator)  # what is simulated is known up front
    return replace(made, answer=replace(made.answer, chunks=kept_alive(chunks, beat)))


def condition_of(failure: ErrorRate, provider: str) -> Condition:
    """The condition that it names, or the first of the provider's with its status."""
    named = conditions.find(failure.condition, provider) if failure.condition else None
    if named is None:
        alike = (entry for entry in conditions.entries(provider) if entry.status == failure.status and entry.spelled)
        named = next(alike, None)
    if named is not None:
        return Condition(named.id, failure.status, named.message)
    return Condition(f"status_{failure.status}", failure.status, f"The provider answered with status {failure.status}.")
