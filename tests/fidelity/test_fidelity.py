"""Our answers have the shape of the recorded ones: floors, a little below what is reached (benchmarks/fidelity.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from fidelity_compare import Result, compare
from fidelity_corpus import corpus_of
from fidelity_report import ASPECTS, as_json, by_provider, deviations, table

pytestmark = [pytest.mark.shared, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def result(shared: Path) -> Result:
    return compare(corpus_of(shared / "traffic" / "dev"))


@pytest.mark.parametrize(
    ("aspect", "agree", "like_for_like", "with_reasons"),
    [
        ("status", 1.0, 1.0, 1.0),
        ("keys", 0.85, 0.985, 0.995),
        ("kinds", 0.93, 0.985, 0.995),
        ("order of kinds", 0.88, 0.94, 0.98),
        ("order of keys", 0.97, 0.97, 0.995),
        ("layout", 0.94, 0.95, 0.99),
        ("headers", 0.88, 0.95, 0.985),
        ("header formats", 0.995, 0.995, 0.995),
    ],
)
def test_shares_that_agree(
    result: Result, aspect: str, agree: float, like_for_like: float, with_reasons: float
) -> None:
    score = result.total(aspect)
    assert score.of > 200
    assert score.share >= agree
    assert score.like_for_like >= like_for_like
    assert score.after_reasons >= with_reasons


@pytest.mark.parametrize("provider", ["openai", "azure", "anthropic", "gemini", "cohere"])
def test_every_provider_with_an_sdk_is_compared_and_like_the_recordings(result: Result, provider: str) -> None:
    scores = by_provider(result)[provider]
    assert scores["keys"].of > 500
    assert scores["keys"].after_reasons >= 0.99
    assert scores["kinds"].after_reasons >= 0.99


def test_the_report_tells_of_every_aspect_and_deviation(result: Result) -> None:
    lines = list(table(result))
    assert all(aspect in lines[0] for aspect in ASPECTS)
    assert any(line.startswith("all ") for line in lines)
    told = as_json(result)
    assert sum(item["count"] for item in told["deviations"]) == result.deviations.total()
    assert len(list(deviations(result, explained=True))) > len(list(deviations(result, explained=False)))
