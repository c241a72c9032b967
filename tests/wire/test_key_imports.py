"""What a run does not need is not loaded by the match key."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.wire


def test_plain_paths_do_not_load_jsonpath_ng() -> None:
    code = (
        "import sys; from llm_simulator.cassettes.cassette import Cassette;"
        "from llm_simulator.cassettes.key import Matcher, MatchRules;"
        "Matcher(MatchRules(ignore=('$.a.b[0]',)));"
        "heavy = {'jsonpath_ng', 'ply', 'sqlalchemy', 'yaml', 'pydantic', 'brotli', 'zstandard'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
