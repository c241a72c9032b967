"""What talks with a WebSocket client: an upstream whose words are recorded, a recording, or the engine."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from llm_simulator.cassettes.diff import differences
from llm_simulator.cassettes.key import Matcher, MatchRules
from llm_simulator.dialects.base import Talk
from llm_simulator.proxy.sockets import CLOSE, TEXT, Said, Speaker, closing, of_handshake, relay
from llm_simulator.recorder.tap import Tap
from llm_simulator.simulator.engine import Simulated
from llm_simulator.telemetry.journal import Entry
from llm_simulator.types import Call, Chunk, Condition, Exchange, Headers, Message, Outcome, RawRequest, Reply

_POLICY = 1008
_EACH_RUN = ("$.event_id",)
"""What a client makes anew for each message although it means nothing (OpenAI Realtime)."""


class Relayed:
    """An upstream and its client; `store` keeps what was said before the CLOSE is handed on."""

    def __init__(
        self,
        upstream: Speaker,
        headers: Headers,
        protocol: str,
        tap: Tap | None,
        store: Callable[[Outcome], Awaitable[None]],
    ) -> None:
        self.headers = of_handshake(headers)
        self.protocol = protocol
        self._upstream = upstream
        self._tap = tap
        self._store = store

    async def run(self, client: Speaker) -> None:
        who, close = "client", None
        try:
            who, close = await relay(client, self._upstream, self._taken)
        finally:
            # A client may leave as it likes: it has what it wanted. An upstream that does has broken off.
            await self._store(Outcome.TRUNCATED if who == "server" and close is None else Outcome.COMPLETE)
            if who == "client":
                await _bye(self._upstream, close)
        if close is not None:
            await client.say(close)
        else:
            client.cut()

    def _taken(self, who: str, said: Said) -> None:
        if self._tap is not None:
            self._tap.message(who, said.opcode, said.data)


async def _bye(speaker: Speaker, close: Said | None) -> None:
    try:
        await speaker.say(close or Said(CLOSE, closing(1001, "")))
    except (ConnectionError, TimeoutError):
        speaker.cut()


class Told:
    """A condition of the catalogue: its message, its close. What the client says is heard, not answered."""

    def __init__(self, reply: Reply, close: int | None) -> None:
        self.headers = of_handshake(reply.headers)
        self.protocol = ""
        self._message = reply.body if isinstance(reply.body, bytes) else b""
        self._close = close

    async def run(self, client: Speaker) -> None:
        if self._message:
            await client.say(Said(TEXT, self._message))
        if self._close is not None:
            await client.say(Said(CLOSE, closing(self._close, "")))
            return
        while (said := await client.hear()) is not None:
            if said.opcode == CLOSE:
                await client.say(said)
                return


class Played:
    """A recording: the server's messages when they were said, each after the client's that came before it.

    `speed` divides waits (0: none). A client that says something else than was recorded is told so, and the socket ends.
    """

    def __init__(
        self,
        exchange: Exchange,
        call: Call,
        rules: MatchRules,
        entry: Entry,
        spell: Callable[[Condition], bytes],
        speed: float,
    ) -> None:
        self.headers = of_handshake(exchange.headers)
        self.protocol = next((v for n, v in exchange.headers if n.lower() == "sec-websocket-protocol"), "")
        self._exchange = exchange
        self._call = call
        self._matcher = Matcher(rules | MatchRules(ignore=_EACH_RUN))
        self._entry = entry
        self._spell = spell
        self._speed = speed

    async def run(self, client: Speaker) -> None:
        loop = asyncio.get_running_loop()
        start, base_ns = loop.time(), self._exchange.head_ns
        for number, message in enumerate(self._exchange.messages):
            if message.direction == "server":
                if self._speed:
                    due = start + max(0, message.at_ns - base_ns) / 1e9 / self._speed
                    await asyncio.sleep(max(0.0, due - loop.time()))
                await client.say(Said(message.opcode, message.data))
                if message.opcode == CLOSE:
                    return
            else:
                said = await client.hear()
                if not await self._agrees(client, said, number, message):
                    return
                start, base_ns = loop.time(), message.at_ns
        await self._ended(client)

    async def _agrees(self, client: Speaker, said: Said | None, number: int, message: Message) -> bool:
        """Whether the recording goes on: the client said what was recorded, and was not about to leave."""
        if said is None:
            return False
        if said.opcode == CLOSE:
            await client.say(said)
            return False
        if said.opcode == message.opcode and self._key(said.data) == self._key(message.data):
            return True
        await self._missed(client, self._difference(said, number, message))
        return False

    async def _ended(self, client: Speaker) -> None:
        """All was said; the client has the last word."""
        said = await client.hear()
        if said is not None and said.opcode == CLOSE:
            await client.say(said)
        elif said is not None:
            number = len(self._exchange.messages)
            await self._missed(client, f"the recording ends after {number} messages, and the client goes on")

    def _key(self, data: bytes) -> bytes:
        return self._matcher.key(self._as_call(data)).core

    def _as_call(self, data: bytes) -> Call:
        return Call(self._call.provider, self._call.family, "message", RawRequest("POST", "/", body=data))

    def _difference(self, said: Said, number: int, message: Message) -> str:
        if message.opcode == CLOSE:
            return f"message {number} of the recording: there the client closed the socket"
        if said.opcode != message.opcode:
            kinds = (("binary", "text")[opcode == TEXT] for opcode in (said.opcode, message.opcode))
            return "message {} of the recording: it is {}, and {} was recorded".format(number, *kinds)
        found = differences(self._matcher, self._as_call(said.data), self._as_call(message.data))
        lines = [f"{one.where}: {one.asked}, recorded {one.recorded}" for one in found[:5]]
        return f"message {number} of the recording differs: {'; '.join(lines)}"

    async def _missed(self, client: Speaker, why: str) -> None:
        self._entry.note = "not recorded"
        self._entry.report = why
        condition = Condition("cassette_miss", 404, why, code="cassette_miss", retry=False)
        await client.say(Said(TEXT, self._spell(condition)))
        await client.say(Said(CLOSE, closing(_POLICY, "cassette_miss")))


class Acted:
    """The engine: `talk` knows the provider's events, `simulate` makes what the model says, with its times."""

    headers: Headers = ()
    protocol = ""

    def __init__(
        self,
        talk: Talk,
        simulate: Callable[[Call, bytes], Simulated],
        entry: Entry,
        speed: float,
        headers: Headers = (),
    ) -> None:
        self.headers = headers
        self._talk = talk
        self._simulate = simulate
        self._entry = entry
        self._speed = speed
        self._loop = asyncio.get_running_loop()
        self._saying: Iterator[Chunk] | None = None
        self._next: Chunk | None = None
        self._made: Simulated | None = None
        self._start = 0.0

    async def run(self, client: Speaker) -> None:
        await self._tell(client, self._talk.open())
        hearing = asyncio.ensure_future(client.hear())
        try:
            while True:
                await asyncio.wait({hearing}, timeout=self._wait())
                if not hearing.done():
                    await self._go_on(client)
                    continue
                said = hearing.result()
                if said is None or said.opcode == CLOSE:
                    break
                hearing = asyncio.ensure_future(client.hear())
                await self._react(client, said)
        finally:
            hearing.cancel()
        if said is not None:
            await client.say(said)

    def _wait(self) -> float | None:
        """Seconds until the next piece is due; None where nothing is being said."""
        if self._next is None:
            return None
        if not self._speed:
            return 0.0
        return max(0.0, self._start + self._next.due / self._speed - self._loop.time())

    async def _go_on(self, client: Speaker) -> None:
        assert self._next is not None
        assert self._saying is not None
        await self._tell(client, self._next.data.splitlines())
        self._next = next(self._saying, None)
        if self._next is None and self._made is not None and self._made.completion is not None:
            await self._tell(client, self._talk.said(self._made.completion))

    async def _react(self, client: Speaker, said: Said) -> None:
        reaction = self._talk.hear(said.opcode, said.data)
        await self._tell(client, reaction.events)
        if reaction.stop:
            self._saying = self._next = self._made = None
        if reaction.ask is not None:
            self._begin(reaction.ask)

    def _begin(self, ask: Call) -> None:
        identity = hashlib.blake2b(ask.raw.body, digest_size=16).digest()
        self._made = self._simulate(ask, identity)
        chunks = self._made.answer.chunks
        assert not isinstance(chunks, AsyncIterator)  # what is simulated is known up front
        self._saying = iter(chunks)
        self._next = next(self._saying, None)
        self._start = self._loop.time()
        if self._made.completion is not None:
            self._talk.begun(self._made.completion)
        if (usage := self._made.usage) is not None:
            self._entry.prompt_tokens = (self._entry.prompt_tokens or 0) + usage.prompt
            self._entry.completion_tokens = (self._entry.completion_tokens or 0) + usage.completion

    async def _tell(self, client: Speaker, events: list[bytes] | tuple[bytes, ...]) -> None:
        for event in events:
            await client.say(Said(TEXT, event))
