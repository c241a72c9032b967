"""What the `cassette` commands share: their options, an open cassette, a loop to run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec

import click

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.cli.options import complete_files

P = ParamSpec("P")

CASSETTE = click.option(
    "--cassette",
    "-c",
    required=True,
    metavar="C",
    shell_complete=complete_files,
    help="a .db, a .yaml, a folder, or a database URL",
)


def run_async(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A command whose work is a coroutine."""

    @wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        asyncio.run(function(*arguments, **options))

    return run


@asynccontextmanager
async def opened(spec: str, *, writable: bool = False) -> AsyncGenerator[Cassette]:
    """A cassette with all its recordings, whole ones and broken ones.

    Raises:
        CassetteError: it cannot be opened.
    """
    cassette = await Cassette.open(spec, read=dialects.read, writable=writable, allow_truncated=True)
    try:
        yield cassette
    finally:
        await cassette.close()
