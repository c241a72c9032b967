"""What a configuration says of providers and models: whether they are there, how fast they are, how often they fail.

Keys are models, globs of models, or providers. What the most particular one says counts, field by field: a model's own
name before a glob, a longer glob before a shorter one, a glob before the provider, that before what is said of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING

from llm_simulator.profiles.picking import Picked
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.types import JSON

if TYPE_CHECKING:
    from llm_simulator.profiles.overlay import Overlay
    from llm_simulator.profiles.profile import Profile
    from llm_simulator.simulator.faults import Fault
    from llm_simulator.simulator.limit_tiers import Allowed
    from llm_simulator.simulator.style import Style

PURPOSE = "errors"
"""The name of the draw that decides whether, and in which way, a call fails."""
_KEPT = 4096
_WILD = frozenset("*?[")


class Kind(IntEnum):
    """What a key names; what is said of a higher one counts more."""

    ALL = 0
    PROVIDER = 1
    GLOB = 2
    MODEL = 3


@dataclass(frozen=True, slots=True)
class Chanced:
    """An error, and the share of the calls that end in it."""

    probability: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said under one key; None (of errors: none) is nothing."""

    key: str
    kind: Kind
    enabled: bool | None = None
    overlay: Overlay | None = None
    errors: tuple[Chanced, ...] = ()
    style: Style | None = None
    labelled: bool | None = None
    limits: Allowed | None = None

    def fits(self, provider: str, names: tuple[str, ...]) -> bool:
        match self.kind:
            case Kind.ALL:
                return True
            case Kind.PROVIDER:
                return self.key == provider
            case Kind.GLOB:
                return any(fnmatchcase(name, self.key.lower()) for name in names)
            case Kind.MODEL:
                return self.key.lower() in names


@dataclass(frozen=True, slots=True)
class Found:
    """What holds for the calls of one provider and model. Of `overlays` the most particular is last."""

    enabled: bool = True
    overlays: tuple[tuple[Kind, Overlay], ...] = ()
    errors: tuple[Chanced, ...] = ()
    style: Style | None = None
    labelled: bool | None = None

    @property
    def untouched(self) -> bool:
        """Whether such a call is answered, and never with an error."""
        return self.enabled and not self.errors


def _nothing() -> Mapping[str, JSON]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Providers:
    """All that is said; `given` is how it was written. It remembers what it was asked for."""

    entries: tuple[Entry, ...]
    given: Mapping[str, JSON] = field(default_factory=_nothing, compare=False)
    _known: dict[tuple[str, str], Found] = field(default_factory=lambda: {}, compare=False, repr=False)
    _timed: dict[tuple[str, str, int, bool], tuple[Profile, Picked]] = field(
        default_factory=lambda: {}, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        ordered = sorted(self.entries, key=lambda entry: (entry.kind, len(entry.key)))
        object.__setattr__(self, "entries", tuple(ordered))

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are named: who is configured is there."""
        named = (entry for entry in self.entries if entry.kind is Kind.MODEL and entry.enabled is not False)
        return tuple(entry.key for entry in named)

    @property
    def hides(self) -> bool:
        """Whether any model may not be there."""
        return any(entry.enabled is False for entry in self.entries)

    @property
    def decides(self) -> bool:
        """Whether any call may end otherwise than in its answer."""
        return self.hides or any(entry.errors for entry in self.entries)

    def of(self, provider: str, model: str) -> Found:
        """What holds for a call."""
        key = (provider, model)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[key] = self._find(provider, model)
        return found

    def hidden(self, provider: str, model: str) -> bool:
        """Whether a model, which a provider would have, is not there."""
        return not self.of(provider, model).enabled

    def _find(self, provider: str, model: str) -> Found:
        names = names_of(provider, model)
        fitting = [entry for entry in self.entries if entry.fits(provider, names)]
        enabled: bool | None = None
        style: Style | None = None
        labelled: bool | None = None
        errors: dict[str, Chanced] = {}
        overlays: list[tuple[Kind, Overlay]] = []
        for entry in fitting:  # the most particular one last
            enabled = entry.enabled if entry.enabled is not None else enabled
            style = entry.style if entry.style is not None else style
            labelled = entry.labelled if entry.labelled is not None else labelled
            errors.update((error.fault.name, error) for error in entry.errors)
            if entry.overlay is not None:
                overlays.append((entry.kind, entry.overlay))
        return Found(enabled is not False, tuple(overlays), tuple(errors.values()), style, labelled)

    def timed(self, picked: Picked, provider: str, model: str, *, generates: bool = True) -> Picked:
        """The profile of a call as it is configured. What generates nothing is as fast as its model is said to be,
        not as its provider is: that is said of answers."""
        key = (provider, model, id(picked.profile), generates)
        known = self._timed.get(key)
        if known is not None:
            return known[1]
        profile = picked.profile
        for kind, overlay in self.of(provider, model).overlays:
            if generates or kind > Kind.PROVIDER:
                profile = overlay.over(profile)
        made = picked if profile is picked.profile else Picked(profile)
        if len(self._timed) >= _KEPT:
            self._timed.clear()
        self._timed[key] = picked.profile, made  # kept with what its id is of
        return made

    def failing(self, provider: str, model: str, lot: Lot, draw: Draw) -> Fault | None:
        """The error that a call ends in: one draw for all, so each comes as often as it says."""
        errors = self.of(provider, model).errors
        if not errors:
            return None
        u = lot.main(draw, PURPOSE)
        for error in errors:
            u -= error.probability
            if u < 0:
                return error.fault
        return None


def kind_of(key: str, providers: frozenset[str]) -> Kind:
    """What a key names."""
    if _WILD & set(key):
        return Kind.GLOB
    return Kind.PROVIDER if key in providers else Kind.MODEL


def names_of(provider: str, model: str) -> tuple[str, ...]:
    """How a key may name a model: as the call does, without a path before it, with the provider before it."""
    name = model.lower()
    if not name:
        return ()
    plain = name.removeprefix("models/")
    return tuple(dict.fromkeys((name, plain, name.rpartition("/")[2], f"{provider}/{plain}")))
