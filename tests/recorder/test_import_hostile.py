"""Files that are broken, or mean harm: a clear error each, nothing executed, nothing blown up; and random ones."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.import_report import ImportReport, Tally
from llm_simulator.recorder.importing import import_files, read_source
from llm_simulator.recorder.interaction import Imported, Problem, shown
from llm_simulator.recorder.source import Source
from llm_simulator.redact.redactor import Redactor
from llm_simulator.types import Call, Exchange


class Kept:
    """A cassette that only remembers."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int:
        self.exchanges.append(exchange)
        return len(self.exchanges)


def take(file: Path) -> tuple[ImportReport, list[Exchange]]:
    kept = Kept()
    return asyncio.run(import_files([file], kept, redactor=Redactor({}))), kept.exchanges


def interaction(path: str = "/v1/a", body: str = "'{}'", headers: str = "{}") -> str:
    return f"""\
- request: {{method: POST, uri: 'https://api.openai.com{path}', headers: {headers}, body: {body}}}
  response: {{status: {{code: 200, message: OK}}, headers: {{}}, body: {{string: told}}}}
"""


def cassette(*interactions: str) -> str:
    return "interactions:\n" + "".join(interactions) + "version: 1\n"


ALIASES = "x.yaml: its aliases stand for more than 64,000,000 characters; write them out or drop them"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcdefghi", "bcdefghij", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("data", "problem", "skipped"),
    [
        (b"", "", "no known format: nothing"),
        (b"\n# only a comment\n", "", "no known format: nothing"),
        (b"text", "", "no known format: a single value"),
        (b"- 1\n- 2\n", "", "no known format: a list"),
        (b"services: {a: 1}\n", "", "no known format: a mapping of services"),
        (b"interactions: []\nversion: 1\n", "", ""),
        (b"interactions: 7\n", "", ""),
        (b"interactions:\n- request: {a: [1\n", "x.yaml: line 3, column 1: not valid YAML: did not find expected", ""),
        (b"a: \xff\xfe", "x.yaml: not UTF-8 at byte 3", ""),
        (b"\xff\xfea\0", "x.yaml: not UTF-8 at byte 0", ""),
        (b"a: \x07", "x.yaml: not valid YAML", ""),
        (b"--- \na: 1\n--- \nb: 2\n", "x.yaml: line 3, column 1: not valid YAML: but found another document", ""),
        (b"a: " + b"[" * 100_000, "x.yaml: line 1, column 1003: not valid YAML: exceeded maximum nesting depth", ""),
        (b"a: &a [*a]\n", "x.yaml: line 1: an alias contains itself", ""),
        (b"interactions: &a\n- request: *a\n", "x.yaml: line 2: an alias contains itself", ""),
        (BOMB.encode(), ALIASES, ""),
        (MERGES.encode(), ALIASES, ""),
        (b'{"interactions": [', "x.yaml: line 1, column 19: not valid JSON: Expecting value", ""),
        (b"[" * 200_000, "x.yaml: JSON nested too deeply", ""),
        (b'{"version": ' + b"9" * 5000 + b"}", "x.yaml: not valid JSON: Exceeds the limit", ""),
        (gzip.compress(b"interactions: []", mtime=0)[:-9], "x.yaml: cannot be read: Compressed file ended", ""),
        (b"\x1f\x8bno gzip", "x.yaml: cannot be read: ", ""),
        (b"version: 9\ninteractions:\n- request: {uri: a}\n", "x.yaml: version: got 9, allowed is 1", ""),
    ],
)  # fmt: skip
def test_unfit_files(tmp_path: Path, data: bytes, problem: str, skipped: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    report, exchanges = take(file)
    assert exchanges == []
    if problem:
        [told] = report.problems
        assert told.startswith(problem)
    else:
        assert (report.problems, report.files[0].skipped) == ((), skipped)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "!!python/object/new:os.system ['touch {mark}']",
        "!!python/object/apply:subprocess.check_output [[touch, {mark}]]",
        '!!python/object/apply:builtins.eval [\'open("{mark}", "w")\']',
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!!python/object:os.Thing {{}}",
        "!ruby/object:Gem::Installer {{}}",
        "!!python/object/apply:multidict._multidict.istr [a, b]",
        "!!python/object/apply:multidict._multidict.istr {{a: b}}",
        "!!python/tuple a",
        "!!binary [a]",
        "!!int " + "9" * 5000,
    ],
)
def test_nothing_is_executed(tmp_path: Path, tag: str) -> None:
    mark = tmp_path / "mark"
    file = tmp_path / "x.yaml"
    file.write_text(cassette(interaction(body=tag.format(mark=mark)), interaction("/v1/good")))
    report, [good] = take(file)
    assert (good.request.path, report.failed) == ("/v1/good", 1)
    assert report.problems[0].startswith("x.yaml: interaction 1, line 2: interactions: got ")
    assert not mark.exists()


def test_honest_aliases_are_followed(tmp_path: Path) -> None:
    first_text = interaction(headers="{a: &id001 [x]}", body="&b '{}'")
    text = cassette(first_text, interaction(headers="{c: *id001}", body="*b"))
    (tmp_path / "x.yaml").write_text(text)
    _, [first, second] = take(tmp_path / "x.yaml")
    assert (first.request.headers, second.request.headers) == ((("a", "x"),), (("c", "x"),))
    assert second.request.body == b"{}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("a: 1")
    file.chmod(0)
    report, _ = take(file)
    assert report.problems == ("x.yaml: cannot be opened: Permission denied",)


def test_a_file_that_vanishes() -> None:
    source = Source.of_path(Path("/nonexistent/x.yaml"))
    with pytest.raises(CassetteError, match=r"x\.yaml: cannot be opened: No such file or directory"):
        source.text()


def test_jsonl_is_cut_where_a_line_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_simulator.recorder.source.LINE_LIMIT", 10)
    lines = Source.of_bytes(b"{}\n\n" + b"x" * 20, "x.jsonl").lines()
    assert next(lines) == (1, b"{}")
    with pytest.raises(CassetteError, match=r"x\.jsonl: line 3: longer than 10 bytes"):
        next(lines)


def test_whole_files_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_simulator.recorder.source.WHOLE_LIMIT", 10)
    assert Source.of_bytes(b"0123456789", "x").text() == "0123456789"
    with pytest.raises(CassetteError, match="x: larger than 10 bytes"):
        Source.of_bytes(gzip.compress(b"x" * 11, mtime=0), "x").text()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "nothing"),
        ("a" * 50, "'" + "a" * 40 + "'... (50 characters)"),
        (b"abc", "3 bytes of binary"),
        ({}, "an empty mapping"),
        ({"a": 1, "b": 2}, "a mapping of a, b"),
        ((1, 2), "a list of 2"),
        (object(), "object"),
    ],
)
def test_values_in_messages(value: object, expected: str) -> None:
    assert shown(value) == expected


# --- what VCR.py would write, it reads back

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: (
        name.lower() not in ("connection", "te", "upgrade", "trailer", "trailers", "content-length", "content-encoding")
    )
)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.sampled_from(
        [
            "123",
            "0x1F",
            "1e5",
            "12:30",
            "yes",
            "~",
            "null",
            "true",
            "2024-01-01",
            "=",
            "<<",
            "- a",
            "a: b",
            ".inf",
            "1_0",
        ]
    ),
)
BODIES = st.one_of(TEXTS, st.binary(max_size=60))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(BODIES, BODIES, st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2), max_size=3)),
        max_size=3,
    )
)
def test_vcr_round_trip(whole: list[tuple[str | bytes, str | bytes, dict[str, list[str]]]]) -> None:
    written = [
        {
            "request": {"method": "POST", "uri": "https://h.example/a", "body": sent, "headers": headers},
            "response": {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": {"string": told}},
        }
        for sent, told, headers in whole
    ]
    data = yaml.dump({"interactions": written, "version": 1}).encode()
    items = list(read_source(Source.of_bytes(data, "c.yaml"), Tally("c.yaml", str)))
    assert len(items) == len(whole)
    for item, (sent, told, headers) in zip(items, whole, strict=True):
        assert isinstance(item, Imported), str(item)
        assert item.sent.data == (sent if isinstance(sent, bytes) else sent.encode())
        assert item.body.data == (told if isinstance(told, bytes) else told.encode())
        assert sorted(item.headers) == sorted((name, value) for name, values in headers.items() for value in values)


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for name in ("x.yaml", "x.json", "x.jsonl"):
        for whole in (data, b"interactions:\n" + data):
            with suppress(CassetteError):
                assert all(
                    isinstance(item, Problem) for item in read_source(Source.of_bytes(whole, name), Tally(name, str))
                )


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["request", "response", "method", "uri", "url", "headers", "body", "string", "status", "code", "host", "path"]
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(FIELDS, st.dictionaries(FIELDS, JSONS, max_size=5) | JSONS, max_size=4))
def test_any_interaction_is_read_or_refused_by_name(item: dict[str, object]) -> None:
    for name, document in (
        ("x.json", {"interactions": [item], "version": 1}),
        ("x.json", {"http_interactions": [item]}),
        ("x.json", item),
        ("x.jsonl", item),
    ):
        data = json.dumps(document).encode()
        list(read_source(Source.of_bytes(data, name), Tally(name, str)))
