"""The errors of the product, cut by who must act. Messages name the place, what it was and what is allowed.

SimulatorError
├── ConfigError      the user's configuration, command line or environment  (exit 2)
├── CassetteError    a cassette that cannot be opened, read or written       (500)
├── RequestError     the client's request                                    (its own 4xx)
├── StateError       the keeper of the workers' common state is gone         (503)
└── UpstreamError    a provider that could not be reached or broke off       (502/504)
"""

from __future__ import annotations


class SimulatorError(Exception):
    """Base of all our errors; `status` is the HTTP status that an answer to a client carries."""

    status = 500


class ConfigError(SimulatorError):
    """Something the user configured; the message lists every problem found, one per line."""


class CassetteError(SimulatorError):
    """A cassette is missing, corrupt, of an unknown version, or cannot be written."""


class StateError(SimulatorError):
    """The process that keeps what the workers have in common cannot be reached."""

    status = 503


class RequestError(SimulatorError):
    """The client's request cannot be understood; `name` is the condition to answer with."""

    def __init__(self, name: str, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.status = status
        self.param = param


class UpstreamError(SimulatorError):
    """An upstream failed; `name` is "upstream_unreachable", "upstream_tls", "upstream_timeout" or "upstream_reset"."""

    status = 502

    def __init__(self, name: str, message: str, *, status: int = 502) -> None:
        super().__init__(message)
        self.name = name
        self.status = status
