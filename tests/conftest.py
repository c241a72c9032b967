"""Fixtures that every room may use."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import settings

settings.register_profile("here", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("here")

pytest_plugins = ["pytester"]

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of genuine recordings beside the clone; absent on a user's machine, required in CI."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("LLM_SIMULATOR_SHARED_REQUIRED"):
        pytest.fail(f"{SHARED} is absent, but LLM_SIMULATOR_SHARED_REQUIRED is set")
    pytest.skip(f"the genuine recordings are not here ({SHARED})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """These go through code that other tests cover: without the tracer, in their processes too, it takes half the time."""
    measuring = Coverage.current() if any(map(item.get_closest_marker, ("shared", "untraced"))) else None
    if measuring is None:
        return (yield)
    processes = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()
        if processes is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = processes
