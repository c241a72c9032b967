"""What a client would put together is put together here, and what is found there is laid back on the bytes."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.redact import assemble
from llm_simulator.redact.assemble import Growing, assembled, document, documents, find_assembled
from llm_simulator.redact.eventstream import payloads, seal
from llm_simulator.redact.placeholder import Span, cover

SECRET = re.compile("S3CRET-[a-z]+!")


def find(text: str) -> Iterator[Span]:
    for match in SECRET.finditer(text):
        yield Span(*match.span(), "test")


def sse(events: Sequence[Any]) -> str:
    return "".join(f"event: x\ndata: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def chat(piece: str, index: int = 0) -> Any:
    return {"id": "chatcmpl-1", "choices": [{"index": index, "delta": {"content": piece}}]}


def frame(payload: bytes) -> bytes:
    head = struct.pack(">II", 16 + len(payload), 0)
    head += struct.pack(">I", zlib.crc32(head))
    return head + payload + struct.pack(">I", zlib.crc32(head + payload))


def masked(text: str) -> str:
    return cover(text, find_assembled(text, documents(text), find))


def joined(text: str) -> str:
    return "\n".join(found for _, found in assembled(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', ['{"a": 1}']),
        ('[{"a": 1},\n{"b": 2}]\n', ['{"a": 1}', '{"b": 2}']),
        ('[{"a": 1},\n{"b": 2', ['{"a": 1}']),
        ('{"a": 1}\n{"b": 2}\n', ['{"a": 1}', '{"b": 2}']),
        ('data: {"a": 1}\n\nevent: x\r\ndata:{"b": 2}\r\n\r\ndata: [DONE]\n\n', ['{"a": 1}', '{"b": 2}', "[DONE]"]),
        ("plain text", []),
        ("", []),
        ("\0\0\0\x10", []),
    ],
)
def test_documents(text: str, expected: list[str]) -> None:
    assert [text[found.start : found.end] for found in documents(text)] == expected


CASES = {
    "openai chat": sse([chat(piece) for piece in ("say S3", "CRET", "-abc", "! bye")]),
    "two choices, interleaved": sse(
        [chat(p, i) for pair in zip(("S3C", "RET-", "abc!"), "xyz", strict=True) for i, p in enumerate(pair)]
    ),
    "anthropic tool": sse([{"index": 1, "delta": {"partial_json": p}} for p in ('{"k": "S3', "CRET-x", 'yz!"}')]),
    "responses": sse([{"output_index": 0, "item_id": "i", "delta": p} for p in ("S3CRET", "-", "abc", "!")]),
    "gemini array": json.dumps(
        [{"candidates": [{"content": {"parts": [{"text": p}]}}]} for p in ("S3CR", "ET-ab!")], indent=2
    ),
    "ndjson": "".join(json.dumps({"text": p}) + "\n" for p in ("S3CR", "ET-", "ab!")),
    "plain text events": "data: S3C\n\ndata: RET-\n\ndata: abc!\n\n",
    "escaped pieces": sse([chat(p) for p in ("é S3", "CRET-", "a", "bc! \n")]),
    "one escaped piece": '{"a": "\\u0053\\u0033CRET-\\u0061bc! é"}',
    "logprobs of one answer": json.dumps({"logprobs": {"content": [{"token": p} for p in ("S3", "CRET", "-a", "!")]}}),
    "legacy logprobs": json.dumps({"logprobs": {"tokens": ["S3", "CRET", "-a", "!"]}}),
    "bytes": json.dumps({"content": [{"bytes": list(p.encode())} for p in ("S3", "CRET", "-a", "!")]}),
    "best alternative": json.dumps(
        {"content": [{"top_logprobs": [{"token": p}, {"token": "?"}]} for p in ("S3CRET", "-a!")]}
    ),
    "event stream": "".join(
        frame(json.dumps({"delta": {"text": p}}).encode()).decode("latin-1") for p in ("S3CRE", "T-a!")
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_split_secret_is_masked_in_its_pieces(name: str) -> None:
    text = CASES[name]
    assert SECRET.search(joined(text)), "the case must show the secret to a reader"
    left = masked(text)
    assert not SECRET.search(joined(left))
    assert len(left) == len(text)
    assert len(documents(left)) == len(documents(text))
    assert find_assembled(left, documents(left), find) == []


def test_the_rest_of_the_text_stays() -> None:
    assert masked(CASES["openai chat"]) == sse([chat(piece) for piece in ("say **", "****", "****", "* bye")])


def test_codes_stay_codes() -> None:
    left = masked(json.dumps({"bytes": list(b"a S3CRET-z!\t")}))
    assert json.loads(left) == {"bytes": [97, 32, 95, 95, 95, 95, 95, 95, 95, 120, 95, 9]}


@pytest.mark.parametrize("value", [[300, 1], ["x"], [1.5], [True]])
def test_bytes_that_are_no_codes(value: list[object]) -> None:
    text = json.dumps({"bytes": value, "a": ["S3CRET", "-a!"]})
    assert json.loads(masked(text))["bytes"] == value
    assert json.loads(masked(text))["a"] == ["******", "***"]


def test_nothing_is_read_twice_where_nothing_is_split() -> None:
    text = json.dumps({"a": "S3CRET-abc!"})
    assert find_assembled(text, documents(text), find) == []  # plain search sees it


def test_a_secret_is_counted_once() -> None:
    text = CASES["openai chat"]
    spans = find_assembled(text, documents(text), find)
    assert [span.more for span in spans] == [False, True, True, True]


def test_deep_nesting_is_not_followed_for_ever() -> None:
    deep: Any = {"t": "S3CRET-a!"}
    for _ in range(200):
        deep = {"d": [deep]}
    assert isinstance(masked(json.dumps([deep, deep])), str)
    assert documents("[" * 100_000) == []
    assert documents('{"a":' * 100_000) == []


@pytest.mark.parametrize(
    "text", ["{}{", '{"a": [], "b": {}, "c": [[]], "bytes": []}', "[]", "data: []\n\ndata: 5\n\ndata:  7\n\n"]
)
def test_odd_documents(text: str) -> None:
    assert masked(text) == text


def test_spaces_and_numbers_of_plain_text_deltas_count() -> None:
    assert assembled("data: a\n\ndata:  42\n\ndata: {x\n\n") == [("", "a 42{x")]


def test_one_place() -> None:
    assert document('xx{"a": 1}yy', 2, 10) == (2, 10, {"a": 1})
    assert document('{"a": 1} tail', 0, 13).value == '{"a": 1} tail'


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=8),
    st.text(max_size=8),
    st.lists(st.integers(1, 6), min_size=1, max_size=30),
    st.booleans(),
    st.sampled_from(["\n\n", "\r\n\r\n"]),
)
def test_any_split_of_any_text(before: str, after: str, cuts: list[int], ascii_only: bool, gap: str) -> None:
    text = before + "S3CRET-abcdef!" + after
    pieces: list[str] = []
    for size in cuts:
        pieces.append(text[:size])
        text = text[size:]
    pieces.append(text)
    body = "".join("data: " + json.dumps(chat(piece), ensure_ascii=ascii_only) + gap for piece in pieces)
    raw = body.encode("utf-8", "surrogatepass").decode("latin-1")
    spans = find_assembled(raw, documents(raw), find)
    left = cover(raw, spans)
    assert len(left) == len(raw)
    values = [found.value["choices"][0]["delta"]["content"] for found in documents(left)]
    assert "S3CRET" not in "".join(values)
    assert len(values) == len(pieces)


def test_event_stream_checksums() -> None:
    first, second = frame(b'{"a":"S3CRET-a!"}'), frame(b"xyz")
    text = (first + second + b"tail").decode("latin-1")
    assert [text[start:end] for start, end in payloads(text)] == ['{"a":"S3CRET-a!"}', "xyz"]
    changed = first.replace(b"S3CRET", b"______") + second + b"tail"
    sealed = seal(changed)
    assert sealed == frame(b'{"a":"______-a!"}') + second + b"tail"
    assert seal(first + second) == first + second
    assert payloads("\0" * 30) == []


def grown(text: str, cuts: Sequence[int]) -> Growing:
    growing = Growing()
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        growing.feed(text[start:end])
    return growing


PIECES = st.sampled_from(["S3C", "RET-", "abc", "!", "S3CRET-x!", "\\", '"', "\u00e9", "\n", "data: ", " "])
BODIES = st.one_of(
    st.lists(PIECES.map(chat), max_size=8).map(sse),
    st.lists(st.builds(chat, PIECES, st.integers(0, 1)), max_size=8).map(
        lambda events: sse(events).replace("\n", "\r\n")
    ),
    st.lists(PIECES, max_size=8).map(lambda pieces: "".join(f"data: {piece}\n" for piece in pieces)),
    st.lists(PIECES, max_size=8).map("".join),
    st.lists(PIECES.map(chat), max_size=4).map(json.dumps),
)


@given(BODIES, st.lists(st.integers(0, 2000), max_size=12), st.sampled_from([1, 16 << 10]))
def test_what_grew_says_the_same_as_the_whole(text: str, cuts: Sequence[int], packed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assemble, "_PACKED_EVERY", packed)
        quiet = grown(text, cuts).quiet(text, find)
    found = find_assembled(text, documents(text), find)
    assert not (quiet and found)
    if text.startswith("data: ") or text.startswith("event: "):
        assert quiet == (not found)


def test_what_grew_tells_nothing_of_another_text() -> None:
    text = sse([chat("hello")])
    growing = grown(text, [3])
    assert not growing.quiet(text + " ", find)
    assert growing.quiet(text, find)
