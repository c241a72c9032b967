"""What a client saw the end of is in the cassette, whatever happens then: kill -9, two recorders, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crashing import Load, corrupt, database_problems, killed_under_load, missing, recorder, script, stored, whole
from serving import ask
from standin import Standin, certificate_files, standin

pytestmark = [pytest.mark.wire, pytest.mark.untraced]

ROUNDS = int(os.environ.get("LLM_SIMULATOR_KILLS", "2"))
KINDS = ("db", "yaml")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Standin, dict[str, str]]]:
    """A provider over TLS, and the environment in which its certificate is good."""
    ca, leaf = certificate_files(tmp_path_factory.mktemp("certificates"))
    with standin(script, leaf) as running:
        yield running, {"SSL_CERT_FILE": str(ca)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(30 + 10 * ROUNDS)
def test_a_killed_recorder_loses_nothing_that_a_client_saw_the_end_of(
    provider: tuple[Standin, dict[str, str]], tmp_path: Path, kind: str
) -> None:
    running, environ = provider
    cassette = tmp_path / f"c.{kind}"
    loads: list[Load] = []
    for number in range(ROUNDS):  # one cassette for all: each recorder finds what the one before it left
        loads.append(killed_under_load(cassette, running.url, environ, name=f"r{number}", seed=number))
        found = stored(cassette)
        assert loads[-1].wrong == []
        assert [missing(load, found) for load in loads] == [[]] * len(loads)
        assert corrupt(found) == []
    assert all(len(load.ended) > 0 < len(load.cut) for load in loads)  # it was under load when it was killed
    if kind == "db":
        assert database_problems(cassette) == []
    with recorder(cassette, running.url, environ) as (_, process):  # what was killed is tidied up by the next one
        process.terminate()
        assert process.wait(20) == 0
    assert [path.name for path in tmp_path.iterdir()] == [cassette.name]
    found = stored(cassette)
    assert [missing(load, found) for load in loads] == [[]] * len(loads)


@pytest.mark.parametrize(("kind", "end"), [("db", signal.SIGKILL), ("yaml", signal.SIGTERM), ("yaml", signal.SIGKILL)])
def test_two_recorders_of_one_cassette_lose_nothing(
    provider: tuple[Standin, dict[str, str]], tmp_path: Path, kind: str, end: signal.Signals
) -> None:
    running, environ = provider
    cassette = tmp_path / f"c.{kind}"
    with (
        recorder(cassette, running.url, environ) as (first_url, first),
        recorder(cassette, running.url, environ) as (second_url, second),
    ):
        loads = [Load(url, name, 6, 10).start() for url, name in ((first_url, "a"), (second_url, "b"))]
        for load in loads:
            load.join()
        second.send_signal(end)
        second.wait(20)
        loads.append(Load(first_url, "c", 4, 5).start())  # the first one goes on
        loads[2].join()
        first.terminate()
        assert first.wait(20) == 0
    found = stored(cassette)
    assert [len(load.ended) for load in loads] == [60, 60, 20]
    assert [missing(load, found) for load in loads] == [[], [], []]
    assert (len(found), corrupt(found)) == (140, [])


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_more_can_be_written_the_clients_get_their_answers(
    provider: tuple[Standin, dict[str, str]], tmp_path: Path, kind: str
) -> None:
    running, environ = provider
    cassette = tmp_path / f"c.{kind}"
    with recorder(cassette, running.url, environ, largest_file=150_000) as (base_url, process):
        load = Load(base_url, "f", 4, 20).start()
        load.join()
        state = ask(base_url, "/admin/cassette").json()
        process.terminate()
        _, log = process.communicate(timeout=20)
    assert (len(load.ended), load.cut, load.wrong) == (80, set(), [])
    found = stored(cassette)
    assert 0 < len(found) == state["recorded"]
    assert state["failed_writes"] == 80 - len(found) > 0
    assert corrupt(found) == []
    assert all(whole(marker, exchange) for marker, exchange in found.items())
    assert log.count("cannot write it") == 1 + (kind == "yaml")  # once for all answers, once for the text at the end
    assert f"exchanges that could not be stored: {state['failed_writes']}" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("kind", KINDS)
def test_recording_goes_on_when_a_full_disk_has_room_again(
    provider: tuple[Standin, dict[str, str]], tmp_path: Path, kind: str
) -> None:
    running, environ = provider
    with small_disk(tmp_path / "disk", "300k") as disk:
        cassette = disk / f"c.{kind}"
        with recorder(cassette, running.url, environ) as (base_url, process):
            loads = [Load(base_url, "full", 4, 20).start()]
            loads[0].join()
            full = ask(base_url, "/admin/cassette").json()
            mount("-o", "remount,size=20m", disk)
            loads.append(Load(base_url, "room", 4, 5).start())
            loads[1].join()
            process.terminate()
            assert process.wait(20) == 0
        found = stored(cassette)
    assert full["failed_writes"] > 0
    assert [(len(load.ended), load.cut, load.wrong) for load in loads] == [(80, set(), []), (20, set(), [])]
    assert missing(loads[1], found) == []
    assert (len(found), corrupt(found)) == (full["recorded"] + 20, [])


@contextmanager
def small_disk(folder: Path, size: str) -> Generator[Path]:
    """A file system of `size` in memory; skips the test where mounting is not permitted."""
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"mounting a tmpfs is not permitted here: {problem}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True, capture_output=True)


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
