"""Files and folders into a cassette: detection, wire view, order, report, strictness, and files that mean harm."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from llm_simulator.errors import CassetteError
from llm_simulator.recorder.discovery import discover
from llm_simulator.recorder.import_report import FileReport, ImportReport, Progress, Tally
from llm_simulator.recorder.importing import import_files, import_into
from llm_simulator.recorder.interaction import Body
from llm_simulator.recorder.wireview import view
from llm_simulator.redact.coding import encode
from llm_simulator.redact.redactor import Redactor
from llm_simulator.types import Call, Exchange, Headers


class Kept:
    """A cassette that only remembers; `fail_at` refuses that many-th addition."""

    def __init__(self, fail_at: int = 0) -> None:
        self.exchanges: list[Exchange] = []
        self.calls: list[Call] = []
        self.at_once = 0
        self._adding = 0
        self._fail_at = fail_at

    async def add(self, exchange: Exchange, call: Call, *, replace: bool) -> int:
        assert not replace
        self.exchanges.append(exchange)
        self.calls.append(call)
        number = len(self.exchanges)
        self._adding += 1
        self.at_once = max(self.at_once, self._adding)
        await asyncio.sleep(0)
        self._adding -= 1
        if number == self._fail_at:
            raise CassetteError("disk full")
        return number


def take(*paths: Path, kept: Kept | None = None, strict: bool = False) -> tuple[ImportReport, list[Exchange]]:
    kept = kept or Kept()
    report = asyncio.run(import_files(paths, kept, redactor=Redactor({}), strict=strict))
    return report, kept.exchanges


def interaction(
    path: str = "/v1/chat/completions", body: str = "'{}'", answer: str = "told", headers: str = "{}"
) -> str:
    return f"""\
- request: {{method: POST, uri: 'https://api.openai.com{path}', headers: {{}}, body: {body}}}
  response: {{status: {{code: 200, message: OK}}, headers: {headers}, body: {{string: {answer}}}}}
"""


def cassette(*interactions: str) -> str:
    return "interactions:\n" + "".join(interactions) + "version: 1\n"


# --- the wire view

ZIPPED = encode(b"hello", "gzip")


@pytest.mark.parametrize(
    ("headers", "body", "kept", "decoded", "originals"),
    [
        ((("A", "b"),), Body(b"x"), (("A", "b"),), False, {}),
        (
            (("Content-Encoding", "gzip"), ("Content-Length", "9"), ("Transfer-Encoding", "chunked"), ("A", "b")),
            Body(b"hello", plain=True),
            (("A", "b"),),
            True,
            {"content-encoding": "gzip", "content-length": "9", "transfer-encoding": "chunked"},
        ),
        ((("content-encoding", "gzip"),), Body(ZIPPED), (("content-encoding", "gzip"),), False, {}),
        ((("content-encoding", "gzip"),), Body(ZIPPED[:-9]), (("content-encoding", "gzip"),), False, {}),
        ((("content-encoding", "br"),), Body(encode(b"hello", "br")), (("content-encoding", "br"),), False, {}),
        ((("content-encoding", "gzip"),), Body(b"hello"), (), True, {"content-encoding": "gzip"}),
        ((("content-encoding", "gzip"),), Body(b"\x80"), (), True, {"content-encoding": "gzip"}),
        ((("content-encoding", "gzip"),), Body(encode(b"", "gzip")), (("content-encoding", "gzip"),), False, {}),
        ((("content-encoding", "gzip"),), Body(b""), (), True, {"content-encoding": "gzip"}),
        (
            (("content-encoding", "gzip"), ("content-encoding", "br")),
            Body(b"x", True),
            (),
            True,
            {"content-encoding": "gzip, br"},
        ),
        ((("content-encoding", "aws-chunked"),), Body(b"\xff"), (("content-encoding", "aws-chunked"),), False, {}),
        ((("content-encoding", "identity"),), Body(b"x", True), (("content-encoding", "identity"),), False, {}),
        ((("content-length", "5"),), Body(b"hello"), (("content-length", "5"),), False, {}),
        (
            (("content-length", "6"), ("transfer-encoding", "chunked")),
            Body(b"hello"),
            (),
            False,
            {"content-length": "6", "transfer-encoding": "chunked"},
        ),
        ((("transfer-encoding", "chunked"), ("connection", "keep-alive")), Body(b"x"), (), False, {}),
        ((("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-End", "2")), Body(b"x"), (("X-End", "2"),), False, {}),
        ((("TE", "trailers"), ("Upgrade", "h2c"), ("Proxy-Authorization", "Basic s")), Body(), (), False, {}),
    ],
)  # fmt: skip
def test_wire_view(headers: Headers, body: Body, kept: Headers, decoded: bool, originals: dict[str, str]) -> None:
    seen = view(headers, body)
    assert (seen.headers, seen.decoded, dict(seen.originals)) == (kept, decoded, originals)


def test_what_an_exchange_says(tmp_path: Path) -> None:
    headers = "{content-encoding: [gzip], content-length: ['9'], date: [d], set-cookie: [REDACTED]}"
    sse = '"data: 1\\n\\ndata: 2\\n\\n"'
    file = tmp_path / "a.yaml"
    chat = interaction(body='\'{"model": "m", "stream": true, "messages": []}\'', headers=headers)
    events = interaction(path="/v1/x?k=REDACTED", answer=sse, headers="{content-type: text/event-stream}")
    file.write_text(cassette(chat, events, interaction(answer="''")))
    report, [first, second, third] = take(file)
    assert report.files == (FileReport("a.yaml", "vcrpy", 3, 1, 2, 0),)
    assert (first.provider, first.family, first.model, first.stream) == ("openai", "openai.chat", "m", True)
    assert (first.session, first.status, first.reason, first.recorder) == ("a.yaml", 200, "OK", "import vcrpy")
    assert first.marks == {"imported", "decoded", "redacted"}
    assert first.headers == (("date", "d"), ("set-cookie", "REDACTED"))
    assert first.chunks == ((0, b"told"),)
    assert dict(first.provenance) == {
        "source": "a.yaml: interaction 1, line 2",
        "response content-encoding": "gzip",
        "response content-length": "9",
    }
    assert second.chunks == ((0, b"data: 1\n\n"), (0, b"data: 2\n\n"))
    assert second.marks == {"imported", "redacted"}
    assert (third.body, third.marks) == (b"", frozenset({"imported"}))


def test_a_request_that_claims_gzip_over_text_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = interaction(body='\'{"model": "m", "messages": []}\'').replace(
        "headers: {}, body", "headers: {content-encoding: gzip, te: x}, body", 1
    )
    file.write_text(cassette(text))
    _, [exchange] = take(file)
    assert (exchange.model, exchange.request.headers) == ("m", ())
    assert exchange.provenance["request content-encoding"] == "gzip"


def test_secrets_are_gone_before_they_are_kept(tmp_path: Path) -> None:
    key = "sk-proj-" + "Ab3" * 16
    file = tmp_path / "a.yaml"
    text = interaction(body=f'\'{{"key": "{key}"}}\'').replace(
        "headers: {}, body", f"headers: {{Authorization: Bearer {key}}}, body", 1
    )
    bad = text.replace("POST", f"'{key} {key}'")
    file.write_text(cassette(text, bad))
    report, [exchange] = take(file)
    assert (report.imported, report.redacted, report.failed) == (1, 1, 1)
    assert key not in repr(exchange) + repr(report)


# --- files and folders


def test_order_windows_and_progress(tmp_path: Path) -> None:
    names = ["b/2.yaml", "a.yaml", "b/1.yaml", "b/c/0.yaml"]
    for number, name in enumerate(names):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(cassette(*(interaction(f"/v1/{number}/{n}") for n in range(70))))
    (tmp_path / "in" / "notes.txt").write_text("no")
    (tmp_path / "in" / ".hidden.yaml").write_text("no")
    (tmp_path / "in" / ".git").mkdir()
    (tmp_path / "in" / ".git" / "x.yaml").write_text("no")
    kept, told = Kept(), list[Progress]()
    report = asyncio.run(
        import_files([tmp_path / "in", tmp_path / "in" / "a.yaml"], kept, redactor=Redactor({}), progress=told.append)
    )
    assert [file.file for file in report.files] == ["a.yaml", "b/1.yaml", "b/2.yaml", "b/c/0.yaml"]
    assert [exchange.request.path for exchange in kept.exchanges] == [
        f"/v1/{f}/{n}" for f in (1, 2, 0, 3) for n in range(70)
    ]
    assert {exchange.session for exchange in kept.exchanges} == {"a.yaml", "b/1.yaml", "b/2.yaml", "b/c/0.yaml"}
    assert kept.at_once == 64
    assert [call.raw for call in kept.calls] == [exchange.request for exchange in kept.exchanges]
    assert told[0] == Progress("a.yaml", 0, 4, 0)
    assert told[-1] == Progress("b/c/0.yaml", 4, 4, 280)


def test_two_files_of_one_name_are_two_sessions(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.yaml").write_text(cassette(interaction()))
    found = discover([tmp_path / "x" / "a.yaml", tmp_path / "y" / "a.yaml"])
    assert [file.name for file in found] == ["a.yaml", f"{tmp_path.as_posix()}/y/a.yaml"]
    with pytest.raises(CassetteError, match="nowhere: no such file or folder"):
        discover([tmp_path / "nowhere"])


def test_a_wrong_path_makes_no_cassette(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="no such file"):
        asyncio.run(import_into(str(tmp_path / "c.db"), [tmp_path / "nowhere"], redactor=Redactor({})))
    assert not (tmp_path / "c.db").exists()


def test_a_full_disk_stops_the_import(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(cassette(interaction(), interaction(), interaction()))
    with pytest.raises(CassetteError, match="disk full"):
        take(tmp_path / "a.yaml", kept=Kept(fail_at=2))


def test_strict_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(cassette(interaction(), interaction().replace("200", "20")))
    (tmp_path / "b.json").write_text('{"other": 1}')
    kept = Kept()
    with pytest.raises(CassetteError) as caught:
        take(tmp_path / "a.yaml", tmp_path / "b.json", kept=kept, strict=True)
    assert str(caught.value).splitlines() == [
        "nothing was imported (strict):",
        "a.yaml: interaction 2, line 4: response.status.code: got 20, allowed is a whole number from 100 to 999",
        "b.json: no known format: a mapping of other",
    ]
    assert kept.exchanges == []
    (tmp_path / "a.yaml").write_text(cassette(interaction()))
    report, exchanges = take(tmp_path, strict=True)  # in a folder, what is none of ours is passed over
    assert (report.imported, len(exchanges), report.skipped) == (
        1,
        1,
        (("b.json", "no known format: a mapping of other"),),
    )


def test_many_problems_are_counted_but_not_all_kept() -> None:
    tally = Tally("f", lambda text: text.replace("secret", "***"))
    for number in range(60):
        tally.fail(f"secret {number}")
    report = ImportReport((tally.report(),))
    assert (report.failed, len(report.problems), report.problems[0]) == (60, 50, "*** 0")


# --- our own cassettes


def test_own_cassettes_keep_their_exchanges(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(cassette(interaction(), interaction("/v1/models")))
    _, [first, second] = take(tmp_path / "a.yaml")
    asyncio.run(import_into(str(tmp_path / "own.db"), [tmp_path / "a.yaml"], redactor=Redactor({})))
    asyncio.run(import_into(str(tmp_path / "own.yaml"), [tmp_path / "own.db"], redactor=Redactor({})))
    report, exchanges = take(tmp_path / "own.yaml", tmp_path / "own.db")
    assert [(file.format, file.imported) for file in report.files] == [("llm-simulator", 2)] * 2
    assert exchanges == [first, second, first, second]


def test_a_damaged_exchange_of_ours_does_not_lose_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(cassette(interaction(), interaction("/v1/models")))
    asyncio.run(import_into(str(tmp_path / "own.yaml"), [tmp_path / "a.yaml"], redactor=Redactor({})))
    own = (tmp_path / "own.yaml").read_text()
    (tmp_path / "own.yaml").write_text(own.replace("status: 200", "status: none", 1))
    report, [good] = take(tmp_path / "own.yaml")
    assert (report.imported, report.failed, good.request.path) == (1, 1, "/v1/models")
    assert report.problems[0].startswith("cassette own.yaml: ")
    assert "status" in report.problems[0]


def test_a_database_of_another_program(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "x.db")
    base.execute("create table t (a)")
    base.commit()
    base.close()
    report, exchanges = take(tmp_path / "x.db")
    assert (report.failed, exchanges) == (1, [])
