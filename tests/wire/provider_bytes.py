"""What the stand-in says to the programs of tests/programs: scripted answers in each provider's own bytes.

Our dialects spell them (each is tested against genuine traffic), so no recording of others is copied here.
A prompt names its answer by a tag (`Say hello. #plain`); the last tag of a request counts.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from urllib.parse import urlsplit

from standin import Asked, Script

from llm_simulator import dialects
from llm_simulator.types import (
    Call,
    Choice,
    Completion,
    Condition,
    Finish,
    Headers,
    Part,
    RawRequest,
    Reply,
    Text,
    ToolCall,
    Usage,
)

GAP = 0.004  # seconds between two chunks of a stream
LINGER = 0.02  # seconds until the end of a streamed body comes; some SDKs close at the last event and never see it
CREATED = 1_780_000_000
TOOL = ("read_thermometer", '{"city": "Ulm"}')
LIMITED = Condition(
    "rate_limited", 429, "Slow down, please.", type="rate_limit_error", headers=(("retry-after-ms", "20"),)
)
TEXTS: dict[str, tuple[str, ...]] = {
    "plain": ("Hello there, dear reader.",),
    "stream": ("Eins, zwei, drei, vier, fünf 🖐 und sechs.",),
    "gzip": ("It was a dark and stormy night. " * 60,),
    "limited": ("Not any more.",),
    "twice": ("Heads.", "Tails."),
    "image": ("One red dot.",),
    "told": ("It is 18 degrees in Ulm.",),
    "async": ("Hello again.",),
    **{f"call{n}": (f"I thought of {n}, {n * n} and {n**3}.",) for n in range(8)},
}
_TAGS = re.compile(rb"#([a-z]+\d?)")


@dataclass(frozen=True)
class Said:
    """One scripted answer, provider-neutral: what a program must have seen of it."""

    text: str
    tools: tuple[tuple[str, str], ...]
    usage: tuple[int, int]


def said(step: str, nth: int = 0) -> Said:
    """The `nth` answer to the prompts tagged with `step`."""
    prompt = 20 + len(step)
    if step == "ask":
        return Said("", (TOOL,), (prompt, 7))
    text = TEXTS[step][min(nth, len(TEXTS[step]) - 1)]
    return Said(text, (), (prompt, len(_tokens(text))))


@dataclass
class Provider:
    """Answers as the provider at `host` does; `seen` counts the requests of each tag, `encoded` the gzip answers."""

    host: str
    seen: Counter[str] = field(default_factory=lambda: Counter())
    encoded: int = 0

    def __call__(self, asked: Asked) -> Script:
        call = self._call(asked)
        step = _TAGS.findall(call.raw.body)[-1].decode()
        nth = self.seen[step]
        self.seen[step] += 1
        dialect = dialects.of(call)
        if step == "limited" and nth == 0:
            return _script(dialect.refuse(LIMITED, call))
        reply = dialect.write(_completion(step, nth, call.model), call)
        if step == "gzip" and "gzip" in asked.header("accept-encoding"):
            self.encoded += 1
            return _zipped(reply)
        return _script(reply)

    def _call(self, asked: Asked) -> Call:
        target = urlsplit(asked.target)
        return dialects.read(
            RawRequest(
                asked.method,
                target.path,
                host=self.host,
                query=target.query,
                headers=asked.headers,
                body=asked.body,
            )
        )


def _completion(step: str, nth: int, model: str) -> Completion:
    answer = said(step, nth)
    identity = blake2b(f"{step} {nth}".encode(), digest_size=24).hexdigest()
    parts: list[Part] = [Text(_tokens(answer.text))] if answer.text else []
    for name, arguments in answer.tools:
        parts.append(ToolCall(identity[::-1][:32], name, tuple(re.findall(r".{1,6}", arguments))))
    finish = Finish.TOOL_CALLS if answer.tools else Finish.STOP
    return Completion(identity, CREATED, model, (Choice(tuple(parts), finish),), Usage(*answer.usage))


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\s*\S+\s*$|\s*\S+", text))


def _script(reply: Reply) -> Script:
    if isinstance(reply.body, bytes):
        return Script(reply.status, _unframed(reply.headers), ((0.005, reply.body),), chunked=False)
    frames = [frame.data for frame in reply.body]
    return Script(reply.status, _unframed(reply.headers), tuple((GAP, data) for data in frames), linger=LINGER)


def _zipped(reply: Reply) -> Script:
    """The whole body compressed, in three pieces that cut it anywhere."""
    assert isinstance(reply.body, bytes)
    body = gzip.compress(reply.body, mtime=0)
    size = len(body) // 3 + 1
    pieces = tuple((GAP, body[at : at + size]) for at in range(0, len(body), size))
    return Script(reply.status, (*_unframed(reply.headers), ("Content-Encoding", "gzip")), pieces)


def _unframed(headers: Headers) -> Headers:
    return tuple(
        (name, value) for name, value in headers if name.lower() not in ("content-length", "transfer-encoding")
    )


def expected_steps(*, asynchronous: bool) -> list[tuple[str, Said]]:
    """The lines of a program's transcript: step and what was said, in order."""
    order = ["plain", "stream", "gzip", "limited", "twice", "twice", "image", "ask", "told"]
    order += [f"call{n}" for n in range(8)] + (["async"] if asynchronous else [])
    numbers = {step: count() for step in order}
    return [(step, said(step, next(numbers[step]))) for step in order]
