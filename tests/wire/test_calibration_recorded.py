"""The whole way: a stand-in with known times, recorded over sockets by our proxy, calibrated from the cassette."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import recorded_streams as rec
from serving import Got, ask, serving
from standin import Asked, Script, standin

from llm_simulator.config.settings import Settings
from llm_simulator.recorder.calibration.groups import calibrate
from llm_simulator.recorder.calibration.reading import read
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire

CALLS = 9
TTFT, GAPS = 0.2, (0.1, 0.2, 0.15)


def _script(asked: Asked) -> Script:
    """A greeting at once; four writes of two tokens; then the end, at once."""
    writes = ((TTFT, rec.said("a") * 2), *((gap, rec.said("a") * 2) for gap in GAPS))
    end = rec.STOP + rec.event(choices=[], usage=rec.usage(9, 8)) + rec.DONE
    return Script(headers=rec.SSE, chunks=((0.0, rec.HELLO), *writes, (0.0, end)))


def test_what_was_recorded_over_sockets_is_calibrated(tmp_path: Path) -> None:
    cassette = str(tmp_path / "c.db")
    with standin(_script, None) as provider:
        settings = Settings(cassette=cassette, mode=Mode.RECORD, port=0, upstreams={"api.openai.com": provider.url})
        with serving(settings) as server, ThreadPoolExecutor(CALLS) as clients:

            def call(number: int) -> Got:
                asked = [{"role": "user", "content": f"hi {number}"}]
                body = {"model": "gpt-4o-mini", "stream": True, "messages": asked}
                return ask(server.base_url, "/api.openai.com/v1/chat/completions", body)

            assert [got.status for got in clients.map(call, range(CALLS))] == [200] * CALLS
        sent = [
            [(after - before) * 1e-9 for before, after in pairwise([at for at, _ in log][1:5])] for log in provider.sent
        ]
    (made,) = calibrate(read([cassette], complain=lambda line: pytest.fail(line)))
    assert (made.n, made.profile.name, list(made.failures)) == (CALLS, "openai-gpt-4o-mini-stream-miss", [])
    assert made.profile.traces is not None
    traces = made.profile.traces.items
    assert [sum(trace.sizes) for trace in traces] == [8] * CALLS
    # A busy machine may hold up a read or two, so most must show what was sent, not all.
    near = [any(list(trace.gaps) == pytest.approx(gaps, abs=0.03) for gaps in sent) for trace in traces]
    assert sum(near) > CALLS / 2
    assert made.recorded["ttft"][CALLS // 2] >= TTFT
