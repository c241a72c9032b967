"""`llm-simulator cassette ...`: look into cassettes, fill them with other tools' files, write them out."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_simulator import dialects
from llm_simulator.cli.cassette_diff import diff_command
from llm_simulator.cli.cassette_prune import prune_command
from llm_simulator.cli.cassettes import CASSETTE, opened, run_async
from llm_simulator.cli.options import JSON_OPTION
from llm_simulator.errors import CassetteError
from llm_simulator.proxy.convert import recorded_usage
from llm_simulator.types import Exchange, Outcome, Usage

if TYPE_CHECKING:
    from llm_simulator.recorder.import_report import ImportReport, Progress
    from llm_simulator.recorder.token_truth import TokenTruth


@click.group("cassette")
def command() -> None:
    """Look into cassettes, move recordings in and out, compare and tidy up."""


command.add_command(diff_command)
command.add_command(prune_command)


@command.command("list")
@CASSETTE
@JSON_OPTION
@run_async
async def list_command(cassette: str, as_json: bool) -> None:
    """One line for each recording, in recorded order."""
    async with opened(cassette) as found:
        async for number, exchange in found.exchanges():
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
@CASSETTE
@click.argument("number", type=int)
@JSON_OPTION
@run_async
async def show_command(cassette: str, number: int, as_json: bool) -> None:
    """One recording whole, as the YAML text a cassette holds; in JSON: its facts and what was said, decoded."""
    from llm_simulator.cassettes.textwrite import document

    async with opened(cassette) as found:
        async for id, exchange in found.exchanges():
            if id == number:
                click.echo(_whole(id, exchange) if as_json else document(exchange), nl=False)
                return
    raise CassetteError(f"{cassette} has no recording {number}; `cassette list` shows the ids")


def _whole(id: int, exchange: Exchange) -> str:
    from llm_simulator.recorder import export_jsonl

    said = json.loads(export_jsonl.entry(exchange, "", id))
    chunks = [{"ms": at / 1e6, "bytes": len(data)} for at, data in exchange.chunks]
    facts = {**_row(id, exchange), "interaction": said, "chunk_times": chunks}
    return json.dumps(facts, indent=2, ensure_ascii=True) + "\n"


@command.command("stats")
@CASSETTE
@click.option("--token-truth", is_flag=True, help="compare our token counts with those the providers told")
@JSON_OPTION
@run_async
async def stats_command(cassette: str, token_truth: bool, as_json: bool) -> None:
    """Counts by provider, model and outcome; tokens as the providers counted them; sizes and times."""
    stats, truth = _Stats(), _truth() if token_truth else None
    async with opened(cassette) as found:
        async for _, exchange in found.exchanges():
            stats.add(exchange)
            if truth is not None:
                truth.add(exchange)
    if as_json:
        told = {"token_truth": truth.as_json()} if truth is not None else {}
        click.echo(json.dumps({**stats.as_json(), **told}, indent=2))
        return
    click.echo(stats.as_text())
    if truth is not None:
        click.echo(truth.as_text())


def _truth() -> TokenTruth:
    from llm_simulator.recorder.token_truth import TokenTruth  # with the engine: a plain count does not pay for it

    return TokenTruth()


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
@CASSETTE
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="stop at the first interaction that cannot be read")
@JSON_OPTION
@run_async
async def import_command(cassette: str, paths: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Add recordings of other tools: VCR.py, Ruby VCR, go-vcr, HAR, aimock, cassetter, JSONL, and our own."""
    from llm_simulator.recorder.importing import import_files
    from llm_simulator.redact import Redactor

    async with opened(cassette, writable=True) as target:
        report = await import_files(
            list(paths), target, redactor=Redactor(os.environ), strict=strict, progress=_progress()
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
@CASSETTE
@click.option("--output", "-o", required=True, metavar="OUT", help="a .yaml, a .db, a folder, or a database URL")
@click.option("--text-only", is_flag=True, help="leave out the encoded wire bytes: smaller, replays unencoded")
@click.option(
    "--format", "form", type=click.Choice(["yaml", "db", "har", "jsonl", "vcr"]), help="default: by the suffix"
)
@click.option("--force", is_flag=True, help="replace OUT where it exists")
@JSON_OPTION
@run_async
async def export_command(
    cassette: str, output: str, text_only: bool, form: str | None, force: bool, as_json: bool
) -> None:
    """Write all recordings to another cassette, byte for byte, or to a foreign format."""
    from llm_simulator.recorder.exporting import export_cassette
    from llm_simulator.redact import Redactor

    report = await export_cassette(
        cassette, output, redactor=Redactor(os.environ), format=form or "", text_only=text_only, overwrite=force
    )
    text = f"{report.exchanges} recordings written to {report.target}"
    click.echo(json.dumps(asdict(report), indent=2, ensure_ascii=False) if as_json else text)


@command.command("scan")
@CASSETTE
@JSON_OPTION
@run_async
async def scan_command(cassette: str, as_json: bool) -> None:
    """Look for secrets in every recording: raw, decoded and assembled. Exits with 1 if any is found."""
    from llm_simulator.redact import Redactor, scan

    redactor = Redactor(os.environ)
    count, findings = 0, 0
    async with opened(cassette) as found:
        async for number, exchange in found.exchanges():
            count += 1
            for finding in scan(exchange, redactor):
                findings += 1
                row = {"id": number, "where": finding.where, "kind": finding.kind, "shown": finding.shown}
                click.echo(json.dumps(row) if as_json else f"{number}: {finding.where}: {finding.kind} {finding.shown}")
    if not as_json:
        click.echo(f"{findings} findings in {count} recordings")
    if findings:
        sys.exit(1)
