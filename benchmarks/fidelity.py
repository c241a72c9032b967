"""How much our simulated answers look like the provider's own, over the genuine exchanges.

    .venv/bin/python -m benchmarks.fidelity [TRAFFIC] [--json] [--deviations | --all] [--since DAY] [--validity]

For every successful exchange of TRAFFIC (default: ../shared/traffic/dev) the same request is simulated, and the shapes are
compared: keys and their types, kinds of events and their order, order of keys, layout of the JSON, header names, formats of
header values. Three shares each: what agrees; the same of what can agree (like for like); and what agrees or deviates for an
accepted reason. The reasons:

  older recording     later recordings of the endpoint have another form: it cannot agree
  undated recording   the form came on one day, to stay, and this recording may be from before: it cannot agree
  chance              recordings of the same model and day have both: it cannot always agree
  content             the model answered otherwise (a tool call and not text), which is not a matter of format: it cannot agree
  foreign             the host is a proxy or a placeholder whose format is not known: it cannot agree
  varies              other recordings of the endpoint have it so, this one has not (model, account, region)
  on purpose          we leave it out (alt-svc)

`--deviations` lists all others, `--all` those, too. `--since 2026-01-01` looks at later recordings only. `--validity` holds the
genuine replies and our answers against the published schemas and the SDKs' own models instead. Answers come from the
engine itself, so what the proxy adds (date, `x-llm-simulator-...`) is left out. Takes about half a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fidelity"))

from fidelity_compare import compare
from fidelity_corpus import DEFAULT, corpus_of
from fidelity_report import as_json, deviations, table
from fidelity_validity import Tally, genuine_replies, simulated_answers


def main() -> None:
    parser = argparse.ArgumentParser(description="Shapes of simulated answers against the genuine ones.")
    parser.add_argument("traffic", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--deviations", action="store_true", help="list what deviates without an accepted reason")
    parser.add_argument("--all", action="store_true", help="list every deviation")
    parser.add_argument("--since", default="", help="only exchanges recorded on this day (YYYY-MM-DD) or later")
    parser.add_argument("--validity", action="store_true", help="schemas and strict SDK models instead of shapes")
    arguments = parser.parse_args()
    corpus = corpus_of(arguments.traffic)
    if arguments.validity:
        _validity(
            {"genuine replies": genuine_replies(corpus), "simulated answers": simulated_answers(corpus)}, arguments.json
        )
        return
    result = compare(corpus, arguments.since)
    if arguments.json:
        print(json.dumps(as_json(result), indent=1, ensure_ascii=False))
        return
    print("\n".join(table(result)))
    if arguments.deviations or arguments.all:
        print("\n".join(deviations(result, explained=arguments.all)))


def _validity(tallies: dict[str, Tally], as_data: bool) -> None:
    if as_data:
        print(json.dumps({name: tally.as_json() for name, tally in tallies.items()}, indent=1))
        return
    for name, tally in tallies.items():
        print("", name, *tally.lines(), sep="\n")


if __name__ == "__main__":
    main()
