"""The same calls in any order, at any concurrency, on one worker or two, on any date: the same answers.

benchmarks/determinism.py does 10,000 of them in 18 runs; here it does 300 in three.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.wire,
    pytest.mark.untraced,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="several workers need a system that can fork"),
]

ROOT = Path(__file__).resolve().parents[2]
_RUN = re.compile(r"^ *(\d+) +([\d,]+) +(\d+)  \d+ \w+ (\d+) +[\d,]+  (\w+)$", re.M)


@pytest.mark.timeout(300)
def test_the_same_answers_in_any_order_at_any_concurrency_on_any_worker_and_date() -> None:
    command = [sys.executable, "-m", "benchmarks.determinism", "--calls", "300", "--at-once", "1,64,300", "--few"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    runs = _RUN.findall(made.stdout)
    assert [run[:4] for run in runs] == [("1", "1", "1", "2019"), ("2", "64", "2", "2031"), ("3", "300", "1", "2019")]
    assert len({digest for *_, digest in runs}) == 1
    dues = re.findall(r"in process, orders 1 and 3: (\w+) (\w+)$", made.stdout, re.M)
    assert [one == other for one, other in dues] == [True]
    assert re.search(r"^control: .*: [1-9]\d* of \d+ differ$", made.stdout, re.M)
    assert made.stdout.endswith("all equal\n")
