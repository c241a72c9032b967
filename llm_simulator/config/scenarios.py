"""Scenarios as they are written: the schema of `scenarios:` and of the library's files, and the values they become.

Every shorthand becomes its long form first (`then: replay` is `then: {mode: replay}`), so that each error has one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from llm_simulator.config.limits_fields import BreakerSection, LimitSection
from llm_simulator.config.scenario_fields import (
    BodySection,
    EverySection,
    Headers,
    JsonPath,
    Kind,
    NthSection,
    Patterns,
    RampSection,
    RangeSection,
    RuleName,
    Seconds,
    Share,
    Strings,
    Template,
    Templates,
    UserSection,
    Wait,
    headers_of,
    names_of,
    range_of,
)
from llm_simulator.config.section import Section
from llm_simulator.simulator import faults_broken
from llm_simulator.simulator.faults import Burst, Fault, Strategy
from llm_simulator.simulator.scenario import Phases, Rule, Scenario, Step, Then
from llm_simulator.simulator.scenario_respond import FINISHES, Called, Said, Script
from llm_simulator.simulator.scenario_when import When
from llm_simulator.types import JSON, Mode


class WhenSection(Section):
    """All that is given must hold; of several names any. Names are globs ("gpt-4o*") or regular expressions ("/mini/")."""

    provider: Patterns = ()
    operation: Patterns = ()
    model: Patterns = ()
    path: Patterns = ()
    session: Patterns = ()
    stream: bool | None = None
    header: Headers = Field(default_factory=dict, description="name -> pattern; without one it has to be there")
    body: dict[JsonPath, BodySection] = Field(default_factory=dict, description="JSON path -> equals, regex, exists")
    user: UserSection | None = Field(default=None, description="the last words of the user")
    tool_result: bool | None = Field(default=None, description="whether the prompt ends in the result of a tool")
    turn: RangeSection | None = Field(default=None, description="from 1: one more than the assistant has spoken")
    prompt_tokens: RangeSection | None = None
    share: Share | None = Field(default=None, description="of the calls that fit otherwise, from 0 to 1")
    nth: NthSection | None = None
    phase: Strings = ()

    @property
    def made(self) -> When:
        return When(
            provider=names_of(self.provider),
            operation=names_of(self.operation),
            model=names_of(self.model),
            path=names_of(self.path),
            session=names_of(self.session),
            stream=self.stream,
            phase=self.phase,
            headers=headers_of(self.header),
            body=tuple(test.made(path) for path, test in self.body.items()),
            user=self.user.made if self.user else (),
            tool_result=self.tool_result,
            turn=range_of(self.turn),
            prompt_tokens=range_of(self.prompt_tokens),
            nth=self.nth.made if self.nth else None,
            share=self.share.made if self.share else None,
        )


class FaultSection(Section):
    """A fault: an error of the catalogue or of every provider by name, a break of the connection, or a status alone."""

    SHORT: ClassVar[list[JSON]] = [{"type": "string"}]

    kind: Kind = ""
    name: RuleName | None = Field(default=None, description="what the journal says; default: its kind")
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    message: str = ""
    param: str | None = None
    code: str | None = None
    type: str = ""
    retry_after: Seconds | None = None
    delay: Wait | None = Field(default=None, description="seconds before anything is sent")
    after_tokens: Annotated[int, Field(ge=0)] = Field(default=5, description="where a stream breaks")
    in_tool_call: bool = Field(default=False, description="count the tokens of tool calls only")
    seconds: Seconds | None = Field(default=None, description="how long what is slow takes; of a drip each piece")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.kind and self.status is None and self.delay is None:
            raise ValueError("needs a kind, a status or a delay")
        return self

    @property
    def breaks(self) -> bool:
        """Whether it breaks or delays an answer rather than replacing it."""
        return not self.status and (not self.kind or faults_broken.find(self.kind) is not None)

    @property
    def called(self) -> str:
        return self.name or self.kind or (f"status {self.status}" if self.status else "delay")

    def made(self, strategy: Strategy | None = None, priority: int = 0) -> Fault:
        return Fault(
            name=self.called,
            what=self.kind,
            status=self.status,
            message=self.message,
            param=self.param,
            code=self.code,
            type=self.type,
            retry_after=self.retry_after,
            delay=self.delay.made if self.delay else None,
            after_tokens=self.after_tokens,
            in_tool_call=self.in_tool_call,
            seconds=self.seconds,
            priority=priority,
            strategy=strategy or Strategy(),
        )


class BurstSection(Section):
    """Windows: the first `length` of each `every`, from `start` on."""

    length: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(description="how many, or how many seconds")
    every: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(description="of how many")
    by: Literal["occurrence", "calls", "clock"] = Field(
        default="occurrence", description="of equal calls, of all calls of the session, or seconds since activation"
    )
    start: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0, description="when the first one begins"
    )

    @model_validator(mode="after")
    def _shorter(self) -> Self:
        if self.length >= self.every:
            raise ValueError(f"a window of {self.length:g} out of each {self.every:g} would never end")
        return self

    @property
    def made(self) -> Burst:
        return Burst(self.length, self.every, self.by, self.start)


class StrategySection(FaultSection):
    """A fault that strikes now and then: where all that is given holds."""

    priority: int = 0
    probability: Share | None = None
    every: EverySection | None = Field(default=None, description="n: every nth")
    first_attempts: Annotated[int, Field(ge=1)] | None = Field(default=None, description="tries of a call that fail")
    burst: BurstSection | None = Field(default=None, description="windows in which it strikes")
    header: Headers = Field(default_factory=dict)
    session: Patterns = ()
    phase: Strings = ()

    @property
    def striking(self) -> Fault:
        strategy = Strategy(
            self.probability.made if self.probability else None,
            self.every.made if self.every else None,
            self.first_attempts,
            self.burst.made if self.burst else None,
            headers_of(self.header),
            names_of(self.session),
            self.phase,
        )
        return self.made(strategy, self.priority)


class ToolCallSection(Section):
    name: Template
    arguments: dict[str, Templates] = Field(default_factory=dict)


class SaidSection(Section):
    """One answer. A text alone is `text`."""

    SHORT: ClassVar[list[JSON]] = [{"type": "string"}]

    text: Template = ""
    reasoning: Template = ""
    tool_calls: tuple[ToolCallSection, ...] = ()
    structured: Templates = Field(default=None, alias="json", description="a JSON value whose texts are templates")
    finish: Literal["stop", "length", "tool_calls", "content_filter", "stop_sequence"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @property
    def said(self) -> Said:
        return Said(
            text=self.text,
            reasoning=self.reasoning,
            tool_calls=tuple(Called(call.name, call.arguments) for call in self.tool_calls),
            structured=self.structured if "structured" in self.model_fields_set else ...,
            finish=FINISHES[self.finish] if self.finish else None,
        )


class RespondSection(SaidSection):
    """One answer, or `turns` of a conversation: the first, then what follows; the last one stays."""

    SHORT: ClassVar[list[JSON]] = [{"type": "string"}, {"like": "turns"}]

    turns: tuple[SaidSection, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {"turns": value}
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.turns and self.model_fields_set != {"turns"}:
            raise ValueError("turns stand alone: each has its own text, tool_calls, ...")
        return self

    @property
    def made(self) -> Script:
        return Script(tuple(turn.said for turn in self.turns) or (self.said,))


_MODES = ("replay", "auto", "simulate", "record", "record-missing", "verify", "passthrough", "miss", "server")


class ThenSection(Section):
    """What becomes of the call: a mode, or an answer of one's own; `server` (or neither) is the mode of the server."""

    SHORT: ClassVar[list[JSON]] = [{"enum": list(_MODES)}]

    mode: Literal[
        "replay", "auto", "simulate", "record", "record-missing", "verify", "passthrough", "miss", "server"
    ] = "server"
    respond: RespondSection | None = None
    fault: FaultSection | None = Field(default=None, description="strikes each of these calls")
    faults: tuple[StrategySection, ...] = Field(default=(), description="strike now and then; one at a time")
    profile: str = Field(default="", description="the name of a latency profile")
    speed: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    validation: Literal["lenient", "provider"] | None = None
    limits: LimitSection | None = Field(default=None, description="rate limits of this rule's calls (docs/limits.md)")
    breaker: BreakerSection | None = Field(default=None, description="a circuit breaker before this rule's calls")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"mode": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if "mode" in self.model_fields_set and self.respond is not None:
            raise ValueError("mode and respond exclude each other")
        if self.fault is not None and self.faults:
            raise ValueError("fault strikes always: faults would never be asked")
        mode = self._mode
        if mode is not None and mode.forwards and any(fault.breaks for fault in self._all):
            raise ValueError(f"a recorded or simulated answer can be broken, and mode {self.mode} asks the provider")
        if twice := _repeated([fault.called for fault in self.faults]):
            raise ValueError(f"two faults are called {twice!r}: give them names, their chances are drawn by name")
        return self

    @property
    def _all(self) -> tuple[FaultSection, ...]:
        return self.faults if self.fault is None else (self.fault,)

    @property
    def _mode(self) -> Mode | None:
        return None if self.mode in ("miss", "server") else Mode(self.mode)

    @property
    def made(self) -> Then:
        return Then(
            mode=self._mode,
            respond=self.respond.made if self.respond else None,
            fault=self.fault.made() if self.fault else None,
            miss=self.mode == "miss",
            faults=tuple(fault.striking for fault in self.faults),
            profile=self.profile,
            speed=self.speed,
            strict=None if self.validation is None else self.validation == "provider",
            limits=self.limits.made if self.limits else None,
            breaker=self.breaker.made if self.breaker else None,
        )


class RuleSection(Section):
    name: RuleName | None = None
    when: WhenSection = WhenSection()
    then: ThenSection


class StepSection(Section):
    name: RuleName
    length: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, alias="for", description="seconds, or calls; the last phase may go on for ever"
    )


class PhasesSection(Section):
    """Phases one after the other, by the clock (seconds since activation), by the calls of a session, or by equal calls."""

    by: Literal["clock", "calls", "occurrence"]
    steps: Annotated[tuple[StepSection, ...], Field(min_length=1)]
    repeat: bool = False

    @model_validator(mode="after")
    def _finite(self) -> Self:
        endless = [step.name for step in self.steps[: None if self.repeat else -1] if step.length is None]
        if endless:
            raise ValueError(f"phase {endless[0]!r} has no end (for: ...), so what follows it never comes")
        if twice := _repeated([step.name for step in self.steps]):
            raise ValueError(f"two phases are called {twice!r}")
        return self

    @property
    def made(self) -> Phases:
        return Phases(self.by, tuple(Step(step.name, step.length) for step in self.steps), self.repeat)


def _is_free(name: str) -> str:
    if name == "default":
        raise ValueError("default is the name of no scenario")
    return name


ScenarioName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), AfterValidator(_is_free)]
"""Fit for a path and a header."""


class ScenarioSection(Section):
    """A list of rules; the first that fits decides. A call that none fits is answered as without a scenario."""

    about: str = Field(default="", description="what it tests, in a line")
    phases: PhasesSection | None = None
    vary: Literal["occurrence"] | None = Field(default=None, description="equal calls get different answers")
    rules: tuple[RuleSection, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValidationError.from_exception_data("scenario", problems)
        return self

    def _problems(self) -> Iterator[InitErrorDetails]:
        """What one part of a scenario says of another, each at its own place."""
        names = {step.name for step in self.phases.steps} if self.phases else set[str]()
        seen = set[str]()
        for place, rule in enumerate(self.rules):
            name = _rule_name(rule, place)
            if name in seen:
                yield _at(("rules", place, "name"), name, "a rule before has this name; chances are drawn by name")
            seen.add(name)
            yield from _unknown(rule.when.phase, names, ("rules", place, "when", "phase"))
            ramps: list[tuple[tuple[str | int, ...], RampSection | None]] = [(("when", "share"), rule.when.share)]
            for number, fault in enumerate(rule.then.faults):
                inside = ("then", "faults", number)
                yield from _unknown(fault.phase, names, ("rules", place, *inside, "phase"))
                ramps += [((*inside, "probability"), fault.probability), ((*inside, "delay"), fault.delay)]
            for where, ramp in ramps:
                if ramp is not None and ramp.moves and not names:
                    told = "from and to change in the course of a phase, and this scenario has none"
                    yield _at(("rules", place, *where), f"{ramp.start:g} to {ramp.to:g}", told)

    def made(self, name: str) -> Scenario:
        rules = (Rule(_rule_name(rule, place), rule.when.made, rule.then.made) for place, rule in enumerate(self.rules))
        phases = self.phases.made if self.phases else None
        return Scenario(name, tuple(rules), self.about, phases, self.vary is not None)


def _rule_name(rule: RuleSection, place: int) -> str:
    return rule.name or f"rule {place + 1}"


def _repeated(names: list[str]) -> str:
    return next((name for place, name in enumerate(names) if name in names[:place]), "")


def _unknown(used: tuple[str, ...], known: set[str], where: tuple[str | int, ...]) -> Iterator[InitErrorDetails]:
    for name in used:
        if name not in known:
            yield _at(
                where, name, f"no such phase; allowed here: {', '.join(sorted(known)) or 'none, there are no phases'}"
            )


def _at(where: tuple[str | int, ...], value: Any, problem: str) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError("scenario", "{problem}", {"problem": problem}), loc=where, input=value
    )
