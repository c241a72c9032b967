"""How often our token counts equal the provider's own, over recorded answers: the truth that a user has for his own prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llm_simulator import dialects, tokens
from llm_simulator.dialects.base import Ask, Desk, Dialect
from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.simulator.engine import runs_nothing
from llm_simulator.simulator.shelf import MemoryShelf
from llm_simulator.tokens import Count
from llm_simulator.types import (
    JSON,
    Call,
    Choice,
    Completion,
    Exchange,
    Outcome,
    Part,
    Reasoning,
    ToolCall,
    Usage,
    header,
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One count. `kind` is "prompt" or "completion" and what is in it; `exact` whether we call ours exact."""

    provider: str
    family: str
    model: str
    kind: str
    theirs: int
    ours: int
    exact: bool


@dataclass(slots=True)
class Score:
    """The counts of one category. Errors are ours against the provider's."""

    number: int = 0
    equal: int = 0
    called_exact: int = 0
    off: int = 0  # tokens, absolute
    relative: float = 0.0  # sum of |error| / theirs

    def add(self, one: Compared) -> None:
        difference = abs(one.ours - one.theirs)
        self.number += 1
        self.equal += not difference
        self.called_exact += one.exact
        self.off += difference
        self.relative += difference / max(one.theirs, 1)

    def as_json(self) -> dict[str, Any]:
        return {
            "calls": self.number,
            "equal": self.equal,
            "equal_share": round(self.equal / self.number, 4),
            "called_exact": self.called_exact,
            "mean_error_tokens": round(self.off / self.number, 2),
            "mean_error_share": round(self.relative / self.number, 4),
        }


@dataclass(slots=True)
class TokenTruth:
    """Scores by (provider, family, kind)."""

    scores: dict[tuple[str, str, str], Score] = field(default_factory=lambda: {})

    def add(self, exchange: Exchange) -> None:
        """Takes a recording into account, if its provider counted."""
        for one in compared(exchange):
            self.scores.setdefault((one.provider, one.family, one.kind), Score()).add(one)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"provider": p, "family": f, "kind": k, **one.as_json()} for (p, f, k), one in sorted(self.scores.items())
        ]

    def as_text(self) -> str:
        """One line a category."""
        if not self.scores:
            return "no recorded answer tells how many tokens it took"
        lines = ["token counts, ours against the provider's:"]
        for (provider, family, kind), score in sorted(self.scores.items()):
            shown = score.as_json()
            lines.append(
                f"  {provider:<10} {family:<18} {kind:<26} {score.number:>6} calls, equal {100 * shown['equal_share']:.1f} %, "
                f"mean error {shown['mean_error_tokens']:g} tokens ({100 * shown['mean_error_share']:.1f} %)"
                f"{'' if score.called_exact == score.number else f', {score.number - score.called_exact} estimated'}"
            )
        return "\n".join(lines)


def compared(exchange: Exchange) -> Iterator[Compared]:
    """The counts of one recording: none where it is no whole success, or its provider told none."""
    if exchange.outcome is not Outcome.COMPLETE or exchange.status != 200:
        return
    call = dialects.read(exchange.request)
    dialect = dialects.of(call)
    try:
        body = decode(exchange.body, header(exchange.headers, "content-encoding"))
    except CodingError:
        return
    theirs = dialect.usage(exchange.status, exchange.headers, body, call)
    if theirs is None or call.operation not in dialect.simulates or dialect.check(call) is not None:
        return
    facts = (call.provider, call.family, call.model)
    if call.operation in dialect.generates:
        ask = dialect.ask(call)
        said = dialect.parse(exchange.status, exchange.headers, body, call)
        prompt, completion = _counted(dialect, call, ask, said, theirs)
        yield Compared(*facts, f"prompt, {_holds(ask)}", theirs.prompt, prompt.tokens, prompt.exact)
        if said is not None and completion is not None and theirs.completion:
            calls = any(isinstance(part, ToolCall) for choice in said.choices for part in choice.parts)
            kind = f"completion, {'calls' if calls else 'text'}"
            yield Compared(*facts, kind, theirs.completion, completion.tokens, completion.exact)
    elif call.operation not in dialect.stateful:
        ours_usage = _responded(dialect, call)
        if ours_usage is not None:
            yield Compared(*facts, "prompt, plain", theirs.prompt, ours_usage.prompt, ours_usage.exact)


def _holds(ask: Ask) -> str:
    if any(turn.tool_calls or turn.role in ("tool", "function") for turn in ask.turns):
        return "tools with history"
    return "tools" if ask.tools else "plain"


def _counted(
    dialect: Dialect, call: Call, ask: Ask, said: Completion | None, theirs: Usage
) -> tuple[Count, Count | None]:
    """Our counts of the prompt and of the answer."""
    exactly = _RULES.get(call.family)
    prompt = Count(ask.prompt_tokens, ask.exact)
    if said is None:
        return prompt, None
    if exactly is None:
        return prompt, _estimated(ask, said, theirs, call.model)
    reply = dialect.write(said, replace(call, stream=False))
    if not isinstance(reply.body, bytes):
        return prompt, None
    return exactly(call, json.loads(reply.body), theirs, prompt)


def _chat(call: Call, answer: JSON, theirs: Usage, prompt: Count) -> tuple[Count, Count]:
    azure, created = call.provider == "azure", answer.get("created")
    completion = tokens.count_completion(
        call.body, answer["choices"], call.model, reasoning=theirs.reasoning, azure=azure, created=created
    )
    return prompt, completion


def _responses(call: Call, answer: JSON, theirs: Usage, _: Count) -> tuple[Count, Count]:
    prompt = tokens.count_responses_input(call.body, call.model, created=int(answer.get("created_at") or 0) or None)
    return prompt, tokens.count_responses_output(call.body, answer["output"], call.model, reasoning=theirs.reasoning)


def _legacy(call: Call, answer: JSON, theirs: Usage, _: Count) -> tuple[Count, Count]:
    return tokens.count_legacy_completion(call.body, answer["choices"], call.model)


# What OpenAI bills has changed over time: its answers are counted by the rules of their day.
_RULES: Mapping[str, Callable[[Call, JSON, Usage, Count], tuple[Count, Count]]] = {
    "openai.chat": _chat,
    "openai.responses": _responses,
    "openai.completions": _legacy,
}


def _estimated(ask: Ask, said: Completion, theirs: Usage, model: str) -> Count:
    counted = [_choice(ask, choice, model) for choice in said.choices]
    shown = any(isinstance(part, Reasoning) for choice in said.choices for part in choice.parts)
    hidden = 0 if shown else theirs.reasoning  # thought that nobody sees is counted by the provider alone
    return Count(sum(one.tokens for one in counted) + hidden, all(one.exact for one in counted))


def _choice(ask: Ask, choice: Choice, model: str) -> Count:
    parts = tuple(_in_tokens(part, model) for part in choice.parts)
    if ask.count is not None:
        return ask.count(replace(choice, parts=parts))
    return Count(sum(len(part.arguments if isinstance(part, ToolCall) else part.tokens) for part in parts), ask.exact)


def _in_tokens(part: Part, model: str) -> Part:
    """A recorded part in the pieces that we would have made it of: one a token."""
    if isinstance(part, ToolCall):
        return replace(part, arguments=tokens.split("".join(part.arguments), model))
    return replace(part, tokens=tokens.split("".join(part.tokens), model))


def _responded(dialect: Dialect, call: Call) -> Usage | None:
    """What our own answer to the call says it took."""
    reply = dialect.respond(call, Desk(bytes(16), 0, MemoryShelf(), runs_nothing))
    if reply.status != 200 or not isinstance(reply.body, bytes):
        return None
    return dialect.usage(reply.status, reply.headers, reply.body, call)
