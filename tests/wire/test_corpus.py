"""A sample of the genuine recordings over real sockets; benchmarks/corpus_replay.py does all of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.shared]

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "corpus_replay.py"


@pytest.mark.timeout(300)
def test_a_sample_replays_exactly_in_any_form_and_misses_when_changed(shared: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--traffic", str(shared / "traffic" / "dev"), "--sample", "50"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=290, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "imported 1413 of 1413" in made.stdout
    scores = re.findall(r"^(\w+) +(\d+) of +(\d+)  ", made.stdout, re.M)
    assert [name for name, _, _ in scores] == ["exact", "form", "changed", "stored"]
    assert all(good == of and int(of) >= 40 for _, good, of in scores)
