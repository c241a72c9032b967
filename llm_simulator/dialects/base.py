"""The one interface between the provider-neutral product and a provider's wire format.

A dialect is pure: values in, values out; no I/O, no clock, no chance. One file per provider and API family implements
it and is listed once in `registry.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from llm_simulator.dialects.pieces import Work
from llm_simulator.types import JSON, Call, Choice, Completion, Condition, Headers, RawRequest, Reply, Usage

if TYPE_CHECKING:
    from llm_simulator.tokens.tally import Count


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the caller runs; `schema` is the JSON schema of its arguments (None: no parameters).

    `kind` is "function", or "custom" for one that takes plain text.
    """

    name: str
    description: str = ""
    schema: JSON = None
    kind: str = "function"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the prompt: role (system, user, assistant, tool, ...) and its visible text."""

    role: str
    text: str
    tool_calls: int = 0


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much the model thinks before it answers (`dialects/thinking.py` knows which models do).

    `effort` is none, minimal, low, medium, high or xhigh; `budget` the most tokens of thought (None: only the limit of
    the answer bounds it). The provider reports thought in multiples of `step` tokens. `sparing`: the model may find that
    nothing needs thought, the more often the lower the effort.
    """

    effort: str = "medium"
    budget: int | None = None
    step: int = 1
    sparing: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """What the engine must know of a chat call, provider-neutral.

    `max_tokens` is None where the request sets none. `tool_choice` is "auto", "none", "required" or the name of a tool.
    `prompt_tokens` is what the provider would bill; `exact` says whether that count is exact or estimated.
    `schema` is the JSON schema of a structured output ({} for plain JSON mode), None where plain text is wanted.
    `tools` are those that may be called (an allowed subset of those on offer), `parallel` whether several at once.
    `thinking` is None where the model does not think. `prediction` is the text that the caller expects (predicted outputs).
    `count` says what the provider bills for a choice, thought included (None: the tokens of its text, thought and arguments).
    `refusals`: the format has a place of its own for a refusal; it comes as text whose `extra` is {"type": "refusal"}.
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
    parallel: bool = True
    thinking: Thinking | None = None
    prediction: str = ""
    count: Callable[[Choice], Count] | None = None
    refusals: bool = False


class Shelf(Protocol):
    """What earlier calls of a session left behind (files, batches, stored responses): objects by kind and id.

    Values are JSON whose leaves may be bytes. It knows no time: a lifecycle advances by how often an object was looked at.
    """

    def get(self, kind: str, identity: str) -> JSON:
        """The object, or None."""
        ...

    def put(self, kind: str, identity: str, value: JSON) -> None:
        """Keeps an object; one of that id is replaced in its place.

        Raises:
            SimulatorError: the session keeps too much (413).
        """
        ...

    def remove(self, kind: str, identity: str) -> bool:
        """Whether it was there."""
        ...

    def all(self, kind: str) -> tuple[tuple[str, JSON], ...]:
        """(id, object) in order of creation."""
        ...


def all_listed(model: str) -> bool:
    """Hides none."""
    return False


@dataclass(frozen=True, slots=True)
class Desk:
    """What `respond` works with: 16 bytes for ids, `created` in seconds since the epoch, and what is around the call.

    `run` answers an inner request (one line of a batch) through the whole engine, never streamed. `base_url` is how the
    client reaches this provider ("http://127.0.0.1:8080/api.anthropic.com", no slash at the end): for links to ourselves.
    `hidden` says which models are not to be listed, though the provider has them.
    """

    seed: bytes
    created: int
    shelf: Shelf
    run: Callable[[RawRequest], Reply]
    base_url: str = ""
    hidden: Callable[[str], bool] = all_listed


@dataclass(frozen=True, slots=True)
class Route:
    """A request that a dialect answers: what listings, self-tests and the OpenAPI document know of it.

    `path` is the provider's, with {names} for what varies; `values` fills them in for an example. `body` is an example of a
    request body that is answered with a success: JSON, or bytes of the type `media`. "$NAME" as a value, or as a leaf of the
    body, is the id that the answer to the operation NAME of the same provider had. `streams`: `"stream": true` makes it events.
    `status` is the example's: a success, or what the provider refuses by its nature.
    """

    method: str
    path: str
    operation: str
    summary: str
    body: JSON = field(default=None, hash=False)
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    media: str = "application/json"
    streams: bool = False
    status: int = 200


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows a client's message: events at once, then what the engine makes of `ask`; `stop` ends what it is saying."""

    events: tuple[bytes, ...] = ()
    ask: Call | None = None
    stop: bool = False


class Talk(Protocol):
    """One conversation over a WebSocket, as far as it is the provider's format. No I/O: events in, events out."""

    def open(self) -> tuple[bytes, ...]:
        """What the server says first."""
        ...

    def hear(self, opcode: int, data: bytes) -> Reaction:
        """A message of the client (RFC 6455 opcode 1 or 2)."""
        ...

    def begun(self, completion: Completion) -> None:
        """What was asked for is being said from now on."""
        ...

    def said(self, completion: Completion) -> tuple[bytes, ...]:
        """What was asked for has been said to its end."""
        ...


class Dialect(Protocol):
    """One provider and API family."""

    name: str  # the file's name: "openai_chat"
    provider: str  # "openai"
    api_version: str  # what `GET /admin/providers` shows
    features: frozenset[str]  # of "chat", "streaming", "function_calling", "tool_use", "vision", ... as covered here
    simulates: frozenset[str]  # operations that can be answered: {"chat"}, {"models.list", ...}
    generates: frozenset[str]  # those answered by `ask`, the engine and `write`; the others by `respond`
    converses: frozenset[str]  # those that are WebSocket handshakes, answered by `talk`
    stateful: frozenset[str]  # those that read or write the shelf; their answers are not kept
    routes: tuple[Route, ...]  # one for each operation and spelling of its path, in an order in which they can be tried

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        """The call, or None where method and path are not this dialect's. Never raises: see `Call.problem`."""
        ...

    def check(self, call: Call) -> Condition | None:
        """What is structurally wrong with the call (both validation levels refuse it), or None."""
        ...

    def validate(self, call: Call) -> Condition | None:
        """What else the provider would refuse (`validation: provider` only). Only for a call that `check` passed."""
        ...

    def ask(self, call: Call) -> Ask:
        """What to generate. Only for a call that `check` passed."""
        ...

    def write(self, completion: Completion, call: Call) -> Reply:
        """Spells a completion: one body, or frames where `call.stream`. Headers include the provider's usual ones."""
        ...

    def respond(self, call: Call, desk: Desk) -> Reply:
        """Answers an operation that needs no generation (models.list, files.create); ids derive from `desk.seed`."""
        ...

    def work(self, call: Call, desk: Desk) -> Work | None:
        """The same in pieces where it takes long (50 ms, say), so that other clients do not wait for it; else None."""
        ...

    def talk(self, call: Call, desk: Desk) -> Talk:
        """The conversation that a WebSocket handshake opens; `write` spells one event a line for it."""
        ...

    def event(self, condition: Condition) -> bytes:
        """An error as a WebSocket message."""
        ...

    def recall(self, call: Call, shelf: Shelf) -> Call | Condition:
        """The call with what it refers to filled in (a conversation so far). Asked if it generates and is stateful."""
        ...

    def retain(self, call: Call, completion: Completion, shelf: Shelf) -> None:
        """Keeps what later calls may refer to. Asked if the call generates and is stateful."""
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


class Plain:
    """The defaults of a dialect that only reads, checks and responds."""

    generates: frozenset[str] = frozenset()
    stateful: frozenset[str] = frozenset()
    converses: frozenset[str] = frozenset()
    routes: tuple[Route, ...] = ()

    def validate(self, call: Call) -> Condition | None:
        from llm_simulator.dialects.validation import validate  # the rules: a lenient run does not pay for them

        return validate(call, lambda: self.ask(call).prompt_tokens)

    def ask(self, call: Call) -> Ask:
        return Ask((), 0, exact=False)

    def write(self, completion: Completion, call: Call) -> Reply:
        raise AssertionError(f"{type(self).__name__} generates nothing: {call.operation}")

    def work(self, call: Call, desk: Desk) -> Work | None:
        return None

    def talk(self, call: Call, desk: Desk) -> Talk:
        raise AssertionError(f"{type(self).__name__} does not talk over a WebSocket: {call.operation}")

    def event(self, condition: Condition) -> bytes:
        error = {
            "type": condition.type or "invalid_request_error",
            "code": condition.code,
            "message": condition.message,
        }
        return json.dumps({"type": "error", "error": error}, separators=(",", ":")).encode()

    def recall(self, call: Call, shelf: Shelf) -> Call | Condition:
        return call

    def retain(self, call: Call, completion: Completion, shelf: Shelf) -> None:
        """Nothing is kept."""

    def parse(self, status: int, headers: Headers, body: bytes, call: Call) -> Completion | None:
        return None

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        return None

    def twins(self, call: Call) -> tuple[Call, ...]:
        return ()
