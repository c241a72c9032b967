"""`llm-simulator cassette ...`: look into cassettes, fill them with other tools' files, write them out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from llm_simulator import dialects
from llm_simulator.cassettes.cassette import Cassette
from llm_simulator.errors import CassetteError
from llm_simulator.proxy.convert import recorded_usage
from llm_simulator.types import Exchange, Outcome, Usage

if TYPE_CHECKING:
    from llm_simulator.recorder.import_report import ImportReport, Progress

P = ParamSpec("P")

_CASSETTE = click.option(
    "--cassette", "-c", required=True, metavar="C", help="a .db, a .yaml, a folder, or a database URL"
)
_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")


def _async(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        asyncio.run(function(*arguments, **options))

    return run


@asynccontextmanager
async def _open(spec: str, *, writable: bool = False) -> AsyncGenerator[Cassette]:
    cassette = await Cassette.open(spec, read=dialects.read, writable=writable, allow_truncated=True)
    try:
        yield cassette
    finally:
        await cassette.close()


@click.group("cassette")
def command() -> None:
    """Look into cassettes and move recordings in and out."""


@command.command("list")
@_CASSETTE
@_JSON
@_async
async def list_command(cassette: str, as_json: bool) -> None:
    """One line for each recording, in recorded order."""
    async with _open(cassette) as opened:
        async for number, exchange in opened.exchanges():
            row = _row(number, exchange)
            if as_json:
                click.echo(json.dumps(row, ensure_ascii=False))
            else:
                click.echo(
                    f"{number:>6}  {row['status']}  {row['provider']:<10} {row['model'] or '-':<28} "
                    f"{row['method']} {row['path']}{'  stream' if row['stream'] else ''}"
                    f"{'' if row['outcome'] == 'complete' else '  ' + row['outcome']}"
                )


def _row(number: int, exchange: Exchange) -> dict[str, Any]:
    return {
        "id": number,
        "provider": exchange.provider,
        "operation": exchange.operation,
        "model": exchange.model,
        "method": exchange.request.method,
        "host": exchange.request.host,
        "path": exchange.request.path,
        "status": exchange.status,
        "stream": exchange.stream,
        "outcome": exchange.outcome.value,
        "session": exchange.session,
        "recorded_at": exchange.recorded_at,
        "bytes": len(exchange.body),
        "chunks": len(exchange.chunks),
        "ttft_ms": round(exchange.chunks[0][0] / 1e6, 3) if exchange.chunks else None,
        "total_ms": round(exchange.chunks[-1][0] / 1e6, 3) if exchange.chunks else None,
        "marks": sorted(exchange.marks),
    }


@command.command("show")
@_CASSETTE
@click.argument("number", type=int)
@_async
async def show_command(cassette: str, number: int) -> None:
    """One recording whole, as the YAML text a cassette holds."""
    from llm_simulator.cassettes.textwrite import document

    async with _open(cassette) as opened:
        async for found, exchange in opened.exchanges():
            if found == number:
                click.echo(document(exchange), nl=False)
                return
    raise CassetteError(f"{cassette} has no recording {number}; `cassette list` shows the ids")


@command.command("stats")
@_CASSETTE
@_JSON
@_async
async def stats_command(cassette: str, as_json: bool) -> None:
    """Counts by provider, model and outcome; tokens as the providers counted them; sizes and times."""
    stats = _Stats()
    async with _open(cassette) as opened:
        async for _, exchange in opened.exchanges():
            stats.add(exchange)
    click.echo(json.dumps(stats.as_json(), indent=2) if as_json else stats.as_text())


class _Stats:
    def __init__(self) -> None:
        self.models: dict[tuple[str, str], Counter[str]] = {}
        self.outcomes: Counter[str] = Counter()

    def add(self, exchange: Exchange) -> None:
        counts = self.models.setdefault((exchange.provider, exchange.model), Counter())
        counts["recordings"] += 1
        counts["streams"] += exchange.stream
        counts["errors"] += exchange.status >= 400
        counts["bytes"] += len(exchange.body)
        if usage := _usage(exchange):
            counts["prompt_tokens"] += usage.prompt
            counts["completion_tokens"] += usage.completion
        self.outcomes[exchange.outcome.value] += 1

    def as_json(self) -> dict[str, Any]:
        models = [{"provider": p, "model": m, **counts} for (p, m), counts in sorted(self.models.items())]
        return {"recordings": self.outcomes.total(), "outcomes": dict(self.outcomes), "models": models}

    def as_text(self) -> str:
        lines = [f"{self.outcomes.total()} recordings ({', '.join(f'{n} {o}' for o, n in self.outcomes.items())})"]
        for (provider, model), counts in sorted(self.models.items()):
            lines.append(
                f"  {provider:<10} {model or '-':<32} {counts['recordings']:>6}  streams {counts['streams']}, "
                f"errors {counts['errors']}, tokens {counts['prompt_tokens']} in {counts['completion_tokens']} out"
            )
        return "\n".join(lines)


def _usage(exchange: Exchange) -> Usage | None:
    if exchange.outcome is not Outcome.COMPLETE:
        return None
    call = dialects.read(exchange.request)
    return recorded_usage(exchange, dialects.of(call), call)


@command.command("import")
@_CASSETTE
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="stop at the first interaction that cannot be read")
@_JSON
@_async
async def import_command(cassette: str, paths: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Add recordings of other tools: VCR.py, Ruby VCR, go-vcr, HAR, aimock, cassetter, JSONL, and our own."""
    from llm_simulator.recorder.importing import import_files
    from llm_simulator.redact import Redactor

    async with _open(cassette, writable=True) as opened:
        report = await import_files(
            list(paths), opened, redactor=Redactor(os.environ), strict=strict, progress=_progress()
        )
    click.echo(json.dumps(asdict(report), indent=2, ensure_ascii=False) if as_json else _import_text(report))
    if report.failed:
        sys.exit(1)


def _import_text(report: ImportReport) -> str:
    return "\n".join(
        [
            *(f"skipped {file}: {reason}" for file, reason in report.skipped),
            *report.problems,
            f"{report.imported} recordings imported from {len(report.files)} files: {report.decoded} no longer had the "
            f"encoding of their header, {report.redacted} have masked values, {report.failed} could not be read",
        ]
    )


def _progress() -> Callable[[Progress], None] | None:
    """A counter line on a terminal; nothing where the output is read by a program."""
    if not sys.stderr.isatty():
        return None
    return lambda at: click.echo(
        f"\r{at.exchanges} recordings, file {at.done} of {at.files}  {at.file[-50:]:<50}", err=True, nl=False
    )


@command.command("export")
@_CASSETTE
@click.option("--output", "-o", required=True, metavar="OUT", help="a .yaml, a .db, a folder, or a database URL")
@click.option("--text-only", is_flag=True, help="leave out the encoded wire bytes: smaller, replays unencoded")
@click.option(
    "--format", "form", type=click.Choice(["yaml", "db", "har", "jsonl", "vcr"]), help="default: by the suffix"
)
@click.option("--force", is_flag=True, help="replace OUT where it exists")
@_async
async def export_command(cassette: str, output: str, text_only: bool, form: str | None, force: bool) -> None:
    """Write all recordings to another cassette, byte for byte, or to a foreign format."""
    from llm_simulator.recorder.exporting import export_cassette
    from llm_simulator.redact import Redactor

    report = await export_cassette(
        cassette, output, redactor=Redactor(os.environ), format=form or "", text_only=text_only, overwrite=force
    )
    click.echo(f"{report.exchanges} recordings written to {report.target}")


@command.command("scan")
@_CASSETTE
@_JSON
@_async
async def scan_command(cassette: str, as_json: bool) -> None:
    """Look for secrets in every recording: raw, decoded and assembled. Exits with 1 if any is found."""
    from llm_simulator.redact import Redactor, scan

    redactor = Redactor(os.environ)
    count, found = 0, 0
    async with _open(cassette) as opened:
        async for number, exchange in opened.exchanges():
            count += 1
            for finding in scan(exchange, redactor):
                found += 1
                row = {"id": number, "where": finding.where, "kind": finding.kind, "shown": finding.shown}
                click.echo(json.dumps(row) if as_json else f"{number}: {finding.where}: {finding.kind} {finding.shown}")
    if not as_json:
        click.echo(f"{found} findings in {count} recordings")
    if found:
        sys.exit(1)
