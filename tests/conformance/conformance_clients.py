"""Which clients are tested, the cases that their programs declare, and what is not served."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).resolve().parent


class Environment(Enum):
    """Where a client's packages are."""

    TESTS = "this interpreter: the extra `test` has the official Python SDKs"
    SECOND_LINE = "a venv of its own: the pins clash with those of the newest SDKs"
    NODE = "Node 22 and the packages of node/package-lock.json"

    @property
    def folder(self) -> Path:
        """Where its programs are."""
        return HERE / ("node" if self is Environment.NODE else "clients")


@dataclass(frozen=True, slots=True)
class Client:
    """One column of the table; `packages` are the distributions whose versions it was run with."""

    name: str
    environment: Environment
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    official: bool = True

    def paths(self) -> tuple[Path, ...]:
        return tuple(self.environment.folder / program for program in self.programs)


_OPENAI = ("openai_chat", "openai_responses", "openai_resources", "openai_refusals")
CLIENTS: tuple[Client, ...] = (
    Client("openai (Python)", Environment.TESTS, ("openai",), tuple(f"{name}.py" for name in _OPENAI)),
    Client("openai (Node)", Environment.NODE, ("openai",), tuple(f"{name}.mjs" for name in _OPENAI)),
    Client("anthropic (Python)", Environment.TESTS, ("anthropic",), ("anthropic_messages.py", "anthropic_refusals.py")),
    Client(
        "anthropic (Node)",
        Environment.NODE,
        ("@anthropic-ai/sdk",),
        ("anthropic_messages.mjs", "anthropic_refusals.mjs"),
    ),
    Client("google-genai (Python)", Environment.TESTS, ("google-genai",), ("gemini.py", "gemini_refusals.py")),
    Client("google-genai (Node)", Environment.NODE, ("@google/genai",), ("gemini.mjs", "gemini_refusals.mjs")),
    Client("cohere (Python)", Environment.TESTS, ("cohere",), ("cohere_client.py", "cohere_refusals.py")),
    Client("cohere (Node)", Environment.NODE, ("cohere-ai",), ("cohere_client.mjs", "cohere_refusals.mjs")),
    Client("mistralai", Environment.SECOND_LINE, ("mistralai",), ("mistral_client.py",)),
    Client("LiteLLM", Environment.SECOND_LINE, ("litellm",), ("litellm_client.py",), official=False),
    Client(
        "LangChain",
        Environment.SECOND_LINE,
        ("langchain-openai", "langchain-anthropic", "langchain-google-genai", "langchain-cohere"),
        ("langchain_client.py",),
        official=False,
    ),
    Client("Agents SDK", Environment.SECOND_LINE, ("openai-agents",), ("agents_client.py",), official=False),
    Client("pydantic-ai", Environment.SECOND_LINE, ("pydantic-ai-slim",), ("pydantic_ai_client.py",), official=False),
)

NOT_SERVED: Mapping[str, str] = MappingProxyType(
    {
        "openai.chat.completions.retrieve": "chat completions are not stored",
        "openai.models.delete": "there are no fine-tuned models to delete",
    }
)
"""Endpoints (ids of endpoints.yaml) that the simulator answers with 501, and why. Each must indeed say so to each client."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names a case: a client, an endpoint and what is done with it."""

    client: str
    endpoint: str
    feature: str

    def __str__(self) -> str:
        return f"{self.client}: {self.endpoint}: {self.feature}"


# One declaration on one line, in either language (clients/cases.py, node/cases.mjs).
_DECLARATION = re.compile(r'^(?:@case|test)\("([\w.]+)", "([^"]+)"', re.MULTILINE)


def declared(path: Path) -> tuple[tuple[str, str], ...]:
    """(endpoint, feature) of each case of a program, in order of appearance; read, not run."""
    return tuple(_DECLARATION.findall(path.read_text(encoding="utf-8")))


def all_keys() -> Iterator[Key]:
    for client in CLIENTS:
        for path in client.paths():
            yield from (Key(client.name, endpoint, feature) for endpoint, feature in declared(path))


def expected(key: Key) -> str:
    return "not served" if key.endpoint in NOT_SERVED else "passed"
