"""A recorded answer in the other form, over the shipped demo cassette: five providers, each whole and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.errors import CassetteError
from llm_simulator.proxy.convert import convert, recorded_usage
from llm_simulator.types import Exchange, Text, header

DEMO = Path(__file__).resolve().parents[2] / "cassettes" / "demo.yaml"


def _load() -> list[Exchange]:
    async def main() -> list[Exchange]:
        opened = await Cassette.open(str(DEMO), read=dialects.read)
        found = [exchange async for _, exchange in opened.exchanges()]
        await opened.close()
        return found

    return asyncio.run(main())


EXCHANGES = _load()


def _text(exchange: Exchange, body: bytes) -> str:
    call = dialects.read(exchange.request)
    completion = dialects.of(call).parse(exchange.status, exchange.headers, body, call)
    assert completion is not None
    return "".join("".join(p.tokens) for c in completion.choices for p in c.parts if isinstance(p, Text))


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: f"{e.provider}-{'stream' if e.stream else 'whole'}")
def test_the_other_form_says_the_same(exchange: Exchange) -> None:
    dialect = dialects.of(dialects.read(exchange.request))
    twin = dialect.twins(dialects.read(exchange.request))[0]
    assert twin.stream is not exchange.stream
    made = convert(exchange, twin, dialect, speed=1.0)
    assert isinstance(made.answer.chunks, Iterable)
    chunks = list(made.answer.chunks)
    body = b"".join(chunk.data for chunk in chunks)
    again = replace(exchange, request=twin.raw, stream=twin.stream, headers=made.answer.headers)
    assert _text(again, body) == _text(exchange, exchange.body) != ""
    assert header(made.answer.headers, "x-llm-simulator-adapted") == ("stream" if twin.stream else "body")
    assert chunks[-1].due == pytest.approx(exchange.chunks[-1][0] / 1e9)
    assert [chunk.due for chunk in chunks] == sorted(chunk.due for chunk in chunks)


def test_what_is_no_completion_cannot_be_converted() -> None:
    whole = next(e for e in EXCHANGES if e.provider == "openai" and not e.stream)
    dialect = dialects.of(dialects.read(whole.request))
    twin = dialect.twins(dialects.read(whole.request))[0]
    broken = replace(whole, chunks=((0, b'{"object": "list"}'),))
    with pytest.raises(CassetteError, match="record it in this form too"):
        convert(broken, twin, dialect, speed=1.0)


def test_a_body_that_is_not_what_it_says_has_no_usage() -> None:
    whole = next(e for e in EXCHANGES if e.provider == "openai" and not e.stream)
    call = dialects.read(whole.request)
    lying = replace(whole, headers=(*whole.headers, ("content-encoding", "gzip")))
    assert recorded_usage(lying, dialects.of(call), call) is None
    usage = recorded_usage(whole, dialects.of(call), call)
    assert usage is not None
    assert usage.completion == 40
