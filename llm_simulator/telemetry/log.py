"""Log lines of a process: one line each on standard error, secrets masked whoever wrote them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable


class _Clean(logging.Formatter):
    """Masks the finished line, so that no argument, traceback or library slips past."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))


class _StandardError(logging.Handler):
    """Writes to what standard error is at the moment: whoever captures it may have closed what it was before."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:  # noqa: BLE001  # logging's own rule: it reports, and the caller goes on
            self.handleError(record)


def set_up(level: str, clean: Callable[[str], str]) -> None:
    """Sends the log to standard error at `level` (debug, info, warning, error)."""
    handler = _StandardError()
    handler.setFormatter(_Clean(clean))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("llm_simulator").setLevel(level.upper())
