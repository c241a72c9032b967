"""Planted secrets are found nowhere: not on disk at any moment, not in logs, reports, metrics or /admin."""

from __future__ import annotations

import asyncio
import json
import os
import re
import string
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from planting import (
    CHAT,
    PIECE,
    SSE_HEADERS,
    Case,
    Mint,
    assembled,
    cases,
    chat,
    json_answer,
    leaks,
    openai_delta,
    pieces,
)
from serving import COMMAND, Got, ask, free_port, llm_simulator, serving, wait_ready
from standin import Asked, Script, certificate_files, standin

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cli import main
from llm_simulator.config.settings import Settings
from llm_simulator.redact.coding import decode
from llm_simulator.types import Exchange, Mode, Outcome, header

pytestmark = [pytest.mark.wire, pytest.mark.untraced, pytest.mark.timeout(100), pytest.mark.xdist_group("secrets")]

HOSTS = ("api.openai.com", "generativelanguage.googleapis.com")
PAGES = ("/admin/calls?limit=1000", "/admin/summary", "/admin/cassette", "/metrics", "/")

FILLER = "word " * 100


def environment(mint: Mint) -> tuple[str, str]:
    """Two values without a shape: letters and digits, and one with what URLs and JSON must escape."""
    return mint.draw(string.ascii_letters + string.digits, 24), mint.draw(string.ascii_letters + '+/="\\ &', 24)


@dataclass
class Recording:
    """All cases recorded through one process, and what was to be seen meanwhile."""

    folder: Path
    cassette: Path
    environ: dict[str, str]
    cases: list[Case]
    got: dict[str, Got] = field(default_factory=lambda: dict[str, Got]())
    asked: dict[str, Asked] = field(default_factory=lambda: dict[str, Asked]())
    leaked: list[str] = field(default_factory=lambda: list[str]())
    pages: dict[str, bytes] = field(default_factory=lambda: dict[str, bytes]())

    @property
    def wanted(self) -> frozenset[bytes]:
        return pieces({secret for case in self.cases for secret in case.secrets})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate_files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=["db", "yaml"])
def recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificates: tuple[Path, Path]
) -> Recording:
    mint = Mint(2024)
    env = environment(mint)
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "tmp").mkdir()
    environ = {
        "SSL_CERT_FILE": str(certificates[0]),
        "TMPDIR": str(folder / "tmp"),
        "MY_SERVICE_TOKEN": env[0],
        "DB_PASSWORD": env[1],
    }
    made = Recording(folder, folder / f"c.{request.param}", environ, cases(mint, env))
    answers = {case.name: case.answer for case in made.cases}

    def answer(asked: Asked) -> Script:
        made.asked[asked.header("x-case")] = asked
        return answers[asked.header("x-case")]

    with standin(answer, certificates[1]) as provider:
        _record(made, provider.url)
    return made


def _record(made: Recording, upstream: str) -> None:
    watch = Watch(made.folder)
    with recording_process(made.folder, made.cassette, made.environ, upstream) as (base_url, _):
        for case in made.cases:
            made.got[case.name] = _ask(base_url, case)
            found = watch.leaks(pieces(case.secrets))
            made.leaked += [f"after {case.name!r}: {what}" for what in found]
        for page in PAGES:
            made.pages[page] = ask(base_url, page).body


def _ask(base_url: str, case: Case) -> Got:
    headers = [("x-case", case.name), *case.headers]
    return ask(base_url, case.target, case.body, method="GET" if case.body is None else "POST", headers=headers)


class recording_process:  # reads as the context manager that it is
    """`llm-simulator serve --mode record --log-level debug`; its standard error goes to log.txt in the folder."""

    def __init__(self, folder: Path, cassette: Path, environ: dict[str, str], upstream: str) -> None:
        port = free_port()
        allowed = [*(f"{host}={upstream}" for host in HOSTS), f"closed.example.com=http://127.0.0.1:{free_port()}"]
        options = ["--mode", "record", "--log-level", "debug", "--cassette", str(cassette)]
        options += [part for host in allowed for part in ("--upstream", host)]
        self._log = (folder / "log.txt").open("w")
        self._base_url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), *options],
            env={**os.environ, **environ},
            stdout=self._log,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> tuple[str, subprocess.Popen[str]]:
        wait_ready(self._base_url, self._process)
        return self._base_url, self._process

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.wait(30) == 0
        self._log.close()


class Watch:
    """Looks for secrets in the files of a folder, in what was added since the last look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[bytes, int]] = {}  # the first bytes (a journal has a new salt there) and the size

    def leaks(self, wanted: frozenset[bytes]) -> list[str]:
        found: list[str] = []
        for path in sorted(self._folder.rglob("*")):
            try:
                data = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:
                continue  # a journal that was folded meanwhile
            head, size = self._seen.get(path, (b"", 0))
            new = data[max(0, size - PIECE) :] if data[:100] == head else data
            self._seen[path] = data[:100], len(data)
            found += [f"{path.name}: {piece!r}" for piece in leaks(_without_filler(new), wanted)]
        return found


def _without_filler(data: bytes) -> bytes:
    return data.replace(FILLER.encode(), b"")


def stored(cassette: Path) -> dict[str, Exchange]:
    """The recordings by case."""

    async def read() -> dict[str, Exchange]:
        opened = await Cassette.open(str(cassette), read=dialects.read, allow_truncated=True)
        try:
            return {header(e.request.headers, "x-case"): e async for _, e in opened.exchanges()}
        finally:
            await opened.close()

    return asyncio.run(read())


# --- the stream is not altered


def test_provider_and_client_got_everything_unmasked(recording: Recording) -> None:
    for case in recording.cases:
        got = recording.got[case.name]
        if case.name == "unreachable":
            assert got.status == 502
            continue
        asked = recording.asked[case.name]
        assert case.target.endswith(asked.target)
        assert asked.body == (case.body or b"")
        assert [asked.header(name.lower()) for name, _ in case.headers] == [value for _, value in case.headers]
        assert (got.status, got.complete) == (case.answer.status, case.complete)
        assert got.body == b"".join(data for _, data in case.answer.chunks)
        theirs = [pair for pair in got.headers if pair in case.answer.headers]
        assert theirs == list(case.answer.headers)


# --- nowhere to be found


def test_no_secret_was_on_disk_at_any_moment(recording: Recording) -> None:
    assert recording.leaked == []
    assert recording.cassette.stat().st_size > 50_000  # there is something to look at
    assert (
        leaks(b"".join(path.read_bytes() for path in recording.folder.iterdir() if path.is_file()), recording.wanted)
        == []
    )


def test_no_secret_is_in_admin_pages_or_metrics(recording: Recording) -> None:
    assert json.loads(recording.pages["/admin/calls?limit=1000"])["total"] == len(recording.cases)
    assert {page: leaks(body, recording.wanted) for page, body in recording.pages.items()} == {
        page: [] for page in PAGES
    }


def test_no_secret_is_in_the_log(recording: Recording) -> None:
    log = (recording.folder / "log.txt").read_bytes()
    assert log.count(b"POST") > 50
    assert leaks(log, recording.wanted) == []


def test_no_secret_is_in_decoded_or_assembled_texts(recording: Recording) -> None:
    found = stored(recording.cassette)
    assert sorted(found) == sorted(case.name for case in recording.cases)
    for case in recording.cases:
        exchange = found[case.name]
        coding = header(exchange.headers, "content-encoding")
        body = decode(exchange.body, coding) if coding and exchange.outcome is Outcome.COMPLETE else exchange.body
        assert (case.name, leaks(body, recording.wanted)) == (case.name, [])
        assert (case.name, leaks(assembled(body), recording.wanted)) == (case.name, [])


def test_no_secret_is_in_what_the_commands_print(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = tmp_path / "export.yaml"
    for arguments in (["list", "--json"], ["list"], ["stats"], ["show", "30"], ["export", "--output", str(out)]):
        command = [*arguments[:1], "-c", str(recording.cassette), *arguments[1:]]
        monkeypatch.setattr(sys, "argv", ["llm-simulator", "cassette", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    printed, errors = capsysbinary.readouterr()
    assert printed.count(b"\n") > 2 * len(recording.cases)
    assert leaks(printed + errors + out.read_bytes(), recording.wanted) == []


def test_the_scan_finds_nothing(recording: Recording) -> None:
    done = llm_simulator("cassette", "scan", "-c", str(recording.cassette), environ=recording.environ)
    assert (done.returncode, done.stdout) == (0, f"0 findings in {len(recording.cases)} recordings\n")


# --- and still a recording


def test_a_request_with_other_keys_hits_the_recording(recording: Recording) -> None:
    mint = Mint(4202)
    others = cases(mint, environment(mint))
    settings = Settings(cassette=str(recording.cassette), mode=Mode.REPLAY, port=0)
    with serving(settings) as server:
        sources = {
            case.name: _ask(server.base_url, case).header("x-llm-simulator-source") for case in others if case.replays
        }
    assert len(sources) > 50
    assert {name: source for name, source in sources.items() if source != "cassette"} == {}


# --- what spills


def test_an_answer_beyond_the_memory_bound_spills_nothing_readable(
    tmp_path: Path, certificates: tuple[Path, Path]
) -> None:
    """19 MB with secrets all over it, the last of them over the bound of 16 MB; looked at before it ends."""
    mint = Mint(7)
    secrets = [mint.shaped("openai project"), environment(mint)[0]]
    filler = openai_delta(FILLER * 60).encode()
    planted = "".join(openai_delta(part) for secret in secrets for part in (secret, secret[:9], secret[9:])).encode()
    chunks = tuple((0.0, piece) for _ in range(155) for piece in (planted[:100], planted[100:] + filler * 4))
    release = threading.Event()
    answer = Script(headers=SSE_HEADERS, chunks=(*chunks, (1.5, b"data: [DONE]\n\n")))
    environ = {"SSL_CERT_FILE": str(certificates[0]), "TMPDIR": str(tmp_path), "MY_SERVICE_TOKEN": secrets[1]}
    cassette = tmp_path / "c.db"
    wanted = pieces(secrets)
    with (
        standin(lambda _: answer, certificates[1]) as provider,
        recording_process(tmp_path, cassette, environ, provider.url) as (base_url, process),
    ):
        got: list[Got] = []
        client = threading.Thread(target=lambda: got.append(ask(base_url, CHAT, chat("large"), timeout=60)))
        client.start()
        spilled = b""
        while client.is_alive() and len(spilled) < 1_000_000:
            release.wait(0.05)
            spilled = _unnamed_files(process.pid)
        assert leaks(spilled, wanted) == []
        assert Watch(tmp_path).leaks(wanted) == []
        client.join()
    assert len(spilled) >= 1_000_000
    assert got[0].body == b"".join(data for _, data in answer.chunks)
    assert Watch(tmp_path).leaks(wanted) == []
    (kept,) = stored(cassette).values()
    assert (kept.outcome, len(kept.body)) == (Outcome.COMPLETE, len(got[0].body))
    text = assembled(kept.body)
    assert leaks(_without_filler(text), wanted) == []


def _unnamed_files(pid: int) -> bytes:
    """The bytes of the files that a process holds open although they have no name (any more)."""
    found = b""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "(deleted)" in os.readlink(link):
                found += link.read_bytes()
        except OSError:
            continue
    return found


# --- reports


CLIENT = """
import os, sys, urllib.error, urllib.request
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", data=sys.argv[1].encode())
request.add_header("Authorization", "Bearer " + os.environ["CLIENT_KEY"])
try:
    urllib.request.urlopen(request).read()
except urllib.error.HTTPError as error:
    sys.stdout.write(error.read().decode())
"""


def test_no_secret_is_in_the_reports_of_a_run(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    mint = Mint(11)
    env = environment(mint)
    model, key = mint.shaped("openai"), mint.shapeless()
    environ = {"SSL_CERT_FILE": str(certificates[0]), "OPENAI_BASE_URL": "", "CLIENT_KEY": key}
    environ |= {"MY_SERVICE_TOKEN": env[0], "DB_PASSWORD": env[1]}
    wanted = pieces([*env, model, key])
    answers = iter([json_answer({"id": env[0]}), json_answer({"id": [env[0]], model: key})])
    texts: dict[str, bytes] = {}
    with standin(lambda _: next(answers), certificates[1]) as provider:
        for mode, more in (("record", {}), ("verify", {}), ("replay", {"user": env[1]})):
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": env[0]}], **more})
            report = tmp_path / f"{mode}.json"
            options = ["--upstream", f"api.openai.com={provider.url}", "--report", str(report), "--log-level", "debug"]
            command = ["run", "--mode", mode, "-c", str(tmp_path / "c.db"), *options]
            done = llm_simulator(*command, "--", sys.executable, "-c", CLIENT, body, environ=environ)
            texts[mode] = (done.stdout + done.stderr).encode() + report.read_bytes()
    assert re.search(rb'"recorded": 1\b', texts["record"])
    assert b"verified: 1 call compared" in texts["verify"]
    assert b"cassette_miss" in texts["replay"]
    assert {mode: leaks(text, wanted) for mode, text in texts.items()} == {"record": [], "verify": [], "replay": []}
    assert Watch(tmp_path).leaks(wanted) == []
