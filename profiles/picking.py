"""Which profile a call gets, and by which rule.

1. Profiles of the user's files, in the order given, then those shipped for the provider (of a provider without a file of
   its own: `default.yaml`).
2. Of these the first counts that is for such calls (provider, family, stream, cache, operation) and has a pattern for the
   model. Patterns go from the particular to the general, so a model nobody has measured gets its nearest relative.
3. Where the pattern is not the model's own name (with or without a date, a version or `-latest` behind it), the answer
   says by which pattern it was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from llm_simulator.profiles.distributions import Constant
from llm_simulator.profiles.profile import Profile, Writes
from llm_simulator.profiles.shipped import read, shipped

_VERSION = re.compile(
    r"([-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{3,4}|\d{2}-\d{4}|latest|preview|v\d+(:\d+)?|versatile|chat))*"
)
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Picked:
    """A profile, and the pattern by which a model was found that it does not name itself ("": it does)."""

    profile: Profile
    by: str = ""


INSTANT = Profile("instant", ("*",), Constant(0.0), Constant(0.0), Writes(), Constant(0.0), source="nothing measured")
"""For operations that nobody has measured."""


class Picks:
    """The user's profiles before the shipped ones. It remembers what it was asked for."""

    def __init__(self, own: Iterable[Profile] = ()) -> None:
        self._own = tuple(own)
        self._known: dict[tuple[str, str, str, str, bool, bool], Picked] = {}
        self.by_cache = any(profile.cache != "any" for profile in self._own)

    def of(
        self,
        provider: str,
        model: str,
        family: str = "",
        *,
        operation: str = "",
        stream: bool = False,
        cached: bool = False,
    ) -> Picked:
        """`operation` only of calls that generate nothing. Total: there is a profile for everything."""
        key = (provider, model, family, operation, stream, cached)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[key] = self._find(*key)
        return found

    def _find(self, provider: str, model: str, family: str, operation: str, stream: bool, cached: bool) -> Picked:
        name, operation = model.lower(), operation.lower()
        for profile in chain(self._own, read("operations") if operation else shipped(provider)):
            if profile.fits(provider, operation, family, stream, cached) and (pattern := profile.pattern_of(name)):
                return Picked(profile, "" if operation or _exact(pattern, name) else pattern)
        return Picked(INSTANT)


def _exact(pattern: str, model: str) -> bool:
    """Whether a pattern names the model itself; what is left may be its version."""
    own = pattern.removesuffix("*")
    return bool(own) and "*" not in own and model.startswith(own) and bool(_VERSION.fullmatch(model[len(own) :]))


SHIPPED = Picks()
"""Without any of the user's."""


def pick(provider: str, model: str, family: str = "") -> Profile:
    """The shipped profile for a model."""
    return SHIPPED.of(provider, model, family).profile
