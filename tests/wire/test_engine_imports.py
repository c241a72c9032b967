"""What a process pays for the engine before it answers anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.wire

CODE = """
import sys
import llm_simulator.profiles, llm_simulator.simulator.engine
print(*sorted({"yaml", "tiktoken", "pydantic", "scipy", "numpy", "sqlalchemy"} & set(sys.modules)))
"""


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
