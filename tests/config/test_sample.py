"""The configuration of the issue loads as it stands and means what it says, in YAML, JSON and TOML."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_samples import FORMATS, YAML

from llm_simulator.config.checks import conflicts
from llm_simulator.config.load import load
from llm_simulator.config.settings import Settings
from llm_simulator.engine import SimulationEngine
from llm_simulator.errors import RequestError
from llm_simulator.profiles.picking import SHIPPED
from llm_simulator.simulator.draws import Draw, Lot
from llm_simulator.simulator.rng import DeterministicRng

CALLS = 1000


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("sample") / "sample.yaml"
    path.write_text(YAML, "utf-8")
    return load(path, {})


@pytest.mark.parametrize(("suffix", "text"), FORMATS)
def test_every_format_means_the_same(tmp_path: Path, sample: Settings, suffix: str, text: str) -> None:
    path = tmp_path / f"sample{suffix}"
    path.write_text(text, "utf-8")
    made = load(path, {})
    assert made == sample
    assert list(conflicts(made)) == []


def test_what_it_sets(sample: Settings) -> None:
    assert (sample.host, sample.port, sample.workers, sample.max_connections) == ("0.0.0.0", 8080, 8, 10_000)
    assert sample.request_timeout_secs == 300
    assert (sample.deterministic, sample.seed) == (True, 12345)
    assert (sample.max_concurrent, sample.queue_size) == (10_000, 1000)
    assert (sample.log_level, sample.log_format) == ("info", "json")
    assert (sample.metrics, sample.metrics_port) == (True, 9090)
    assert sample.otlp_endpoint == "http://localhost:4317"


def test_ttft_and_gaps_are_those_that_it_gives(sample: Settings) -> None:
    """The quantiles are met exactly: a log-normal is determined by two."""
    assert sample.providers is not None
    picked = sample.providers.timed(SHIPPED.of("openai", "gpt-4-turbo"), "openai", "gpt-4-turbo")
    profile = picked.profile
    assert (profile.name, picked.by) == ("config/gpt-4-turbo", "")
    assert profile.ttft.quantile(0.5) == pytest.approx(0.8)
    assert profile.ttft.quantile(0.95) == pytest.approx(1.5)
    timings = profile.generate_streaming_timings(2001, DeterministicRng(1))
    mean = sum(timings.gaps) / 2000
    spread = (sum((gap - mean) ** 2 for gap in timings.gaps) / 2000) ** 0.5
    assert mean == pytest.approx(0.020, rel=0.03)
    assert spread == pytest.approx(0.005, rel=0.08)


def test_two_calls_in_a_hundred_are_limited_for_a_minute(sample: Settings) -> None:
    """Repeats of one call are stratified: the share is met within one."""
    assert sample.providers is not None
    lot = Lot(sample.seed, "default", b"a call")
    draws = [Draw(0, occurrence) for occurrence in range(CALLS)]
    struck = [sample.providers.failing("openai", "gpt-4-turbo", lot, draw) for draw in draws]
    faults = [fault for fault in struck if fault is not None]
    assert abs(len(faults) - CALLS * 0.02) <= 1
    assert {(fault.name, fault.what, fault.retry_after) for fault in faults} == {("rate_limit", "rate_limit", 60.0)}
    again = [sample.providers.failing("openai", "gpt-4-turbo", lot, draw) for draw in reversed(draws)]
    assert again[::-1] == struck  # by the call, not by the order
    assert all(sample.providers.failing("openai", "gpt-4o", lot, draw) is None for draw in draws)


def test_other_models_stay_as_they_are(sample: Settings) -> None:
    assert sample.providers is not None
    shipped = SHIPPED.of("openai", "gpt-4o")
    assert sample.providers.timed(shipped, "openai", "gpt-4o") == shipped


def test_the_engine_without_a_server_plays_it_too(sample: Settings) -> None:
    engine = SimulationEngine(sample)
    failed = list[RequestError]()
    for _ in range(200):
        try:
            engine.process_chat_completion({"model": "gpt-4-turbo", "messages": [{"role": "user", "content": "Hi"}]})
        except RequestError as error:
            failed.append(error)
    assert 3 <= len(failed) <= 5
    assert {(error.status, error.name) for error in failed} == {(429, "openai.rate_limit_requests")}
