"""`--log-format json`: whatever a server writes on standard error is a JSON object a line."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from serving import COMMAND, ask, free_port, wait_ready

pytestmark = pytest.mark.wire


@pytest.mark.parametrize("by", ["flag", "file"])
def test_every_line_is_json(by: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("telemetry: {logging: {format: json}}\n" if by == "file" else "{}\n", encoding="utf-8")
    flags = ("--log-format", "json") if by == "flag" else ()
    port = free_port()
    base_url, said = f"http://127.0.0.1:{port}", tmp_path / "stderr"
    with said.open("w") as stderr:
        command = [*COMMAND, "serve", "--port", str(port), "--config", str(config), "--mode", "simulate", *flags]
        process = subprocess.Popen(command, stderr=stderr, text=True)
        try:
            with said.open() as reading:
                wait_ready(base_url, process, reading)
            hi = [{"role": "user", "content": "Hi"}]
            assert ask(base_url, "/v1/chat/completions", {"model": "gpt-4o", "messages": hi}).status == 200
            assert ask(base_url, "/v1/chat/completions", b"{").status == 400
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    calls = [line["call"] for line in lines if "call" in line]
    assert [(call["status"], call["source"]) for call in calls] == [(200, "simulator"), (400, "refusal")]
    assert any(line["message"].startswith("llm-simulator serves") for line in lines)
