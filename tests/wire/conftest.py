"""Fixtures of the tests on the wire that several files share."""

from __future__ import annotations

from pathlib import Path

import pytest
from door_rig import capture_interpreter
from standin import certificate_files


@pytest.fixture(scope="session")
def capture_python() -> str:
    """An interpreter with mitmproxy; made once in the user's cache folder where LLM_SIMULATOR_CAPTURE_PYTHON names none."""
    return capture_interpreter()


@pytest.fixture(scope="session")
def provider_certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The stand-in's CA, and its key and certificate."""
    return certificate_files(tmp_path_factory.mktemp("certificates"))
