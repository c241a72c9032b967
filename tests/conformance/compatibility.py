"""The table of docs/compatibility.md: what each client does with each endpoint, as the last run saw it.

`make compatibility` runs everything and writes the file; the tests check that what it says is so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance_clients import CLIENTS, NOT_SERVED, Client, Key

FILE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
PASSED, ABSENT = "✓", "·"
PROVIDERS = ("openai", "azure", "anthropic", "gemini", "vertex", "cohere", "mistral")
TITLES = {
    "openai": "OpenAI",
    "azure": "Azure OpenAI",
    "anthropic": "Anthropic",
    "gemini": "Google Gemini",
    "vertex": "Vertex AI",
    "cohere": "Cohere",
    "mistral": "Mistral",
}

HEAD = """\
# Compatibility

Written by `make compatibility`; the test suite runs the same cases and fails where this page is not what it sees.

Each cell is a case that a client's own code ran over real sockets against `llm-simulator serve --mode simulate`: nothing is
patched, only the base URL, a made-up key and the number of retries are set. **✓** the client got what it
expects: typed objects, events in order, exact exception classes. **not served** the simulator says 501 and names what it
covers (recording and replay work for every endpoint). **·** no such case: the client has no such call, or another case of it
goes over the same code.
"""

NOTES = """\
## Notes

- The base URL is the simulator's with the provider's host behind it (`http://127.0.0.1:8080/api.openai.com/v1`,
  `.../my-resource.openai.azure.com`, `.../generativelanguage.googleapis.com`, `.../us-central1-aiplatform.googleapis.com`,
  `.../api.anthropic.com`, `.../api.cohere.com`, `.../api.mistral.ai`); [quickstart](quickstart.md) has the bare forms.
- Cases named "provider validation" run against `simulation.validation: provider`, all others against the default, `lenient`.
- openai for Node opens Realtime over TLS only. By base URL it needs a plain socket:
  `new OpenAIRealtimeWS({ model, options: { createConnection: ({ host, port }) => net.connect({ host, port }) } }, client)`.
- cohere-ai 8 for Node: `tokenize` of `CohereClientV2` fails in the SDK itself; `CohereClient` has it.
- LiteLLM 1.110 does not read the `event:` lines of Cohere's streams, and does not pass `tool_choice` on to Cohere.
- LangChain on its way to Gemini and Cohere drops bounds and enums from the schema of a tool's arguments.
- Agents that force a tool (`tool_choice` "required") end: the turn after a tool's result is text.
"""


def page(outcomes: Mapping[Key, str], versions: Mapping[str, str]) -> str:
    """The whole file; `outcomes` are "passed" or "not served"."""
    return "\n".join([HEAD, *_clients(versions), *_sections(outcomes), *_not_served(), NOTES])


def without_versions(text: str) -> str:
    """The page without the versions of the clients, which move on by themselves."""
    return re.sub(r"^(\| [^|]+ \|) [^|]+ \|$", r"\1", text, flags=re.MULTILINE)


def _clients(versions: Mapping[str, str]) -> Iterator[str]:
    yield from ("## Clients", "", "| client | last written with |", "|---|---|")
    yield from (f"| {client.name} | {versions[client.name]} |" for client in CLIENTS)
    yield ""


def _sections(outcomes: Mapping[Key, str]) -> Iterator[str]:
    for provider in PROVIDERS:
        rows = _rows(outcomes, provider)
        columns = [
            client for client in CLIENTS if any(key.client == client.name for row in rows.values() for key in row)
        ]
        yield from (f"## {TITLES[provider]}", "", *_table(outcomes, rows, columns), "")


def _rows(outcomes: Mapping[Key, str], provider: str) -> Mapping[tuple[str, str], Sequence[Key]]:
    """The cases of each (endpoint, feature), in the order in which the programs declare them."""
    rows: dict[tuple[str, str], list[Key]] = {}
    for key in outcomes:
        if key.endpoint.partition(".")[0] == provider:
            rows.setdefault((key.endpoint, key.feature), []).append(key)
    order = list(dict.fromkeys(endpoint for endpoint, _ in rows))
    return dict(sorted(rows.items(), key=lambda row: order.index(row[0][0])))


def _table(
    outcomes: Mapping[Key, str], rows: Mapping[tuple[str, str], Sequence[Key]], columns: Sequence[Client]
) -> Iterator[str]:
    yield f"| endpoint | case | {' | '.join(client.name for client in columns)} |"
    yield "|---|---|" + ":-:|" * len(columns)
    for endpoint, feature in rows:
        cells = [outcomes.get(Key(client.name, endpoint, feature), "") for client in columns]
        shown = [PASSED if cell == "passed" else cell or ABSENT for cell in cells]
        yield f"| `{endpoint}` | {feature} | {' | '.join(shown)} |"


def _not_served() -> Iterator[str]:
    if NOT_SERVED:
        yield from ("## Not served", "", "| endpoint | why |", "|---|---|")
        yield from (f"| `{endpoint}` | {why} |" for endpoint, why in NOT_SERVED.items())
        yield ""


def main() -> None:
    """Runs all cases and writes the page; refuses to where a case failed."""
    from tempfile import TemporaryDirectory

    from conformance_clients import expected
    from conformance_run import run_all, versions

    with TemporaryDirectory() as folder:
        results = run_all(Path(folder) / "server.log")
    wrong = [
        f"{key}: {result.outcome}\n{result.detail}"
        for key, result in results.items()
        if result.outcome != expected(key)
    ]
    if wrong:
        raise SystemExit(
            "\n".join(wrong) + f"\n{len(wrong)} of {len(results)} cases are not as expected; nothing is written"
        )
    FILE.write_text(page({key: result.outcome for key, result in results.items()}, versions()), encoding="utf-8")
    print(f"{len(results)} cases: {FILE}")


if __name__ == "__main__":
    main()
