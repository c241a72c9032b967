"""The one interface between the provider-neutral product and a provider's wire format.

A dialect is pure: values in, values out; no I/O, no clock, no chance. One file per provider and API family implements
it and is listed once in `registry.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from llm_simulator.types import JSON, Call, Completion, Condition, Headers, RawRequest, Reply, Usage


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `schema` is the JSON schema of its arguments (None: no parameters)."""

    name: str
    description: str = ""
    schema: JSON = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the prompt: role (system, user, assistant, tool, ...) and its visible text."""

    role: str
    text: str
    tool_calls: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What the engine must know of a chat call, provider-neutral.

    `max_tokens` is None where the request sets none. `tool_choice` is "auto", "none", "required" or the name of a tool.
    `prompt_tokens` is what the provider would bill; `exact` says whether that count is exact or estimated.
    `schema` is the JSON schema of a structured output ({} for plain JSON mode), None where plain text is wanted.
    `warnings` name request values that were accepted leniently (for the warning header and the log).
    """

    turns: tuple[Turn, ...]
    prompt_tokens: int
    exact: bool = True
    max_tokens: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    choices: int = 1
    stop: tuple[str, ...] = ()
    schema: JSON = None
    warnings: tuple[str, ...] = ()


class Dialect(Protocol):
    """One provider and API family."""

    name: str  # the file's name: "openai_chat"
    provider: str  # "openai"
    api_version: str  # what `GET /admin/providers` shows
    features: frozenset[str]  # of "chat", "streaming", "function_calling", "tool_use", "vision", ... as covered here
    simulates: frozenset[str]  # operations that `write` or `respond` can answer: {"chat"}, {"models.list", ...}

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        """The call, or None where method and path are not this dialect's. Never raises: see `Call.problem`."""
        ...

    def check(self, call: Call) -> Condition | None:
        """What is structurally wrong with the call (both validation levels refuse it), or None."""
        ...

    def ask(self, call: Call) -> Ask:
        """What to generate. Only for a call that `check` passed."""
        ...

    def write(self, completion: Completion, call: Call) -> Reply:
        """Spells a completion: one body, or frames where `call.stream`. Headers include the provider's usual ones."""
        ...

    def respond(self, call: Call, seed: bytes, created: int) -> Reply:
        """Answers an operation that needs no generation (models.list, models.get); ids derive from `seed`."""
        ...

    def refuse(self, condition: Condition, call: Call) -> Reply:
        """Spells an error in the provider's own envelope, with its usual headers."""
        ...

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        """Reads a recorded answer (content-encoding undone) back into a completion; None where it is none."""
        ...

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        """The provider's own token counts out of a recorded answer (content-encoding undone)."""
        ...

    def twins(self, call: Call) -> tuple[Call, ...]:
        """The same call with the stream flag the other way round, in every spelling that may have been recorded."""
        ...
