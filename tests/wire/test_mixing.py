"""One run whose answers are part recorded, part synthetic, part templated, part failed, per scenario: the summary counts
them, and the same run in a fresh process is the same run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from calendar_project import write
from serving import ask, command_serving, llm_simulator

pytestmark = pytest.mark.wire

MONTHS = 40
COUNTED = {"cassette": "replayed", "simulator": "simulated", "response": "templated", "fault": "failed"}
PROGRAM = f"""
import hashlib, http.client, os
from urllib.parse import urlsplit
import json

url = urlsplit(os.environ["OPENAI_BASE_URL"])
for month in range({MONTHS}):
    for scenario in ("even", "stormy"):
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        body = {{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": f"days in month {{month}}?"}}]}}
        headers = {{"content-type": "application/json", "x-llm-simulator-scenario": scenario}}
        connection.request("POST", url.path + "/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        told = [answer.headers["x-llm-simulator-" + name] or "" for name in ("source", "rule", "fault")]
        digest = hashlib.blake2b(answer.read(), digest_size=8).hexdigest()
        connection.close()
        print("|".join([scenario, str(month), str(answer.status), *told, digest]))
"""


def scenario(failed: float, templated: float, synthetic: float) -> dict[str, Any]:
    faults = [
        {"kind": "rate_limit", "probability": 0.5, "priority": 1},
        {"kind": "overloaded", "probability": 1},
    ]
    return {
        "rules": [
            {"name": "unlucky", "when": {"share": failed}, "then": {"mode": "simulate", "faults": faults}},
            {"name": "told", "when": {"share": templated}, "then": {"respond": "{{ choice('a', 'b') }} to {{ user }}"}},
            {"name": "made up", "when": {"share": synthetic}, "then": "simulate"},
            {"name": "recorded", "then": "replay"},
        ]
    }


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the program: what one answer said of itself."""

    scenario: str
    month: str
    status: str
    source: str
    rule: str
    fault: str
    digest: str


def counts(answers: list[Told]) -> dict[str, Any]:
    """What the summary must say of the scenarios, from what the answers said."""
    made = {}
    for name in sorted({one.scenario for one in answers}):
        own = [one for one in answers if one.scenario == name]
        made[name] = {
            "calls": len(own),
            "answered": dict(sorted(Counter(COUNTED[one.source] for one in own).items())),
            "rules": dict(sorted(Counter(one.rule for one in own).items())),
            "faults": dict(sorted(Counter(one.fault for one in own if one.fault).items())),
        }
    return made


@pytest.mark.timeout(180)
def test_a_mix_is_counted_and_comes_again_in_a_fresh_process(tmp_path: Path) -> None:
    cassette, config, program = tmp_path / "c.yaml", tmp_path / "mix.json", tmp_path / "ask.py"
    write(cassette, *((f"days in month {month}?", str(month)) for month in range(MONTHS)))
    config.write_text(json.dumps({"scenarios": {"even": scenario(0.2, 0.3, 0.4), "stormy": scenario(0.6, 0.3, 0.3)}}))
    program.write_text(PROGRAM)
    given = ("--config", str(config), "--cassette", str(cassette), "--mode", "replay", "--speed", "0")

    def run(number: int) -> tuple[str, Any, list[str]]:
        report = tmp_path / f"report-{number}.json"
        done = llm_simulator("run", *given, "--report", str(report), "--", "python3", str(program))
        assert done.returncode == 0, done.stderr
        told = [line.strip() for line in done.stderr.splitlines() if line.startswith("  scenario ")]
        return done.stdout, json.loads(report.read_text()), told

    (said, report, told), again = run(1), run(2)
    answers = [Told(*line.split("|")) for line in said.splitlines()]
    assert len(answers) == 2 * MONTHS
    expected = counts(answers)
    for name in ("even", "stormy"):
        assert set(expected[name]["answered"]) == {"failed", "replayed", "simulated", "templated"}
        assert set(expected[name]["faults"]) == {"overloaded", "rate_limit"}
    assert report["scenarios"] == expected
    assert expected["even"]["answered"]["failed"] < expected["stormy"]["answered"]["failed"]
    total = report["total"]
    assert total["calls"] == 2 * MONTHS
    assert {how: total[how] for how in COUNTED.values()} == {
        how: sum(expected[name]["answered"][how] for name in expected) for how in COUNTED.values()
    }
    assert [line.partition(":")[0] for line in told] == ["scenario even", "scenario stormy"]
    for line in told:
        played = expected[line.removeprefix("scenario ").partition(":")[0]]
        assert all(f"{count} {how}" in line for how, count in played["answered"].items())
        assert all(f"{fault} {count}" in line for fault, count in played["faults"].items())
    assert again[0] == said
    assert again[1]["scenarios"] == report["scenarios"]
    assert again[1]["total"] == total
    assert again[2] == told

    with command_serving(*given) as (base_url, _):
        for one in answers:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"days in month {one.month}?"}]}
            headers = {"content-type": "application/json", "x-llm-simulator-scenario": one.scenario}
            got = ask(base_url, "/v1/chat/completions", body, headers=headers)
            assert (str(got.status), got.header("x-llm-simulator-rule")) == (one.status, one.rule)
        assert ask(base_url, "/admin/summary").json()["scenarios"] == expected
