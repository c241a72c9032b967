"""What a rule asks of a call, and what is known of one when it is asked. Pure: clock, counts and prompt are passed in."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from llm_simulator.cassettes.jsonpath import Path
from llm_simulator.dialects.base import Ask, Turn
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.types import JSON, Call

Names = tuple[re.Pattern[str], ...]
"""Any of these; none asks for nothing."""

ASSISTANTS = frozenset({"assistant", "model", "chatbot"})
TOOLS = frozenset({"tool", "function"})


@dataclass(frozen=True, slots=True)
class Told:
    """What the prompt of a chat call says. `turn` counts from 1: one more than the assistant has spoken."""

    user: str = ""
    system: str = ""
    tool: str = ""
    tool_result: bool = False
    turn: int = 1
    prompt_tokens: int = 0


NOTHING = Told()


def told(ask: Ask) -> Told:
    """The facts of a prompt. A tool's result is present while the assistant has not yet answered to it."""
    users, tools, spoken, answered = list[str](), list[str](), 0, False
    calling = False  # what follows a call are its results, under whatever role the provider puts them
    for turn in ask.turns:
        if turn.role in ASSISTANTS:
            spoken, calling, answered = spoken + 1, turn.tool_calls > 0, False
        elif turn.role in TOOLS or (turn.role == "user" and calling):
            tools.append(turn.text)
            answered = True
        elif turn.role == "user":
            users.append(turn.text)
    return Told(_last(users), _last(_systems(ask.turns)), _last(tools), answered, 1 + spoken, ask.prompt_tokens)


def _systems(turns: tuple[Turn, ...]) -> list[str]:
    return [turn.text for turn in turns if turn.role in ("system", "developer")]


def _last(texts: list[str]) -> str:
    return next((text for text in reversed(texts) if text), "")


@dataclass(slots=True)
class Situation:
    """A call at the moment when it is decided.

    `calls` is how many calls of its session came before under this scenario, `elapsed` the seconds since the scenario was
    activated, `retries` whether its SDK says which try it is. `asks` reads the prompt; it is called only if a rule looks.
    """

    call: Call
    identity: bytes
    draw: Draw = field(default_factory=Draw)
    session: str = ""
    calls: int = 0
    elapsed: float = 0.0
    retries: bool = False
    asks: Callable[[], Ask | None] = lambda: None
    _told: Told | None = None

    @property
    def told(self) -> Told:
        if self._told is None:
            ask = self.asks()
            self._told = told(ask) if ask is not None else NOTHING
        return self._told

    @property
    def tries(self) -> int:
        """How often this very call has been tried before: r where the SDK sends it, else k."""
        return self.draw.attempt if self.retries else self.draw.occurrence

    def place(self, by: str) -> float:
        """Where the call stands: seconds ("clock"), calls of the session ("calls"), equal calls ("occurrence")."""
        return self.elapsed if by == "clock" else float(self.calls if by == "calls" else self.draw.occurrence)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A number that goes from `start` to `end` in the course of a phase."""

    start: float
    end: float

    def at(self, progress: float) -> float:
        return self.start + (self.end - self.start) * progress


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers from `least` to `most`, both included; None is no bound."""

    least: int | None = None
    most: int | None = None

    def holds(self, value: int) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Nth:
    """Which of the calls, counted from 1: those in `numbers`, and every so-manieth. `by` says what is counted."""

    numbers: tuple[int, ...] = ()
    every: int | None = None
    by: str = "occurrence"

    def holds(self, situation: Situation) -> bool:
        number = int(situation.place(self.by)) + 1
        return number in self.numbers or (self.every is not None and number % self.every == 0)


@dataclass(frozen=True, slots=True)
class BodyTest:
    """A JSON path of the request body; each test that is given must hold for one of the values that it names."""

    path: Path
    equals: JSON = ...
    regex: re.Pattern[str] | None = None
    exists: bool | None = None

    def holds(self, body: JSON) -> bool:
        found = list(values(self.path, body))
        if self.exists is not None and bool(found) is not self.exists:
            return False
        if self.equals is not ... and not any(_same(value, self.equals) for value in found):
            return False
        if self.regex is None:
            return True
        pattern = self.regex
        return any(pattern.search(value) is not None for value in found if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class HeaderTest:
    """A header of the request, as the provider would see it; without a pattern it has to be there."""

    name: str
    pattern: re.Pattern[str] | None = None

    def holds(self, call: Call) -> bool:
        sent = (value for name, value in call.raw.headers if name.lower() == self.name)
        return any(self.pattern is None or self.pattern.search(value) is not None for value in sent)


@dataclass(frozen=True, slots=True)
class When:
    """All that is given must hold; of names any. What is not given asks for nothing."""

    provider: Names = ()
    operation: Names = ()
    model: Names = ()
    path: Names = ()
    session: Names = ()
    stream: bool | None = None
    phase: tuple[str, ...] = ()
    headers: tuple[HeaderTest, ...] = ()
    body: tuple[BodyTest, ...] = ()
    user: tuple[re.Pattern[str], ...] = ()
    tool_result: bool | None = None
    turn: Range | None = None
    prompt_tokens: Range | None = None
    nth: Nth | None = None
    share: Ramp | None = None

    def holds(self, situation: Situation, lot: Lot, purpose: str, phase: str, progress: float) -> bool:
        """Whether the rule is for this call; `purpose` names the draw of its share."""
        return (
            (not self.phase or phase in self.phase)
            and self._named(situation)
            and (self.nth is None or self.nth.holds(situation))
            and all(test.holds(situation.call) for test in self.headers)
            and all(test.holds(situation.call.body) for test in self.body)
            and self._said(situation)
            and (self.share is None or drawn(self.share.at(progress), lot, situation.draw, purpose))
        )

    def _named(self, situation: Situation) -> bool:
        call = situation.call
        return (
            matches(self.provider, call.provider)
            and matches(self.operation, call.operation)
            and matches(self.model, call.model)
            and matches(self.path, call.raw.path)
            and matches(self.session, situation.session)
            and (self.stream is None or self.stream is call.stream)
        )

    def _said(self, situation: Situation) -> bool:
        if not self.reads_prompt:
            return True
        said = situation.told
        return (
            all(pattern.search(said.user) is not None for pattern in self.user)
            and (self.tool_result is None or self.tool_result is said.tool_result)
            and (self.turn is None or self.turn.holds(said.turn))
            and (self.prompt_tokens is None or self.prompt_tokens.holds(said.prompt_tokens))
        )

    @property
    def reads_prompt(self) -> bool:
        """Whether the prompt has to be read: that counts its tokens."""
        return bool(self.user) or not (self.tool_result is None and self.turn is None and self.prompt_tokens is None)


def drawn(share: float, lot: Lot, draw: Draw, purpose: str) -> bool:
    """Whether this call is in the share: a function of seed, scenario, call, r and k, never of other calls."""
    return share > 0 and lot.main(draw, purpose) < share


def matches(names: Names, value: str) -> bool:
    return not names or any(pattern.search(value) is not None for pattern in names)


def pattern_of(text: str) -> re.Pattern[str]:
    """A glob over the whole value ("gpt-4o*"), or a regular expression anywhere in it ("/mini|nano/").

    Raises:
        re.error: the regular expression is wrong.
    """
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        return re.compile(text[1:-1])
    return re.compile(r"\A" + fnmatch.translate(text))


def values(path: Path, body: JSON) -> Iterator[Any]:
    """What a JSON path names in a request body."""
    if path.steps is not None:
        yield from _walked(body, path.steps)
        return
    try:
        found = [match.value for match in path.expression.find(body)]
    except (RecursionError, TypeError, ValueError, AttributeError, LookupError):
        return  # jsonpath-ng compares what the client sent without looking at its type first: that is no match
    yield from found


def _walked(value: JSON, steps: tuple[str | int | None, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step is None:
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from _walked(item, rest)
    elif isinstance(step, str):
        if isinstance(value, dict) and step in value:
            yield from _walked(value[step], rest)
    elif isinstance(value, list) and -len(value) <= step < len(value):
        yield from _walked(value[step], rest)


def _same(one: JSON, other: JSON) -> bool:
    """Equal as JSON: 1 is 1.0, but not true."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)
