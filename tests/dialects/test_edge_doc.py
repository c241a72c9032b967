"""docs/edge-cases.md names tests that exist; `PYTHONPATH=tests/wire python tests/dialects/test_edge_doc.py` rewrites it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from edge_cases import LINES, Line
from edge_forms import FORMS, Form

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "edge-cases.md"
START, END = "<!-- the table below is generated -->\n", "<!-- until here -->"
TITLES = {"openai": "OpenAI", "responses": "Responses", "azure": "Azure", "vertex": "Vertex AI"}


def table() -> str:
    columns = [TITLES.get(form.name, form.name.capitalize()) for form in FORMS]
    rows = [["case", "`test_line[...]`", *columns], ["---"] * (len(columns) + 2)]
    rows += [[line.about, f"`{line.name}`", *(_cell(line, form) for form in FORMS)] for line in LINES]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(line: Line, form: Form) -> str:
    lenient, provider = line.outcome(form, "lenient"), line.outcome(form, "provider")
    return lenient if lenient == provider else f"{lenient} / {provider}"


def test_the_table_is_what_the_tests_hold() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition(START)[2].partition(END)[0] == table()


def test_every_named_test_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 30
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


@cache
def names_in(path: str) -> frozenset[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_row_of_a_case_names_one() -> None:
    text = PAGE.read_text(encoding="utf-8").partition(END)[2]
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| case", "|--"))]
    assert [row for row in rows if "::test_" not in row] == []


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + table() + END + rest.partition(END)[2], encoding="utf-8")
