"""The plugin's command-line options and ini settings: their names, defaults and what may be said."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.errors import ConfigError
from llm_simulator.testing import plan

JUDGED = {
    "unused": "recordings that no test used",
    "orphans": "cassettes that belong to no test",
    "expired": "recordings older than --llm-max-age",
    "changed": "answers that differ from their recordings (mode verify)",
}
_DEFAULTS = {"unused": "ignore", "orphans": "ignore", "expired": "warn", "changed": "warn"}


def add(parser: pytest.Parser) -> None:
    """Registers them all."""
    group = parser.getgroup("llm-simulator", "LLM calls from cassettes")
    group.addoption("--llm-mode", choices=plan.MODES, help="what to do with an LLM call; over markers and settings")
    group.addoption("--llm-cassette-dir", metavar="DIR", help="folder of cassettes; over settings")
    group.addoption("--llm-block-network", action="store_true", default=None, help="refuse tests all but loopback")
    group.addoption("--llm-max-age", metavar="AGE", help="report recordings older than this, such as 90d")
    for name, what in JUDGED.items():
        group.addoption(f"--llm-{name}", choices=plan.CHOICES, help=f"what to do about {what}")
    parser.addini("llm_mode", "default of --llm-mode where no marker decides (replay)", default="replay")
    parser.addini("llm_on_miss", "fail | error-response, where no marker decides (fail)", default="fail")
    parser.addini("llm_cassette_dir", "folder of cassettes, relative to rootdir (cassettes beside the test file)")
    parser.addini("llm_ignore", "JSONPaths or /regexes/ of what is not compared", type="linelist", default=[])
    parser.addini("llm_block_network", "refuse tests all but loopback", type="bool", default=False)
    parser.addini("llm_max_age", "report recordings older than this, such as 90d", default="")
    for name, what in JUDGED.items():
        parser.addini(f"llm_{name}", f"ignore | warn | fail: {what} ({_DEFAULTS[name]})", default=_DEFAULTS[name])


def setting(config: pytest.Config, name: str) -> Any:
    """A setting that no marker and no fixture can change: option, else ini file."""
    return plan.first(config.getoption(f"llm_{name}"), config.getini(f"llm_{name}"))


def check(config: pytest.Config) -> None:
    """Finds what would come out only in the middle of the run.

    Raises:
        ConfigError: a setting's value is not allowed.
    """
    if age := setting(config, "max_age"):
        plan.seconds(age)
    allowed = {"mode": plan.MODES, "on_miss": plan.ON_MISS, **dict.fromkeys(JUDGED, plan.CHOICES)}
    for name, choices in allowed.items():
        if (value := config.getini(f"llm_{name}")) not in choices:
            raise ConfigError(f"ini setting llm_{name} is {value!r}; allowed are {', '.join(choices)}")


def whole(config: pytest.Config) -> bool:
    """Whether every test of the project was collected: nothing on the command line narrowed it down."""
    narrowed = ("lf", "ignore", "ignore_glob")
    chosen = config.args_source == pytest.Config.ArgsSource.ARGS
    return not chosen and not any(config.getoption(name, None) for name in narrowed)
