"""Log lines of a process on standard error, as text or as JSON; secrets masked whoever wrote them."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

TEXT, JSON_LINES = "text", "json"
SHORTEST = 8
"""Characters of the shortest text that masking looks at: no key is shorter, most words of ours are."""
FACTS = "facts"
"""The attribute of a record that holds what is known of a call: a function that gives JSON, called where it is shown."""


class _Clean(logging.Formatter):
    """Masks the finished line, so that no argument, traceback or library slips past."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))


class _Lines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and where there are any, call and exception.

    Every text is masked before it is spelled: an escaped secret would be none that masking knows.
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (facts := getattr(record, FACTS, None)) is not None:
            line["call"] = facts()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(_masked(line, self._clean))


def _masked(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value) if len(value) >= SHORTEST else value
        case dict():
            return {name: _masked(item, clean) for name, item in value.items()}
        case list() | tuple():
            return [_masked(item, clean) for item in value]
        case _:
            return value


class _StandardError(logging.Handler):
    """Writes to what standard error is at the moment: whoever captures it may have closed what it was before."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:  # noqa: BLE001  # logging's own rule: it reports, and the caller goes on
            self.handleError(record)


def set_up(level: str, clean: Callable[[str], str], form: str = TEXT) -> None:
    """Sends the log to standard error at `level` (debug, info, warning, error), as text or json."""
    handler = _StandardError()
    handler.setFormatter(_Lines(clean) if form == JSON_LINES else _Clean(clean))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("llm_simulator").setLevel(level.upper())
