"""`llm-simulator cassette`, `validate`: the real command over real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from serving import llm_simulator

pytestmark = pytest.mark.wire

DEMO = str(Path(__file__).resolve().parents[2] / "cassettes" / "demo.yaml")


def test_list_shows_every_recording_for_people_and_programs() -> None:
    text = llm_simulator("cassette", "list", "--cassette", DEMO)
    assert (text.returncode, len(text.stdout.splitlines())) == (0, 10)
    rows = [json.loads(line) for line in llm_simulator("cassette", "list", "-c", DEMO, "--json").stdout.splitlines()]
    assert {row["provider"] for row in rows} == {"openai", "anthropic", "gemini", "cohere", "azure"}
    assert all(row["status"] == 200 and row["outcome"] == "complete" for row in rows)


def test_stats_count_tokens_as_the_providers_did() -> None:
    stats = json.loads(llm_simulator("cassette", "stats", "-c", DEMO, "--json").stdout)
    assert (stats["recordings"], stats["outcomes"]) == (10, {"complete": 10})
    openai = next(row for row in stats["models"] if row["provider"] == "openai")
    assert (openai["recordings"], openai["streams"]) == (2, 1)
    assert openai["completion_tokens"] == 40  # the stream was not asked for its usage
    assert "10 recordings (10 complete)" in llm_simulator("cassette", "stats", "-c", DEMO).stdout


def test_show_prints_one_document_and_names_a_missing_one() -> None:
    shown = llm_simulator("cassette", "show", "-c", DEMO, "2")
    assert "provider: anthropic" in shown.stdout
    missing = llm_simulator("cassette", "show", "-c", DEMO, "99")
    assert (missing.returncode, missing.stderr) == (
        1,
        f"error: {DEMO} has no recording 99; `cassette list` shows the ids\n",
    )


def test_export_and_import_go_round_byte_for_byte(tmp_path: Path) -> None:
    database, text, again = tmp_path / "a.db", tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert llm_simulator("cassette", "import", DEMO, "-c", str(database)).returncode == 0
    assert "10 recordings written" in llm_simulator("cassette", "export", "-c", str(database), "-o", str(text)).stdout
    assert llm_simulator("cassette", "export", "-c", str(text), "-o", str(again)).returncode == 0
    assert again.read_bytes() == text.read_bytes() == Path(DEMO).read_bytes()
    taken = llm_simulator("cassette", "export", "-c", str(text), "-o", str(again))
    assert taken.returncode == 1
    assert "--force" in taken.stderr


def test_import_reports_what_it_cannot_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("interactions:\n- request: {uri: 7}\nversion: 1\n")
    made = llm_simulator("cassette", "import", str(bad), "-c", str(tmp_path / "c.db"))
    assert made.returncode == 1
    assert "bad.yaml" in made.stdout
    report = json.loads(llm_simulator("cassette", "import", DEMO, "-c", str(tmp_path / "c.db"), "--json").stdout)
    assert report["files"][0]["imported"] == 10


def test_scan_finds_nothing_in_the_demo_and_something_planted(tmp_path: Path) -> None:
    clean = llm_simulator("cassette", "scan", "-c", DEMO)
    assert (clean.returncode, clean.stdout) == (0, "0 findings in 10 recordings\n")
    planted = tmp_path / "planted.yaml"
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" * 3
    planted.write_text(Path(DEMO).read_text().replace("Say hello", f"My key is {key}. Say hello", 1))
    found = llm_simulator("cassette", "scan", "-c", str(planted))
    assert found.returncode == 1
    assert key not in found.stdout + found.stderr
    assert "1: " in found.stdout


def test_validate_lists_every_error(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("simulation: {seed: 3}\n")
    bad.write_text("server: {port: x}\nsimulation: {sed: 3}\n")
    assert llm_simulator("validate", "--config", str(good)).stdout.startswith(f"{good}: valid")
    made = llm_simulator("validate", "--config", str(bad))
    assert made.returncode == 2
    assert f"{bad}:1: server.port" in made.stderr
    assert f"{bad}:2: simulation.sed: no such field; allowed here: " in made.stderr
