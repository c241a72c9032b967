"""The log as JSON: one object a line whatever was said, secrets masked before they are spelled."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llm_simulator.redact import Redactor
from llm_simulator.telemetry import log as log_module
from llm_simulator.telemetry.journal import Entry
from llm_simulator.telemetry.observer import Observer

SECRET = 'a"quoted\\secret\nof two lines'


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[Any]]]:
    """What was logged, parsed."""
    root, ours = logging.getLogger(), logging.getLogger("llm_simulator")
    before = (root.handlers[:], root.level, ours.level)
    log_module.set_up("info", Redactor({"HOUSE_API_KEY": SECRET}).text, "json")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


def test_a_call_comes_with_the_facts_of_the_journal(lines: Callable[[], list[Any]]) -> None:
    entry = Entry(0.0, "POST", "/v1/chat/completions", "openai", "gpt-4o", "chat", False, 200, "cassette")
    entry.exchange, entry.note = 7, "of sk-proj-abcdefghijklmnopqrstuvwx"
    Observer(10).add(entry)
    [line] = lines()
    assert line.keys() == {"time", "level", "logger", "message", "call"}
    assert (line["level"], line["logger"]) == ("info", "llm_simulator.calls")
    assert line["message"].startswith("POST /v1/chat/completions gpt-4o 200 cassette 0.0 ms")
    assert (line["call"]["exchange"], line["call"]["provider"], line["call"]["status"]) == (7, "openai", 200)
    assert "abcdefghijklmnop" not in json.dumps(line)


def test_a_secret_that_json_would_escape_is_masked(lines: Callable[[], list[Any]]) -> None:
    try:
        raise ValueError(f"cannot use {SECRET}")
    except ValueError:
        logging.getLogger("other.library").exception("with %s and %r", SECRET, ["lone \ud800", "ünïcode"])
    [line] = lines()
    assert SECRET not in line["message"]
    assert line["message"].endswith("ünïcode']")
    assert SECRET not in line["exception"]
    assert line["exception"].startswith("Traceback")
    assert line["level"] == "error"


SAID = ["two\nlines", "", "\ud800", "\x00", "%s", '{"level": "forged"}\n{"level": "x"}']


@pytest.mark.parametrize("said", SAID, ids=ascii)  # xdist passes ids on, and cannot pass on half a character
def test_one_line_for_one_record(said: str, lines: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", logging.getLogger().handlers[:1])  # nor in pytest's own log
    logging.getLogger("llm_simulator.x").warning("%s", said)
    assert [line["message"] for line in lines()] == [said]
