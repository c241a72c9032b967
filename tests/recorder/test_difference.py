"""Two cassettes compared: by match key, in recorded order, whatever they are kept in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from strategies import asked

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cassettes.key import MatchRules
from llm_simulator.cli.cassette_diff import text
from llm_simulator.recorder.difference import Compared, differences
from llm_simulator.types import Exchange


def recorded(path: Path, exchanges: Sequence[Exchange]) -> str:
    async def record() -> None:
        cassette = await Cassette.open(str(path), read=dialects.read, writable=True)
        for one in exchanges:
            await cassette.add(one, dialects.read(one.request), replace=False)
        await cassette.close()

    asyncio.run(record())
    return str(path)


def compared(a: str, b: str, **rules: Any) -> Compared:
    return asyncio.run(differences(a, b, MatchRules(**rules)))


def said(number: int, content: str, **more: Any) -> Exchange:
    """A chat whose answer is `content`."""
    message = {"role": "assistant", "content": content}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}  # fmt: skip
    return replace(asked(number), chunks=((5_000_000, json.dumps(body).encode()),), **more)


def test_pairs_by_key_and_tells_what_is_gone_new_and_changed(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.db", [said(1, "one"), said(2, "two"), said(3, "three")])
    b = recorded(tmp_path / "b.yaml", [said(9, "nine"), said(2, "2"), said(1, "one")])
    found = compared(a, b)
    assert (found.same, found.differ) == (1, True)
    assert [(one.before.id, one.after.id, str(one.drift.changes[0])) for one in found.changed] == [
        (2, 2, 'text was "two", is "2"')
    ]
    assert [one.about.id for one in found.gone] == [3]
    assert [(one.about.id, one.near) for one in found.new] == [(1, 3)]
    assert list(text(found)) == [
        "-      3  200  POST /v1/chat/completions (openai, chat, gpt-4o)",
        "+      1  200  POST /v1/chat/completions (openai, chat, gpt-4o)",
        "    nearest  3 of A",
        '    request  $.messages[0].content was "question 3", is "question 9"',
        "~      2  200  POST /v1/chat/completions (openai, chat, gpt-4o)",
        '    text     text was "two", is "2"',
        f"1 same, 1 changed, 1 only in A ({a}), 1 only in B ({b})",
    ]
    made = json.loads(json.dumps(found.as_json()))
    assert (made["same"], made["changed"][0]["aspects"], made["only_in_b"][0]["nearest"]) == (1, ["text"], 3)


def test_equal_calls_pair_in_recorded_order_and_the_surplus_is_only_in_one(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.yaml", [said(1, "first"), said(1, "second"), said(1, "third")])
    b = recorded(tmp_path / "b.yaml", [said(1, "first"), said(1, "2nd")])
    found = compared(a, b)
    assert (found.same, len(found.changed), [one.about.id for one in found.gone], found.new) == (1, 1, [3], [])


@pytest.mark.parametrize("other", ["b.yaml", "b.db", "folder"])
def test_a_cassette_equals_its_copy_in_every_store(tmp_path: Path, other: str) -> None:
    exchanges = [said(number, "x" * number) for number in range(12)]
    found = compared(recorded(tmp_path / "a.db", exchanges), recorded(tmp_path / other, exchanges))
    assert (found.same, found.differ) == (12, False)


def test_rules_say_what_an_equal_call_is(tmp_path: Path) -> None:
    a, b = recorded(tmp_path / "a.db", [said(1, "x")]), recorded(tmp_path / "b.db", [said(2, "x")])
    assert compared(a, b).differ
    assert not compared(a, b, ignore=("$.messages",)).differ


def test_a_value_that_is_masked_in_one_only_is_the_same_call(tmp_path: Path) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "the word is xyzzy-plugh"}]}
    shown = replace(said(1, "x"), request=replace(asked().request, body=json.dumps(body).encode()))
    body["messages"] = [{"role": "user", "content": "REDACTED_______________"}]
    hidden = replace(
        shown, request=replace(shown.request, body=json.dumps(body).encode()), masked=("$.messages[0].content",)
    )
    a, b = recorded(tmp_path / "a.db", [shown, said(2, "y")]), recorded(tmp_path / "b.db", [hidden, said(2, "y")])
    for one, two in ((a, b), (b, a)):
        found = compared(one, two)
        assert (found.same, found.differ) == (2, False)
