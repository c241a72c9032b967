"""Fixtures that every room may use."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import settings

settings.register_profile("here", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("here")

pytest_plugins = ["pytester"]

UNTRACED = ("shared", "untraced", "hypothesis")
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
    """A command that a test runs in this process may set up the log: that ends with the test."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    try:
        with _untraced() if any(map(item.get_closest_marker, UNTRACED)) else nullcontext():
            return (yield)
    finally:
        root.handlers[:] = handlers


@contextmanager
def _untraced() -> Generator[None]:
    """For what goes through code that other tests cover: without the tracer, in its processes too, it takes half the time."""
    measuring = Coverage.current()
    if measuring is None:
        yield
        return
    processes = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    measuring.stop()
    try:
        yield
    finally:
        measuring.start()
        if processes is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = processes
