"""Asks the real server for every condition of the catalogue, through the real SDKs, and notes what they make of it.

The server is the one that is shipped: door, reader, dialect, wire. Only what it decides is replaced: a call is refused
with the condition that its session is named after. The SDKs are not touched either; they run on an event loop whose clock
runs ahead while all of them only wait, so that a `retry-after` of 300 seconds takes no time.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import anthropic
import cohere
import httpx
import openai
from google import genai
from google.genai import types as genai_types
from mistralai.client import Mistral
from pydantic import BaseModel

from llm_simulator.dialects.conditions import Entry
from llm_simulator.proxy.known import Asked
from llm_simulator.proxy.perform import Performer
from llm_simulator.proxy.sockets import Dialogue
from llm_simulator.telemetry.journal import Entry as Note
from llm_simulator.types import Answer, Chunk, Condition

T = TypeVar("T")
PATIENCE = 1e6
"""Seconds until an SDK gives a request up: beyond what the clock runs ahead."""
LONGEST = 3600.0
"""Seconds of the longest wait that is skipped; a loop that waits for nothing sooner asks for a day."""
BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 0, "errored": 1, "canceled": 0, "expired": 0},
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-02T00:00:00Z",
}

sent: Counter[str] = Counter()
"""How many requests came for a condition."""


class Refusing(Performer):
    """Answers every call with the condition that its session is named after."""

    async def answer(self, asked: Asked, entry: Note) -> Answer:
        name, call = asked.visit.session, asked.known.call
        if call.raw.path.endswith("/batches/msgbatch_1"):  # the SDK looks up where the results are
            batch = {**BATCH, "results_url": f"{asked.visit.base_url}{call.raw.path}/results"}
            body = json.dumps(batch).encode()
            headers = (("content-type", "application/json"), ("content-length", str(len(body))))
            return Answer(200, headers, (Chunk(0.0, body),))
        sent[name] += 1
        return self.refuse(Condition(name, 0, ""), call, entry)

    async def converse(self, asked: Asked, entry: Note) -> Answer | Dialogue:
        name = asked.visit.session
        sent[name] += 1
        return self.tell(Condition(name, 0, ""), asked.known.call, entry)


class _Hurrying(selectors.DefaultSelector):
    """Waits a moment for what is to come; where nothing is, the rest of the wait is skipped."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or not 0 < timeout < LONGEST:
            return super().select(timeout)
        start = time.monotonic()
        events = super().select(min(timeout, 0.03))
        if not events:
            self.skipped += max(timeout - (time.monotonic() - start), 0)
        return events


class _HurryingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hurrying = _Hurrying()
        super().__init__(self._hurrying)

    def time(self) -> float:
        return super().time() + self._hurrying.skipped


def hurried(main: Coroutine[Any, Any, T]) -> T:
    """Runs on a loop that waits for others but not for clocks."""
    with warnings.catch_warnings(), asyncio.Runner(loop_factory=_HurryingLoop) as runner:
        warnings.simplefilter("ignore")  # of the SDKs, about each other and about models
        return runner.run(main)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an SDK made of a condition, and the number of requests that it sent."""

    error: BaseException | None
    result: Any
    requests: int


class _Answer(BaseModel):
    a: str


HI: Any = [{"role": "user", "content": "Hi"}]
CLAUDE, GEMINI, COMMAND = "claude-opus-5", "gemini-2.5-flash", "command-a-03-2025"


async def _all(stream: Any) -> list[Any]:
    return [event async for event in stream]


class Clients:
    """One client of each SDK. A call names its condition by the session header, so that all share a connection pool."""

    def __init__(self, base: str) -> None:
        self.openai = openai.AsyncOpenAI(api_key="sk-test", base_url=f"{base}/api.openai.com/v1", timeout=PATIENCE)
        azure = f"{base}/x.openai.azure.com"
        self.azure = openai.AsyncAzureOpenAI(
            api_key="k", azure_endpoint=azure, api_version="2024-10-21", timeout=PATIENCE
        )
        self.azure_v1 = openai.AsyncOpenAI(api_key="k", base_url=f"{azure}/openai/v1", timeout=PATIENCE)
        google = f"{base}/generativelanguage.googleapis.com"
        self.compat = openai.AsyncOpenAI(api_key="AIza", base_url=f"{google}/v1beta/openai", timeout=PATIENCE)
        self.genai = genai.Client(api_key="AIza-test", http_options=genai_types.HttpOptions(base_url=google))
        url = f"{base}/api.anthropic.com"
        self.anthropic = anthropic.AsyncAnthropic(api_key="sk-ant-test", base_url=url, timeout=PATIENCE)
        self._http = httpx.AsyncClient(timeout=PATIENCE)
        self.cohere = cohere.AsyncClientV2(api_key="k", base_url=f"{base}/api.cohere.com", httpx_client=self._http)
        self.mistral: Any = Mistral(api_key="k", server_url=f"{base}/api.mistral.ai")

    async def close(self) -> None:
        for client in (self.openai, self.azure, self.azure_v1, self.compat, self.anthropic):
            await client.close()
        await self.genai.aio.aclose()
        self.genai.close()
        await self._http.aclose()
        await self.mistral.__aexit__(None, None, None)


def _session(name: str) -> dict[str, str]:
    return {"x-llm-simulator-session": name}


async def _openai(to: Clients, kind: str, name: str) -> Any:
    client = to.openai.with_options(default_headers=_session(name))
    match kind:
        case "chat":
            return await client.chat.completions.create(model="gpt-4o", messages=HI)
        case "chat_stream":
            return await _all(await client.chat.completions.create(model="gpt-4o", messages=HI, stream=True))
        case "chat_parse":
            return await client.chat.completions.parse(model="gpt-4o", messages=HI, response_format=_Answer)
        case "responses":
            return await client.responses.create(model="gpt-4o", input="Hi")
        case "responses_stream":
            return await _all(await client.responses.create(model="gpt-4o", input="Hi", stream=True))
        case "images":
            return await client.images.generate(model="gpt-image-1", prompt="Hi")
        case "embeddings":
            return await client.embeddings.create(model="text-embedding-3-small", input="Hi")
        case "completions":
            return await client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hi")
        case "speech":
            return await client.audio.speech.create(model="tts-1", voice="alloy", input="Hi")
        case "transcriptions":
            return await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
        case "models_retrieve":
            return await client.models.retrieve("ft:123")
        case "responses_retrieve":
            return await client.responses.retrieve("resp_abc")
        case "files_retrieve":
            return await client.files.retrieve("file-abc")
        case "batches_retrieve":
            return await client.batches.retrieve("batch_abc")
        case "batches_cancel":
            return await client.batches.cancel("batch_abc")
        case _:
            raise LookupError(kind)


async def _azure(to: Clients, kind: str, name: str) -> Any:
    client = to.azure.with_options(default_headers=_session(name))
    match kind:
        case "chat":
            return await client.chat.completions.create(model="dep", messages=HI)
        case "chat_stream":
            return await _all(await client.chat.completions.create(model="dep", messages=HI, stream=True))
        case "images":
            return await client.images.generate(model="dep", prompt="Hi")
        case "v1_chat":
            v1 = to.azure_v1.with_options(default_headers=_session(name))
            return await v1.chat.completions.create(model="dep", messages=HI)
        case _:
            raise LookupError(kind)


async def _anthropic(to: Clients, kind: str, name: str) -> Any:
    client = to.anthropic.with_options(default_headers=_session(name))
    match kind:
        case "messages":
            return await client.messages.create(model=CLAUDE, max_tokens=10, messages=HI)
        case "messages_stream":
            return await _all(await client.messages.create(model=CLAUDE, max_tokens=10, messages=HI, stream=True))
        case "models_retrieve":
            return await client.models.retrieve("claude-none")
        case "batches_cancel":
            return await client.messages.batches.cancel("msgbatch_2")
        case "batch_results":
            return await _all(await client.messages.batches.results("msgbatch_1"))
        case _:
            raise LookupError(kind)


async def _gemini(to: Clients, kind: str, name: str) -> Any:
    client: Any = to.genai.aio
    config = {"http_options": {"headers": _session(name)}}
    if name.startswith("network."):  # faults of the network are the synchronous client's: the other one uses aiohttp
        return await asyncio.to_thread(_generated, to.genai, kind, config)
    match kind:
        case "generate":
            return await client.models.generate_content(model=GEMINI, contents="Hi", config=config)
        case "generate_stream":
            return await _all(await client.models.generate_content_stream(model=GEMINI, contents="Hi", config=config))
        case "count":
            return await client.models.count_tokens(model=GEMINI, contents="Hi", config=config)
        case "models_get":
            return await client.models.get(model="gemini-none", config=config)
        case "openai_compat":
            compatible = to.compat.with_options(default_headers=_session(name))
            return await compatible.chat.completions.create(model=GEMINI, messages=HI)
        case "interactions":
            return await client.interactions.create(model=GEMINI, input="Hi", extra_headers=_session(name))
        case "interactions_stream":
            made = client.interactions.create(model=GEMINI, input="Hi", stream=True, extra_headers=_session(name))
            return await _all(await made)
        case _:
            raise LookupError(kind)


def _generated(client: Any, kind: str, config: Any) -> Any:
    if kind == "generate_stream":
        return list(client.models.generate_content_stream(model=GEMINI, contents="Hi", config=config))
    return client.models.generate_content(model=GEMINI, contents="Hi", config=config)


async def _cohere(to: Clients, kind: str, name: str) -> Any:
    client: Any = to.cohere
    options = {"additional_headers": _session(name)}
    match kind:
        case "chat":
            return await client.chat(model=COMMAND, messages=HI, request_options=options)
        case "chat_stream":
            return await _all(client.chat_stream(model=COMMAND, messages=HI, request_options=options))
        case "embed":
            kind = "search_query"
            return await client.embed(model="embed-v4.0", input_type=kind, texts=["Hi"], request_options=options)
        case "rerank":
            return await client.rerank(model="rerank-v3.5", query="Hi", documents=["Ho"], request_options=options)
        case _:
            raise LookupError(kind)


async def _mistral(to: Clients, kind: str, name: str) -> Any:
    asked: Any = {"model": "mistral-small-latest", "messages": HI, "http_headers": _session(name)}
    if kind == "chat_stream":
        return await _all(await to.mistral.chat.stream_async(**asked))
    return await to.mistral.chat.complete_async(**asked)


_PROBES: dict[str, Callable[[Clients, str, str], Awaitable[Any]]] = {
    "openai": _openai,
    "azure": _azure,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "cohere": _cohere,
    "mistral": _mistral,
}


async def _probed(entry: Entry, to: Clients) -> Any:
    provider, _, kind = entry.probe.partition(".")
    return await _PROBES[provider](to, kind, entry.id)


async def _connected(entry: Entry, base: str) -> Any:
    """The first event of a realtime session."""
    url = f"{base}/session/{entry.id}/v1"
    client = openai.AsyncOpenAI(api_key="sk-test", base_url=url, timeout=PATIENCE)
    async with client, client.realtime.connect(model="gpt-realtime") as connection:
        return await connection.recv()


async def _seen(entry: Entry, call: Awaitable[Any]) -> Seen:
    try:
        result, error = await call, None
    except Exception as raised:  # noqa: BLE001  whatever an SDK raises is what is looked at
        result, error = None, raised
    return Seen(error, result, sent[entry.id])


async def see_all(entries: Iterable[Entry], base: str, at_once: int = 32) -> dict[str, Seen]:
    """What the SDKs make of the conditions that come over HTTP, many at a time."""
    room, clients = asyncio.Semaphore(at_once), Clients(base)

    async def one(entry: Entry) -> tuple[str, Seen]:
        async with room:
            return entry.id, await _seen(entry, _probed(entry, clients))

    try:
        return dict(await asyncio.gather(*map(one, entries)))
    finally:
        await clients.close()


async def hear_all(entries: Iterable[Entry], base: str) -> dict[str, Seen]:
    """What the OpenAI SDK makes of those that come over a WebSocket."""
    return {entry.id: await _seen(entry, _connected(entry, base)) for entry in entries}


def named(name: str) -> type[BaseException]:
    """An exception class by its dotted name."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        with suppress(ModuleNotFoundError):
            found: Any = import_module(".".join(parts[:cut]))
            for part in parts[cut:]:
                found = getattr(found, part)
            kind: type[BaseException] = found
            return kind
    raise LookupError(name)
