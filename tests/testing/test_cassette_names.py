"""Where a test's cassette lies: readable where it can be, unique where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_simulator.testing import names


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/test_a.py::test_b", "test_b"),
        ("tests/test_a.py::TestB::test_c", "TestB.test_c"),
        ("tests/test_a.py::test_b[gpt-4o-mini]", "test_b[gpt-4o-mini]"),
        ("tests/test_a.py::test_b[x y]", "test_b[x-y]-30cbe845"),
        ("tests/test_a.py::test_b[x/y]", "test_b[x-y]-88f60ac2"),
        ("tests/test_a.py::test_b[../../etc]", "test_b[..-..-etc]-c5163090"),
    ],
)
def test_a_test_as_a_file_name(nodeid: str, expected: str) -> None:
    assert names.file_name(nodeid) == expected


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=300))
def test_any_name_is_one_short_path_component(text: str) -> None:
    name = names.file_name(f"test_a.py::test_b[{text}]")
    assert Path(name).name == name
    assert "\\" not in name
    assert len(name.encode()) < 200


def test_names_that_differ_only_in_what_is_replaced() -> None:
    assert names.file_name("a.py::t[x y]") != names.file_name("a.py::t[x/y]")
    long = "a.py::t[" + "x" * 300
    assert names.file_name(long + "1]") != names.file_name(long + "2]")


def test_own_and_named_cassettes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert names.own(tmp_path, Path("/t/test_a.py"), "test_a.py::test_b") == tmp_path / "test_a" / "test_b.yaml"
    assert names.named(tmp_path, "shared") == str(tmp_path / "shared.yaml")
    assert names.named(tmp_path, "v1.2/shared") == str(tmp_path / "v1.2" / "shared.yaml")
    assert names.named(tmp_path, "shared.db") == str(tmp_path / "shared.db")
    assert names.named(tmp_path, "folder") == str(tmp_path / "folder")
    assert names.named(tmp_path, "/elsewhere/x.yaml") == "/elsewhere/x.yaml"
    assert names.named(tmp_path, "postgresql+asyncpg://host/db") == "postgresql+asyncpg://host/db"


def test_cassettes_below_a_folder(tmp_path: Path) -> None:
    for name in ("a/b.yaml", "c.db", ".c.yaml.journal", "a/.hidden.yaml", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert names.cassettes_in(tmp_path) == [tmp_path / "a" / "b.yaml", tmp_path / "c.db"]
    assert names.cassettes_in(tmp_path / "absent") == []
