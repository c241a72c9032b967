"""What the client programs share: the cases that they declare and the lines that they print.

`python openai_chat.py LENIENT STRICT` runs the program's cases against two running simulators (base URLs; the second
validates as the provider does) and prints one JSON line per case:
{"endpoint": ..., "feature": ..., "outcome": "passed" | "failed" | "not served", "detail": ...}.

No import of ours: these programs run in environments that hold only an SDK.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
NOT_SERVED = "not_simulated"  # the code of the simulator's 501


@dataclass(frozen=True)
class Case:
    """One thing that a client does with one endpoint (an id of endpoints.yaml); `run` raises where it goes wrong."""

    endpoint: str
    feature: str
    run: Callable[[], Any]


CASES: list[Case] = []


def case(endpoint: str, feature: str, *arguments: Any) -> Callable[[Function], Function]:
    """Declares a case; the function is called with `arguments`. May stand several times over one function.

    The runner finds the declarations by reading them (`catalogue.py`): literal strings, on one line.
    """

    def declare(function: Function) -> Function:
        CASES.append(Case(endpoint, feature, lambda: function(*arguments)))
        return function

    return declare


def hosts() -> Callable[[str], str]:
    """From a provider's host to the base URL under which the lenient simulator answers for it."""
    return lambda host: f"{sys.argv[1]}/{host}"


def strict_hosts() -> Callable[[str], str]:
    """The same for the simulator that validates as the provider does."""
    return lambda host: f"{sys.argv[2]}/{host}"


def main() -> None:
    for declared in CASES:
        outcome, detail = _outcome(declared)
        print(json.dumps([declared.endpoint, declared.feature, outcome, detail]), flush=True)


def _outcome(declared: Case) -> tuple[str, str]:
    try:
        result = declared.run()
        if inspect.isawaitable(result):
            asyncio.run(_awaited(result))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is this case's result
        if any(_says_not_served(cause) for cause in _causes(error)):
            return "not served", ""
        return "failed", "".join(traceback.format_exception(error))[-3000:]
    return "passed", ""


async def _awaited(result: Any) -> None:
    await result


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _says_not_served(error: BaseException) -> bool:
    """The simulator's 501; a refused WebSocket handshake has no body to tell by."""
    refused = type(error).__name__ == "InvalidStatus" and error.response.status_code == 501
    return refused or NOT_SERVED in f"{error} {getattr(error, 'body', '')}"


def raised(kind: type[BaseException], call: Callable[[], Any]) -> Any:
    """The exception of exactly that class which the call raises."""
    try:
        result = call()
    except Exception as error:
        if type(error) is kind:
            return error
        raise
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def raised_like(kinds: type[BaseException] | tuple[type[BaseException], ...], call: Callable[[], Any]) -> Any:
    """The exception of one of those classes, or of a subclass, which the call raises."""
    try:
        result = call()
    except kinds as error:
        return error
    raise AssertionError(f"no {kinds}, but {result!r}")


def several(pieces: Iterable[str]) -> str:
    """The text of a stream; it must have come in more than one piece."""
    parts = [piece for piece in pieces if piece]
    assert len(parts) > 1, parts
    return "".join(parts)


def valid(thing: Any) -> Any:
    """Checks a pydantic model for real: the SDKs construct theirs from anything."""
    given = thing.to_dict(mode="json", exclude_unset=True) if hasattr(thing, "to_dict") else thing.model_dump()
    type(thing).model_validate(given)
    return thing


SENTENCE = "Write two or three sentences about the sea."
TOOL = "read_thermometer"
TOOL_TEXT = "Reads the thermometer of a city."
TOOL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
TOLD = '{"degrees": 18}'


def check_tool_input(name: str, given: Any) -> None:
    """The arguments of a call of TOOL satisfy its schema."""
    arguments = json.loads(given) if isinstance(given, str) else dict(given)
    assert name == TOOL, name
    assert set(arguments) == {"city", "unit", "days"}, arguments
    assert isinstance(arguments["city"], str)
    assert arguments["unit"] in ("celsius", "fahrenheit")
    assert 1 <= arguments["days"] <= 7


PNG = (  # 1 x 1, grey
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cch\x00\x00\x00\x82\x00\x81w\xcdr\xb6\x00\x00\x00\x00IEND\xaeB`\x82"
)


def wav() -> bytes:
    """A second of silence: 8 kHz, 16 bits, mono."""
    data = bytes(16000)
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"\x01\x00\x01\x00" + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\x02\x00\x10\x00"
    return head + form + b"data" + len(data).to_bytes(4, "little") + data
