"""Mode verify, whole: a provider that has changed since, the summary that says so, the report that holds it all."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import llm_simulator
from standin import Asked, Script, Standin, certificate_files, standin

pytestmark = pytest.mark.wire

CLIENT = """
import json, os, sys, urllib.error, urllib.request
for prompt in sys.argv[1:]:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]}
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", data=json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    try:
        answer = urllib.request.urlopen(request)
        answer.read()
        print(answer.status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


class Provider:
    """Answers by prompt; `now` says whether it is the later one, that has changed."""

    def __init__(self) -> None:
        self.now = False

    def script(self, asked: Asked) -> Script:
        prompt = json.loads(asked.body)["messages"][0]["content"]
        body: dict[str, Any] = {
            "id": "chatcmpl-2" if self.now else "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        }  # fmt: skip
        status = 200
        if self.now and prompt == "text":
            body["choices"][0]["message"]["content"] = "Hi"
        if self.now and prompt == "shape":
            body["choices"][0]["logprobs"] = {}
        if self.now and prompt == "status":
            status, body = 400, {"error": {"message": "no longer"}}
        data = json.dumps(body).encode()
        return Script(status, (("content-type", "application/json"),), ((0, data),), chunked=False)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[tuple[Provider, Standin, dict[str, str]]]:
    ca, leaf = certificate_files(tmp_path)
    made = Provider()
    with standin(made.script, leaf) as running:
        yield made, running, {"SSL_CERT_FILE": str(ca), "OPENAI_BASE_URL": ""}


@pytest.fixture
def run(tmp_path: Path, provider: tuple[Provider, Standin, dict[str, str]]) -> Callable[..., Any]:
    _, running, environ = provider

    def run(mode: str, *prompts: str, options: tuple[str, ...] = ()) -> Any:
        upstream = f"api.openai.com={running.url}"
        command = ("run", "-m", mode, "-c", str(tmp_path / "c.yaml"), "--upstream", upstream, *options)
        return llm_simulator(*command, "--", sys.executable, "-c", CLIENT, *prompts, environ=environ)

    return run


def test_what_changed_at_the_provider_is_told_call_by_call_and_summed_up(
    provider: tuple[Provider, Standin, dict[str, str]], run: Callable[..., Any], tmp_path: Path
) -> None:
    prompts = ("same", "text", "shape", "status")
    assert run("record", *prompts).returncode == 0
    _recorded_after(tmp_path / "c.yaml", 0)  # not known: how fast this machine is today is no subject here
    provider[0].now = True
    report, text = tmp_path / "report.json", tmp_path / "report.txt"
    done = run("verify", *prompts, options=("--report", str(report)))
    assert (done.returncode, done.stdout.split()) == (0, ["200", "200", "200", "400"])
    told = done.stderr
    assert "verified: 4 calls compared with the recording, 1 without a change" in told
    assert "changed: status 1, shape 2, text 1 (calls)" in told
    assert 'text     text was "Hello", is "Hi"' in told
    assert "shape    $.choices[].logprobs is new" in told
    assert "status   status was 200, is 400" in told
    made = json.loads(report.read_text())["verify"]
    assert (made["compared"], made["same"], made["changed"]["shape"]) == (4, 1, 2)
    assert [call["aspects"] for call in made["calls"]] == [[], ["text"], ["shape"], ["status", "shape"]]
    assert [call["exchange"] for call in made["calls"]] == [1, 2, 3, 4]
    failed = run("verify", "same", "shape", options=("--report", str(text), "--changed", "fail"))
    assert failed.returncode == 1
    assert "shape    $.choices[].logprobs is new" in text.read_text()
    assert run("verify", "same", "text", options=("--changed", "fail")).returncode == 0


def test_a_slower_provider_is_told_with_the_medians(run: Callable[..., Any], tmp_path: Path) -> None:
    run("record", "same")
    _recorded_after(tmp_path / "c.yaml", 9_000_000_000)
    told = run("verify", "same").stderr
    assert "median ttft: recorded 9000 ms, now " in told
    assert "latency  ttft was 9000 ms, is " in told


def _recorded_after(cassette: Path, ns: int) -> None:
    """Changes the time at which the (one) chunk of each recording came."""
    cassette.write_text(re.sub(r"(?m)^    \d+\+", f"    {ns}+", cassette.read_text()))


def test_a_call_that_was_never_recorded_is_a_miss_and_a_run_without_any_says_nothing(run: Callable[..., Any]) -> None:
    run("record", "same")
    done = run("verify", "other")
    assert (done.returncode, done.stdout.strip()) == (1, "404")
    assert "verified" not in done.stderr
