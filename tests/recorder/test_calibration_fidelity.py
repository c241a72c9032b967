"""What is simulated is what was recorded: the benchmark's own comparison, on a few genuine recordings."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.shared
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "latency_fidelity.py"


@pytest.fixture(scope="module")
def fidelity() -> Any:
    spec = importlib.util.spec_from_file_location("latency_fidelity", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["latency_fidelity"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("pattern", ["chunks_*", "requests_llmperf*"])
def test_quantiles_are_within_what_is_promised(fidelity: Any, shared: Path, pattern: str) -> None:
    paths = sorted(map(str, (shared / "latency" / "dev").glob(pattern)))
    results = [fidelity.compared(one, 600) for one in fidelity.recordings(paths, 100)]
    assert len(results) >= 4
    for told, holds in fidelity.summary(results):
        assert holds, told


def test_a_gaussian_per_token_is_not(fidelity: Any, shared: Path) -> None:
    path = str(shared / "latency" / "dev" / "chunks_gpt4o_tls.jsonl.gz")
    (result,) = [fidelity.compared(one, 200) for one in fidelity.recordings([path], 1)]
    assert result.gaussian["gap"] > 0.8
    assert result.gaussian["stall"] > 0.9
