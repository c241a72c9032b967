"""The calls that `determinism.py` asks, the scenario that answers them, and the cassette that part of it is replayed from."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import rig
from benchmarks.determinism_asking import ask_all, asked, free_port

REPEATS = 20
HOSTS = ("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "api.cohere.com", "api.mistral.ai")
TOPICS = ("tides", "a lighthouse", "winter rye", "the first telegraph", "copper", "owls", "a chess opening", "rain")
TOOL = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}

KINDS = ("rate_limit", "overloaded", "reset_before_headers", "early_close", "truncated_chunk")
FAULTS = [{"kind": kind, "probability": 0.021} for kind in KINDS]
"""About one call in ten. No reset in the middle of a stream: what it takes away in the client's kernel is not ours to say."""

CONFIG: dict[str, Any] = {
    "version": "2.0",
    "scenario": "mix",
    "scenarios": {
        "mix": {
            "about": "30 % recorded, 30 % templated, the rest simulated; one in ten fails",
            "rules": [
                {"name": "recorded", "when": {"share": 0.3}, "then": {"mode": "replay", "faults": FAULTS}},
                {
                    "name": "templated",
                    "when": {"share": 3 / 7},
                    "then": {
                        "respond": "{{ choice('It is', 'That makes') }} {{ integer(1, 1000) }}, as to {{ user }}",
                        "faults": FAULTS,
                    },
                },
                {"name": "simulated", "then": {"mode": "simulate", "faults": FAULTS}},
            ],
        }
    },
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: which call it makes, which occurrence of it its header names (None: no header), its bytes."""

    call: int
    occurrence: int | None
    data: bytes

    @property
    def name(self) -> tuple[int, int]:
        """What it is compared by; those without a header are one set."""
        return self.call, -1 if self.occurrence is None else self.occurrence


@dataclass(frozen=True, slots=True)
class Plan:
    """How many: calls asked once, calls repeated with the header, equal ones without it (`groups` of them)."""

    once: int
    repeated: int
    equal: int
    groups: int

    @classmethod
    def of(cls, total: int) -> Plan:
        """10,000 are 4,000 distinct calls: 3,700 once and 300 repeated 20 times; the rest, 300, are 10 equal calls."""
        once, repeated = total * 37 // 100, total * 3 // 100
        rest = total - once - repeated * REPEATS
        return cls(once, repeated, rest, max(1, min(10, rest // 3)))

    @property
    def asks(self) -> list[Ask]:
        once = [Ask(call, None, request(call)) for call in range(self.once)]
        repeated = [
            Ask(call, occurrence, request(call, occurrence))
            for call in range(self.once, self.once + self.repeated)
            for occurrence in range(REPEATS)
        ]
        first = self.once + self.repeated
        calls = [first + at % self.groups for at in range(self.equal)]
        return [*once, *repeated, *(Ask(call, None, request(call)) for call in calls)]

    @property
    def calls(self) -> int:
        """How many different ones."""
        return self.once + self.repeated + self.groups

    def __str__(self) -> str:
        total = self.once + self.repeated * REPEATS + self.equal
        return (
            f"{total:,} requests: {self.once + self.repeated:,} distinct calls ({self.once:,} once, {self.repeated:,} "
            f"repeated {REPEATS} times with x-llm-simulator-occurrence), {self.equal:,} equal ones without it ("
            f"{self.groups} calls); {len(HOSTS)} providers, half of it streamed"
        )


def request(call: int, occurrence: int | None = None) -> bytes:
    """A call as bytes on the wire: the providers take turns, streamed or not by fives."""
    host, stream = HOSTS[call % 5], call // 5 % 2 == 1
    text = f"Tell me about {TOPICS[call % 8]}, part {call}, in {call % 9 + 3} words."
    path, body = _spelled(host, text, stream, 10 + call % 40, tools=call % 7 == 0)
    headers = [("content-type", "application/json"), *_keys(host)]
    if call % 50 == 0:
        headers.append(("x-stainless-retry-count", "1"))
    if occurrence is not None:
        headers.append(("x-llm-simulator-occurrence", str(occurrence)))
    return asked(f"/{host}{path}", headers, json.dumps(body).encode())


def _keys(host: str) -> list[tuple[str, str]]:
    if host == HOSTS[1]:
        return [("x-api-key", "sk-ant-test"), ("anthropic-version", "2023-06-01")]
    if host == HOSTS[2]:
        return [("x-goog-api-key", "test")]
    return [("authorization", "Bearer test")]


def _spelled(host: str, text: str, stream: bool, most: int, *, tools: bool) -> tuple[str, dict[str, Any]]:
    messages = [{"role": "user", "content": text}]
    if host == HOSTS[2]:
        config = {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"maxOutputTokens": most},
        }
        path = "/v1beta/models/gemini-2.0-flash:"
        return path + ("streamGenerateContent?alt=sse" if stream else "generateContent"), config
    body: dict[str, Any] = {"messages": messages, "max_tokens": most, "stream": stream}
    if host == HOSTS[1]:
        given = {"tools": [{"name": "weather", "input_schema": TOOL}]} if tools else {}
        return "/v1/messages", {"model": "claude-sonnet-4-5", **body, **given}
    given = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]} if tools else {}
    if host == HOSTS[3]:
        return "/v2/chat", {"model": "command-a-03-2025", **body, **given}
    model = "gpt-4o-mini" if host == HOSTS[0] else "mistral-small-latest"
    return "/v1/chat/completions", {"model": model, **body, **given}


def recorded(folder: Path, plan: Plan) -> Path:
    """The cassette with an answer to each call: recorded, with what recording times are, from a simulator of another seed."""
    cassette = folder / "mix.db"
    port, door = free_port(), free_port()
    source = rig.ours("upstream", port, "--mode", "simulate", "--speed", "0", "--seed", "4711")
    upstreams = [f"--upstream={host}=http://127.0.0.1:{port}/{host}" for host in HOSTS]
    recorder = rig.ours("recorder", door, "--mode", "record", "--cassette", str(cassette), *upstreams)
    requests = [request(call) for call in range(plan.calls)]
    with rig.running(source), rig.running(recorder):
        answers = asyncio.run(ask_all(door, requests, 16))
    wrong = [
        answer for answer in answers if answer.status != 200 or answer.header(b"x-llm-simulator-source") != "upstream"
    ]
    if wrong:
        raise SystemExit(f"{len(wrong)} of {len(answers)} calls could not be recorded, first: {wrong[0]}")
    return cassette


def written(folder: Path, *, by_order: bool = False) -> Path:
    """The configuration as a file; `by_order` with a rule for every third call, whichever that is."""
    config = deepcopy(CONFIG)
    if by_order:
        rule = {"name": "third", "when": {"nth": {"every": 3, "by": "calls"}}, "then": {"respond": "I am the third."}}
        config["scenarios"]["mix"]["rules"].insert(0, rule)
    path = folder / ("by_order.json" if by_order else "mix.json")
    path.write_text(json.dumps(config))
    return path
