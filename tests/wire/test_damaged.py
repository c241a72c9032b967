"""Corrupt, half-written and foreign cassettes: a clear error that names the file, and not one byte of it changes."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from crashing import cassette_of
from serving import llm_simulator

from llm_simulator.cli import main

pytestmark = [pytest.mark.wire, pytest.mark.untraced, pytest.mark.timeout(20)]

MARKERS = [f"m-{number}" for number in range(5)]
COMMANDS = {
    "list": ("cassette", "list"),
    "replay": ("serve", "--port", "0", "--mode", "replay"),
    "record": ("serve", "--port", "0", "--mode", "record"),
}
Refused = Callable[[str, Path], str]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of a good cassette, by suffix."""
    folder = tmp_path_factory.mktemp("good")
    return {kind: cassette_of(folder / f"c.{kind}", MARKERS).read_bytes() for kind in ("db", "yaml")}


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command on a cassette that it must refuse; the message, after a look that nothing was changed."""

    def run(command: str, path: Path) -> str:
        before = _tree(path)
        monkeypatch.setattr(sys, "argv", ["llm-simulator", *COMMANDS[command], "--cassette", str(path)])
        with pytest.raises(SystemExit) as ended:
            main()
        message = capsys.readouterr().err
        assert ended.value.code in (1, 2)
        assert message.startswith("error: ")
        assert str(path) in message
        assert "Traceback" not in message
        assert _tree(path) == before
        return message

    return run


def _tree(path: Path) -> dict[str, bytes | None]:
    """What is in the folder of a path, and below the path."""
    found = [*path.parent.iterdir(), *(path.iterdir() if path.is_dir() else ())]
    return {str(item): item.read_bytes() if item.is_file() else None for item in found if "lock" not in item.name}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("share", [0.0001, 0.05, 0.3, 0.5, 0.9, 0.9999], ids=str)
def test_a_database_that_was_cut_off(
    good: dict[str, bytes], tmp_path: Path, refused: Refused, command: str, share: float
) -> None:
    path = tmp_path / "cut.db"
    path.write_bytes(good["db"][: int(len(good["db"]) * share) or 1])
    assert "damaged" in refused(command, path) or "no cassette" in refused(command, path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_of_a_newer_version(good: dict[str, bytes], tmp_path: Path, refused: Refused, command: str) -> None:
    path = tmp_path / "newer.db"
    path.write_bytes(good["db"])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
        connection.commit()
    assert "schema version 99; this release supports 1" in refused(command, path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_of_something_else(tmp_path: Path, refused: Refused, command: str) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
        connection.commit()
    assert "cassette" in refused(command, path)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", ["db", "yaml"])
def test_random_bytes(tmp_path: Path, refused: Refused, command: str, suffix: str) -> None:
    path = tmp_path / f"noise.{suffix}"
    path.write_bytes(random.Random(7).randbytes(20_000))
    message = refused(command, path)
    assert "not a SQLite file" in message if suffix == "db" else "line 1" in message


@pytest.mark.parametrize("command", ["list", "replay"])
@pytest.mark.parametrize("suffix", ["db", "yaml"])
def test_an_empty_file(tmp_path: Path, refused: Refused, command: str, suffix: str) -> None:
    path = tmp_path / f"empty.{suffix}"
    path.write_bytes(b"")
    refused(command, path)


def test_bytes_of_a_recording_that_changed_on_disk(good: dict[str, bytes], tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "rotten.db"
    assert good["db"].count(b"data: [DONE]") == 3
    path.write_bytes(good["db"].replace(b"data: [DONE]", b"data: [GONE]"))
    assert "damaged" in refused("list", path)


@pytest.mark.parametrize("seed", range(12))
def test_pages_of_a_database_overwritten(
    good: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    """Never an exception of a driver, wherever the damage is: an error that names the file, or all of it is there."""
    chance = random.Random(seed)
    data = bytearray(good["db"])
    at = chance.randrange(len(data) // 512) * 512
    data[at : at + 512] = chance.randbytes(512)
    path = tmp_path / "rotten.db"
    path.write_bytes(data)
    monkeypatch.setattr(sys, "argv", ["llm-simulator", "cassette", "list", "-c", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    listed = (ended.value.code, err, out.count("\n")) == (0, "", len(MARKERS))
    assert listed or (ended.value.code == 1 and err.startswith("error: ") and str(path) in err)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("after", ['"content": "', "response:", "status:", "headers:", "metadata:", "json: |\n"])
def test_a_text_that_was_cut_off(
    good: dict[str, bytes], tmp_path: Path, refused: Refused, command: str, after: str
) -> None:
    text = good["yaml"].decode()
    path = tmp_path / "cut.yaml"
    path.write_text(text[: text.rindex(after) + len(after)])
    line = text[: text.rindex("\n---\n")].count("\n") + 2  # where the last document starts
    message = refused(command, path)
    named = int(message.partition("line ")[2].split(":")[0].split(",")[0].split(" ")[0])
    assert line <= named <= text.count("\n")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        ("  status: 200", "  status: 200\n  colour: red", "colour"),
        ("provider: openai", "provider: openai\nflavour: sweet", "flavour"),
        ("  status: 200", "  status: plenty", "status"),
        ("schema: 1", "schema: 99", "99"),
        ("llm-simulator: cassette", "interactions: []", "`llm-simulator: cassette`"),
    ],
)
def test_a_text_with_a_field_that_is_not_ours(
    good: dict[str, bytes], tmp_path: Path, refused: Refused, command: str, was: str, now: str, named: str
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(good["yaml"].decode().replace(was, now, 1))
    message = refused(command, path)
    assert named in message
    assert "line " in message or "must start with the lines" in message


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_where_a_file_is_expected(
    good: dict[str, bytes], tmp_path: Path, refused: Refused, command: str
) -> None:
    """A folder is a cassette of its own kind; one that holds a damaged file names that file."""
    folder = tmp_path / "c.db"
    folder.mkdir()
    (folder / "good.yaml").write_bytes(good["yaml"])
    (folder / "bad.yaml").write_bytes(b"\x00\xff")
    assert str(folder / "bad.yaml") in refused(command, folder)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", ["db", "yaml"])
def test_a_file_without_permission(
    good: dict[str, bytes], tmp_path: Path, refused: Refused, command: str, suffix: str
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = tmp_path / f"secret.{suffix}"
    path.write_bytes(good[suffix])
    path.chmod(0)
    try:
        refused(command, path)
    finally:
        path.chmod(0o600)


@pytest.mark.parametrize("command", ["list", "replay"])
@pytest.mark.parametrize("name", ["none.db", "none.yaml", "none", "c.json"])
def test_a_path_that_is_no_cassette(tmp_path: Path, refused: Refused, command: str, name: str) -> None:
    refused(command, tmp_path / name)


@pytest.mark.parametrize("command", ["list", "record"])
def test_the_real_command_ends_with_the_error_and_its_exit_code(tmp_path: Path, command: str) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(b"noise" * 5000)
    done = llm_simulator(*COMMANDS[command], "--cassette", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: cassette {path}: cannot open it: file is not a database (not a SQLite file, or a damaged one)\n"
    )
