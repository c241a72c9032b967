"""Our counts against the providers' own, over the genuine exchanges: floors, a little below what is reached."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.shared

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "token_truth.py"


@pytest.fixture(scope="module")
def truth(shared: Path) -> tuple[dict[str, Any], list[Any]]:
    scores, misses = runpy.run_path(str(BENCHMARK))["measure"](shared / "traffic" / "dev")
    return scores, misses


@pytest.mark.parametrize(
    ("category", "floor"),
    [
        ("prompt chat all", 0.985),
        ("prompt chat plain", 1.0),
        ("prompt chat response_format", 1.0),
        ("prompt chat tools", 0.98),
        ("prompt chat tool history", 0.98),
        ("prompt chat tool history+tools", 0.96),
        ("prompt responses all", 0.91),
        ("prompt responses plain", 1.0),
        ("prompt completions all", 1.0),
        ("prompt embeddings all", 1.0),
        ("completion chat text", 0.99),
        ("completion chat calls", 0.98),
        ("completion completions all", 1.0),
        ("completion responses text", 0.9),
        ("completion responses calls", 0.93),
        ("completion of text", 0.97),
        ("completion of text, told whole", 0.99),
    ],
)
def test_share_of_counts_that_are_exact(truth: tuple[dict[str, Any], list[Any]], category: str, floor: float) -> None:
    assert truth[0][category].exact >= floor


def test_hardly_a_count_that_is_said_to_be_exact_is_not(truth: tuple[dict[str, Any], list[Any]]) -> None:
    assert len([miss for miss in truth[1] if miss.said_exact]) <= 4
