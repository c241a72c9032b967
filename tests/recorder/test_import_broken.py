"""Good files of every format, broken on purpose: each is read, or refused by name; nothing else is ever raised or made up."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.import_report import Tally
from llm_simulator.recorder.importing import FORMATS, read_source
from llm_simulator.recorder.interaction import Imported, Problem
from llm_simulator.recorder.source import Source

URL = "https://api.openai.com/v1/chat/completions"
ASKED = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
HEADERS = {"Content-Type": ["application/json"]}
CODED = {"encoding": "UTF-8", "string": ASKED}


def _named(headers: dict[str, list[str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, values in headers.items() for value in values]


# format -> (file name, a document of two good interactions)
GOOD: dict[str, tuple[str, Any]] = {
    "vcrpy": (
        "c.yaml",
        {
            "interactions": [
                {
                    "request": {"method": "POST", "uri": URL, "body": ASKED, "headers": HEADERS},
                    "response": {"status": {"code": 200, "message": "OK"}, "headers": HEADERS, "body": {"string": "{}"}},
                }
            ]
            * 2,
            "version": 1,
        },
    ),
    "ruby-vcr": (
        "c.yml",
        {
            "http_interactions": [
                {
                    "request": {"method": "post", "uri": URL, "body": CODED, "headers": HEADERS},
                    "response": {"status": {"code": 200, "message": "OK"}, "headers": HEADERS, "body": CODED},
                    "recorded_at": "Tue, 01 Nov 2011 04:58:44 GMT",
                }
            ]
            * 2,
            "recorded_with": "VCR 6.2.0",
        },
    ),
    "go-vcr": (
        "c.yaml",
        {
            "version": 2,
            "interactions": [
                {
                    "id": 0,
                    "request": {"body": ASKED, "form": {}, "headers": HEADERS, "url": URL, "method": "POST"},
                    "response": {"body": "{}", "headers": HEADERS, "status": "200 OK", "code": 200, "duration": "8ms"},
                }
            ]
            * 2,
        },
    ),
    "dd-apm-test-agent": (
        "c.json",
        {
            "request": {
                "method": "POST", "url": URL, "headers": {"A": "b"}, "body": "base64:" + base64.b64encode(b"{}").decode()
            },
            "response": {"status": {"code": 200, "message": "OK"}, "headers": {"C": "d"}, "body": "told"},
        },
    ),
    "jsonl": (
        "c.jsonl",
        {
            "host": "api.openai.com", "method": "POST", "path": "/v1/chat/completions", "request_headers": {"a": "b"},
            "request_body": json.loads(ASKED), "status": 200, "response_headers": {"c": "d"}, "response_body": {"a": 1},
            "source": "me/repo#3",
        },
    ),
    "har": (
        "c.har",
        {
            "log": {
                "version": "1.2",
                "creator": {"name": "x", "version": "1"},
                "entries": [
                    {
                        "startedDateTime": "2024-05-01T10:00:00.5Z",
                        "request": {
                            "method": "POST", "url": URL, "headers": _named(HEADERS),
                            "postData": {"params": [{"name": "a", "value": "b"}]},
                        },
                        "response": {
                            "status": 200, "statusText": "OK", "headers": _named(HEADERS),
                            "content": {"size": 2, "mimeType": "application/json", "text": "{}"},
                        },
                        "timings": {"connect": 1, "send": 0, "wait": 10, "receive": 4},
                    }
                ]
                * 2,
            }
        },
    ),
    "aimock": (
        "openai.json",
        {
            "fixtures": [
                {
                    "match": {"userMessage": "hello", "model": "gpt-4o"},
                    "response": {"content": "Hi", "toolCalls": [{"name": "f", "arguments": {"a": 1}}]},
                    "recordedTimings": {"ttftMs": 10, "totalDurationMs": 25.5},
                }
            ]
            * 2
        },
    ),
    "cassetter": (
        "c.yaml",
        {
            "version": 1,
            "interactions": [
                {
                    "request": {"method": "PUT", "uri": URL, "headers": {"a": ["b"]}, "body": {"type": "none"}},
                    "response": {"status": 201, "body": {"type": "json", "content": {"b": 1}}},
                    "recorded_at": "2026-01-03T00:00:00Z",
                }
            ]
            * 2,
        },
    ),
}  # fmt: skip


def spelled(name: str, document: Any) -> bytes:
    if name.endswith((".yaml", ".yml")):
        return yaml.safe_dump(copy.deepcopy(document), sort_keys=False, allow_unicode=True).encode("utf-8", "replace")
    return json.dumps(document).encode()


def read(name: str, data: bytes) -> tuple[list[Imported], list[Problem], str]:
    """(interactions, problems, format); of a file that is refused as a whole: neither, and why."""
    tally = Tally(name, str)
    try:
        found = list(read_source(Source.of_bytes(data, name), tally))
    except CassetteError as error:
        return [], [], str(error)
    good = [item for item in found if isinstance(item, Imported)]
    return good, [item for item in found if isinstance(item, Problem)], tally.format


@pytest.mark.parametrize("format", GOOD)
def test_the_good_files_are_good(format: str) -> None:
    name, document = GOOD[format]
    good, problems, found = read(name, spelled(name, document))
    assert (found, len(good), problems) == (format, 1 if format in ("jsonl", "dd-apm-test-agent") else 2, [])
    assert GOOD.keys() == {one.name for one in FORMATS}


@pytest.mark.parametrize("format", GOOD)
def test_a_file_cut_at_any_place_gives_no_interaction_that_was_not_in_it(format: str) -> None:
    name, document = GOOD[format]
    data = spelled(name, document)
    whole = [_facts(item) for item in read(name, data)[0]]
    for at in range(0, len(data), 7):
        good, problems, _ = read(name, data[:at])
        assert len(good) + len(problems) <= len(whole)
        if not name.endswith((".yaml", ".yml")):  # a YAML text may end anywhere and still be one
            assert good == [] or at == len(data)


@pytest.mark.parametrize("format", GOOD)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_that_went_bad(format: str, data: st.DataObject) -> None:
    name, document = GOOD[format]
    whole = bytearray(spelled(name, document))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read(name, bytes(whole))


WRONG = st.recursive(
    st.sampled_from(
        [None, True, -1, 0, 99, 1000, 10**400, 1.5, "", "x", "\ud800", "\x00", "http://", "https://[", "base64:!"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "string", "status"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*before, key)
        yield from places(one, (*before, key))


@pytest.mark.parametrize("format", GOOD)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_value_of_the_wrong_kind_or_none_at_all(format: str, data: st.DataObject) -> None:
    """What is wrong in one interaction costs the other ones nothing."""
    name, good = GOOD[format]
    document = json.loads(json.dumps(good))  # two interactions of their own
    place = data.draw(st.sampled_from(list(places(document))))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = data.draw(WRONG)
    read_, problems, found = read(name, spelled(name, document))
    inside = [key for key in place if isinstance(key, int)]
    if inside and place[-1] != inside[0] and found == format and format != "jsonl":  # below one interaction of a list
        assert len(read_) + len(problems) == 2
        assert len(read_) >= 1


def test_half_a_character_is_no_reason_to_break() -> None:
    """JSON can spell half of a surrogate pair, and UTF-8 cannot."""
    for format, path in (("aimock", ("fixtures", 0, "response", "toolCalls", 0, "name")),
                         ("har", ("log", "entries", 0, "request", "postData", "params", 0, "value"))):  # fmt: skip
        name, document = GOOD[format][0], json.loads(json.dumps(GOOD[format][1]))
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = "\ud800"
        good, problems, _ = read(name, spelled(name, document))
        assert (len(good), problems) == (2, [])


def _facts(item: Imported) -> tuple[str, str, bytes, int]:
    return item.request.method, item.request.path, item.sent.data, item.status
