"""Every client's own code against the real server; and docs/compatibility.md says what is so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from compatibility import FILE, page, without_versions
from conformance_clients import CLIENTS, NOT_SERVED, Key, all_keys, expected
from conformance_run import Results, run_all

pytestmark = [pytest.mark.untraced, pytest.mark.xdist_group("conformance")]  # one run of all programs

KEYS = tuple(all_keys())
WITHOUT_SDK_CALL = {"gemini.embedContent"}  # google-genai sends batchEmbedContents, even for one text


def test_each_case_is_declared_once() -> None:
    assert len(set(KEYS)) == len(KEYS)
    assert {key.client for key in KEYS} == {client.name for client in CLIENTS}


def test_the_page_is_current() -> None:
    """`make compatibility` writes it anew."""
    outcomes = {key: expected(key) for key in KEYS}
    nothing = dict.fromkeys((client.name for client in CLIENTS), "-")
    assert without_versions(FILE.read_text(encoding="utf-8")) == without_versions(page(outcomes, nothing))


def test_what_is_not_served_has_cases() -> None:
    assert set(NOT_SERVED) <= {key.endpoint for key in KEYS}


@pytest.mark.shared
def test_every_known_endpoint_has_a_case(shared: Path) -> None:
    known = yaml.safe_load((shared / "reference" / "endpoints.yaml").read_text(encoding="utf-8"))["providers"]
    ids = {endpoint["id"] for provider in known.values() for endpoint in provider["endpoints"]}
    assert ids - {key.endpoint for key in KEYS} == WITHOUT_SDK_CALL


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    log = tmp_path_factory.mktemp("conformance") / "server.log"
    return run_all(log), log


@pytest.mark.wire
@pytest.mark.timeout(900)  # the first run makes the environments
def test_the_programs_have_the_declared_cases(run: tuple[Results, Path]) -> None:
    assert set(run[0]) == set(KEYS)


@pytest.mark.wire
@pytest.mark.timeout(900)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_case(run: tuple[Results, Path], key: Key) -> None:
    result = run[0][key]
    assert result.outcome == expected(key), result.detail


@pytest.mark.wire
@pytest.mark.timeout(900)
def test_the_servers_met_no_error_of_their_own(run: tuple[Results, Path]) -> None:
    said = run[1].read_text(encoding="utf-8")
    assert "Traceback" not in said, said
    assert " ERROR " not in said, said
