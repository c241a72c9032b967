"""What counts tokens costs nothing before a token is counted."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.wire

PROGRAM = """
import sys
from llm_simulator import tokens
assert not [name for name in sys.modules if name.startswith("llm_simulator.tokens.")]
assert tokens.encoding_name("gpt-4o") == "o200k_base"
assert "tiktoken" not in sys.modules and "llm_simulator.tokens.ranks" not in sys.modules
assert tokens.count("hello world", "davinci") == 2
assert "tiktoken" in sys.modules
assert "tiktoken.registry" in sys.modules  # tiktoken itself; its plugins, which would look for files, stay unread
assert "tiktoken_ext.openai_public" not in sys.modules
"""


def test_tiktoken_is_imported_with_the_first_token() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
