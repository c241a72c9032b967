"""What genuine exchanges of one endpoint have in common, and so why one of them may differ from our answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from fidelity_shape import Shape

AGREES = "agrees"
OLDER = "older recording: another form on later days"
UNDATED = "undated recording: all dated ones have it so from a certain day on, and none before"
CHANCE = "chance: recordings of the same model and day have both"
FOREIGN = "foreign: the host is a proxy or a placeholder of which we know nothing"
CONTENT = "content: the answers are not of the same kind"
VARIES = "varies: other recordings of the same endpoint have it so"
NEVER = "never recorded so"
ON_PURPOSE = "on purpose: it would send clients past us, to a port where nobody listens"
LACKING = "every recording of this endpoint and kind has it"
ASIDE = frozenset((OLDER, UNDATED, CHANCE, CONTENT, FOREIGN))
"""These cannot agree, whatever we answer."""
EXPLAINED = ASIDE | {VARIES, ON_PURPOSE}
LEFT_OUT = frozenset(("alt-svc",))
"""Headers that a dialect may leave out."""
WHOLE, HEADERS = "(answer)", "(headers)"
"""What a kind of event and the order of kinds are within, and what a header is within."""

Occasion = tuple[str, str]
"""Model and day of a recording."""


@dataclass(slots=True)
class Known:
    """On which occasions each thing was there, how often. A thing is a path, a path with a type, a kind, an order, a layout."""

    on: dict[str, Counter[Occasion]] = field(default_factory=lambda: defaultdict(Counter))
    orders: dict[str, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    parts: set[str] = field(default_factory=set)

    def note(self, shape: Shape, occasion: Occasion, parts: str, headers: set[str]) -> None:
        """`headers` are the names that can be compared: none where the recorder kept only some of them."""
        self.parts.add(parts)
        for name in (HEADERS, *(f"header {name}" for name in headers)) if headers else ():
            self.on[name][occasion] += 1
        for thing in _things(shape):
            self.on[thing][occasion] += 1
        for path, order in shape.orders.items():
            self.orders[path].add(order)

    def why_extra(self, thing: str, within: str, occasion: Occasion) -> str:
        """Why we have what this recording has not, though it has what that is within."""
        day = occasion[1]
        if thing not in self.on:
            return NEVER
        if day and all(seen and seen > day for _, seen in self.on[thing]):
            return OLDER
        if not day and self._came(thing, within):
            return UNDATED
        return CHANCE if self._both(thing, within, occasion) else VARIES

    def _came(self, thing: str, within: str) -> bool:
        """Whether it came on one day, to stay: dated recordings before lack it, later ones do not."""
        having = [day for _, day in self.on[thing] if day]
        lacking = [seen[1] for seen, count in self.on[within].items() if seen[1] and self.on[thing][seen] < count]
        return bool(having and lacking) and max(lacking) <= min(having)

    def why_lacking(self, thing: str, within: str, occasion: Occasion) -> str:
        """Why we lack what this recording has: some reason where not every recording has it."""
        if self.on[thing].total() >= self.on[within].total():
            return LACKING
        if self._both(thing, within, occasion):
            return CHANCE
        later = [seen for _, seen in self.on[within] if occasion[1] and seen > occasion[1]]
        return OLDER if later and not any(seen in later for _, seen in self.on[thing]) else VARIES

    def _both(self, thing: str, within: str, occasion: Occasion) -> bool:
        """Whether recordings of one model and day have it and have it not. An unknown day tells nothing."""
        return bool(occasion[1]) and 0 < self.on[thing][occasion] < self.on[within][occasion]

    def why_ordered(self, path: str, mine: list[str]) -> str:
        """Fine where another recording has the keys in our order."""
        return VARIES if any([key for key in seen if key in mine] == mine for seen in self.orders[path]) else NEVER


def _things(shape: Shape) -> set[str]:
    things = {WHOLE, order_of(shape), f"layout {shape.layout}"}
    things |= {f"kind {kind}" for kind in shape.kinds}
    things |= shape.keys.keys()
    things |= {f"{path}:{kind}" for path, types in shape.keys.items() for kind in types}
    return things


def order_of(shape: Shape) -> str:
    return "order " + " > ".join(shape.kinds)
