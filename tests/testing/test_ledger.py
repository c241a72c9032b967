"""Unused, expired, orphaned: what is judged, and what a partial run must not judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_simulator.testing.ledger import Finding, Ledger


def closed(recordings: int, unused: list[int], expired: list[int] | None = None) -> dict[str, object]:
    return {
        "recordings": recordings,
        "unused": unused,
        "expired": expired or [],
        "changed": ["$.a: 1, was 2"] * bool(expired),
    }


def test_a_recording_is_unused_if_no_test_used_it() -> None:
    ledger = Ledger()
    ledger.add("t1", "shared.yaml", closed(3, [2, 3]))
    ledger.add("t2", "shared.yaml", closed(3, [1, 3]))
    ledger.add("t3", "own.yaml", closed(1, []))
    assert ledger.unused() == [Finding("unused", "shared.yaml: 1 (#3) of 3 not used")]


def test_what_workers_found_adds_up() -> None:
    one, two, both = Ledger(), Ledger(), Ledger()
    one.add("t1", "shared.yaml", closed(2, [2], [1]))
    two.add("t2", "shared.yaml", closed(2, [1, 2], [2]))
    two.roots["cassettes"], two.modules, two.claimed = "", {"test_a"}, {"test_a/t2.yaml"}
    for worker in (one, two):
        both.join(json.loads(json.dumps(worker.as_json())))
    assert both.unused() == [Finding("unused", "shared.yaml: 1 (#2) of 2 not used")]
    assert both.expired("90d") == [Finding("expired", "shared.yaml: 2 (#1, #2) older than 90d")]
    assert both.changed() == [
        Finding("changed", "t1: $.a: 1, was 2"),
        Finding("changed", "t2: $.a: 1, was 2"),
    ]
    assert (both.roots, both.modules, both.claimed) == ({"cassettes": ""}, {"test_a"}, {"test_a/t2.yaml"})
    assert both.opened["shared.yaml"].tests == ["t1", "t2"]


def test_only_some_ids_are_listed() -> None:
    ledger = Ledger()
    ledger.add("t", "c.yaml", closed(12, list(range(1, 13))))
    (found,) = ledger.unused()
    assert found.text == "c.yaml: 12 (#1, #2, #3, #4, #5, #6, #7, #8, #9, #10, ...) of 12 not used"


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (False, ["test_a/old.yaml", "test_gone/t.yaml"]),
        (True, ["shared.yaml", "test_a/old.yaml", "test_b/t.yaml", "test_gone/t.yaml", "texts/t.yaml"]),
    ],
)
def test_a_partial_run_judges_what_it_collected(tmp_path: Path, whole: bool, expected: list[str]) -> None:
    root = tmp_path / "cassettes"
    for name in (*expected, "shared.yaml", "test_a/t.yaml", "test_a/skipped.yaml", "test_b/t.yaml", "texts/t.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "test_a.py").touch()
    (tmp_path / "test_b.py").touch()
    ledger = Ledger(roots={str(root): str(tmp_path)}, modules={"test_a"}, claimed={"test_a/skipped.yaml"})
    ledger.add("t", str(root / "test_a" / "t.yaml"), closed(1, []))
    assert [found.text for found in ledger.orphans(whole=whole)] == [
        f"{root / name}: belongs to no test" for name in expected
    ]
