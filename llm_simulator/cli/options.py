"""The options that commands share, and how those of `serve` and `run` become `Settings`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from llm_simulator.config import library
from llm_simulator.config.load import Origin, with_flags
from llm_simulator.config.settings import Settings, Validation
from llm_simulator.errors import ConfigError
from llm_simulator.types import Mode

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Has the shell complete file names, for options that also take what is no file."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="print JSON")


_OPTIONS = (
    click.option(
        "--cassette",
        "-c",
        metavar="C",
        shell_complete=complete_files,
        help="a .db, a .yaml, a folder of them, or a database URL",
    ),
    click.option("--mode", "-m", type=click.Choice([mode.value for mode in Mode]), help="what to do with a call"),
    click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML, JSON or TOML file"),
    click.option("--scenario", metavar="NAME", help="rules and faults (llm-simulator scenario list), or a file"),
    click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="seed of the simulator (default 0)"),
    click.option("--speed", type=click.FloatRange(0), help="divides waits: 2 is twice as fast, 0 does not wait"),
    click.option(
        "--validation",
        type=click.Choice([level.value for level in Validation]),
        help="lenient: any key and model family goes (default); provider: refuse what the provider would",
    ),
    click.option(
        "--upstream",
        "upstream",
        multiple=True,
        metavar="HOST[=URL]",
        help="allow forwarding to HOST, fetched from URL if given",
    ),
    click.option("--ignore", multiple=True, metavar="PATH", help="JSONPath or /regex/ of what is not compared"),
    click.option("--allow-truncated", is_flag=True, default=None, help="replay recordings that broke off, too"),
    click.option(
        "--explain", is_flag=True, default=None, help="name the rules by which a request equals its recording"
    ),
    click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="default info"),
    click.option("--log-format", type=click.Choice(["text", "json"]), help="json: one object a line (default text)"),
)


def shared(function: F) -> F:
    """Adds the options to a command, in their order."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def settings_of(*, config: Path | None, then: Callable[[Settings], Settings] | None = None, **flags: Any) -> Settings:
    """Settings from flags over environment over file over defaults.

    `then` is what a server makes of them; with it they know where they come from, and can be made anew.

    Raises:
        ConfigError: something is wrong in any of them.
    """

    def flagged(base: Settings) -> Settings:
        return _over(base, **flags)

    if then is None:
        return Origin(config, os.environ, flagged).settings()
    origin = Origin(config, dict(os.environ), lambda settings: then(flagged(settings)))
    return replace(origin.settings(), origin=origin)


def _over(
    base: Settings,
    *,
    mode: str | None,
    validation: str | None,
    upstream: tuple[str, ...],
    ignore: tuple[str, ...],
    scenario: str | None,
    **flags: Any,
) -> Settings:
    """The settings with the flags laid over them.

    Raises:
        ConfigError: something is wrong in any of them.
    """
    level = Validation(validation) if validation else None
    settings = with_flags(base, mode=Mode(mode) if mode else None, validation=level, **flags)
    if flags.get("seed") is not None:
        settings = replace(settings, deterministic=True)  # it is given, not drawn
    if upstream:
        settings = with_flags(settings, upstreams={**settings.upstreams, **dict(map(_upstream, upstream))})
    if scenario:
        name, scenarios = library.given(scenario, settings.scenarios)
        settings = with_flags(settings, scenario=name, scenarios=scenarios)
    if ignore:
        rules = replace(settings.rules, ignore=(*settings.rules.ignore, *ignore))
        settings = with_flags(settings, rules=rules)
    return settings


def _upstream(value: str) -> tuple[str, str]:
    host, _, url = value.partition("=")
    if url and not url.startswith(("http://", "https://")):
        raise ConfigError(f"--upstream {value}: {url!r} is no URL; HOST or HOST=http[s]://... is allowed")
    return host.lower(), url
