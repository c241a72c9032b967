"""The small pieces below the chat dialects: untrusted fields, ids, spellings of a request, estimates."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.dialects import estimate, fields, ids
from llm_simulator.dialects.estimate import Measure
from llm_simulator.dialects.structure import Fault, Rule, fault_in, fits
from llm_simulator.dialects.twins import respell, with_stream
from llm_simulator.types import JSON, Call, RawRequest

RAW = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("value", "expected"), [(7, 7), (7.9, 7), (True, 0), ("7", 0), (None, 0), (float("inf"), 0), (float("nan"), 0)]
)
def test_counts(value: JSON, expected: int) -> None:
    assert fields.as_count(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(7, 7), (0, None), (-1, None), (True, None), (7.0, None), ("7", None)])
def test_limits(value: JSON, expected: int | None) -> None:
    assert fields.as_limit(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [({"a": 1}, [{"a": 1}]), ([{"a": 1}, 2], [{"a": 1}]), ("x", []), (None, [])]
)
def test_objects(value: JSON, expected: JSON) -> None:
    assert fields.objects(value) == expected


@given(st.text(max_size=60))
def test_words_are_the_text_in_pieces(text: str) -> None:
    assert "".join(fields.words(text)) == text


def test_words_are_about_tokens() -> None:
    assert fields.words("It is  a verylongunbrokenword.\n") == ("It", " is", "  a", " verylongunbr", "okenword.", "\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2\n,\r\n{}]", [1, 2, {}]),
        ("[]", []),
        ('[{"a": 1}, {"b": ', [{"a": 1}]),
        ("[1", [1]),
        ("x", []),
        ("", []),
    ],
)
def test_elements_as_far_as_they_go(text: str, expected: JSON) -> None:
    assert list(fields.elements(text)) == expected


def test_json_that_cannot_be_read_or_written() -> None:
    deep: JSON = []
    for _ in range(5000):
        deep = [deep]
    assert fields.load("[" * 100_000) is None
    assert fields.load("{") is None
    assert fields.spelled(deep) == ""
    assert fields.spelled({"a": "é"}) == '{"a":"é"}'


def test_dumps_are_valid_utf_8() -> None:
    assert fields.dump({"a": ["é", 1]}) == b'{"a":["\xc3\xa9",1]}'
    assert fields.dump({"a": 1, "b": 2}, colon=": ") == b'{"a": 1,"b": 2}'
    assert fields.dump({"a": "\ud800"}) == b'{"a":"\\ud800"}'
    assert fields.quote('"\ud800') == b'"\\"\\ud800"'


def test_ids_are_functions_of_seed_and_purpose() -> None:
    assert ids.code(RAW, "a", 22) == ids.code(RAW, "a", 22)
    assert len({ids.code(RAW, "a", 22), ids.code(RAW, "b", 22), ids.code("x", "a", 22)}) == 3
    assert set(ids.code(RAW, "a", 40)) <= set(ids.BASE58)
    assert len(ids.base64url(RAW, "a", 17)) == 23


@pytest.mark.parametrize(
    ("identity", "expected"), [("", True), (RAW, True), (RAW[:31], False), (RAW.upper(), False), ("msg_01x", False)]
)
def test_raw_material(identity: str, expected: bool) -> None:
    assert ids.is_raw(identity) is expected


@pytest.mark.parametrize(
    ("value", "expected"), [("Thu, 28 Nov 2024 15:59:47 GMT", 1_732_809_587), ("yesterday", 0), ("", 0)]
)
def test_the_date_of_a_recording(value: str, expected: int) -> None:
    assert ids.recorded_at((("Date", value),)) == expected


KEYS = st.text(max_size=4).filter(lambda key: key != "stream")
BODIES = st.dictionaries(KEYS, st.none() | st.floats(allow_nan=False) | st.text(max_size=5) | st.lists(st.integers()))


@settings(max_examples=60)
@given(BODIES, st.sampled_from([None, True, False]), st.sampled_from([None, True, False]), st.sampled_from([None, 1]))
def test_respelling_changes_one_member(body: dict[str, JSON], was: JSON, now: JSON, indent: int | None) -> None:
    given_body = body if was is None else {**body, "stream": was}
    found = json.loads(respell(json.dumps(given_body, indent=indent).encode(), "stream", now))
    assert found == (body if now is None else {**body, "stream": now})


def test_respelling_keeps_numbers_as_they_are_spelled() -> None:
    assert respell(b'\xef\xbb\xbf{ "a" : 1.00 , "stream":true,"b":1e2}', "stream", False) == (
        b'{"a" : 1.00,"b":1e2,"stream":false}'
    )
    assert respell(b"{}", "stream", True) == b'{"stream":true}'


def test_a_compressed_body_comes_out_plain() -> None:
    body = {"model": "m", "stream": True}
    packed = gzip.compress(json.dumps(body).encode())
    raw = RawRequest("POST", "/v1/messages", headers=(("Content-Encoding", "gzip"), ("x", "1")), body=packed)
    found = with_stream(Call("anthropic", "anthropic.messages", "chat", raw, body=body, stream=True), False)
    assert (found.raw.headers, json.loads(found.raw.body), found.stream) == (
        (("x", "1"),),
        {"model": "m", "stream": False},
        False,
    )


RULES = (Rule("a", "string", required=True), Rule("b", "integer|array"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x"}, None),
        ({"a": "x", "b": [1]}, None),
        ({"a": "x", "b": None}, None),
        ({}, Fault(("p", "a"), "string", None)),
        ({"a": "x", "b": 1.5}, Fault(("p", "b"), "integer|array", 1.5)),
        ([], Fault(("p",), "object", [])),
    ],
)
def test_faults(value: JSON, expected: Fault | None) -> None:
    assert fault_in(value, RULES, ("p",)) == expected


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (True, "integer", False),
        (True, "number", False),
        (1, "number", True),
        (True, "boolean", True),
        ({}, "object", True),
    ],
)
def test_kinds(value: JSON, kind: str, expected: bool) -> None:
    assert fits(value, kind) is expected


SIZE = Measure(text=100, tools=0, messages=2)
TOOLS = replace(SIZE, tools=50)


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        ("claude-unknown", SIZE, 118),  # 5 + 110 + 2.8
        ("claude-sonnet-4-20250514", SIZE, 121),
        ("claude-sonnet-4-5-20250929", SIZE, 114),
        ("claude-opus-4-8", SIZE, 155),
        ("claude-sonnet-4-5", TOOLS, 687),
        ("claude-sonnet-4-5", replace(SIZE, images=1), 1614),
    ],
)
def test_anthropic_estimates(model: str, size: Measure, expected: int) -> None:
    assert estimate.anthropic(model, size, thinking=False, schema=False) == expected


def test_anthropic_extras() -> None:
    plain = estimate.anthropic("m", SIZE, thinking=False, schema=False)
    assert estimate.anthropic("m", SIZE, thinking=True, schema=False) == plain + 28
    assert estimate.anthropic("m", SIZE, thinking=False, schema=True) == plain + 195


def test_gemini_and_cohere_estimates() -> None:
    assert estimate.gemini("gemini-2.5-flash", SIZE) == 103
    assert estimate.gemini("gemini-3-flash", SIZE) == 100
    assert estimate.cohere("command-r-08-2024", SIZE) == 105
    assert estimate.cohere_preamble("command-r-08-2024", tools=False) == 67
    assert estimate.cohere_preamble("command-r7b-12-2024", tools=False) == 500
    assert estimate.cohere_preamble("command-r-08-2024", tools=True) == 1360


def test_an_estimate_is_at_least_one() -> None:
    assert estimate.gemini("gemini-2.5-flash", Measure(0, 0, 0)) == 1


def test_measuring_counts_text_and_tools() -> None:
    assert estimate.measure(["hello world", ""], [{"name": "f"}], 2, 1) == Measure(2, 7, 2, 1)
    assert estimate.measure([], None, 0) == Measure(0, 0, 0)
