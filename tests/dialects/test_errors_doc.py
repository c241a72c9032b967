"""docs/errors.md lists every condition. Rewrite its tables with `python tests/dialects/test_errors_doc.py`."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

from llm_simulator.dialects import conditions
from llm_simulator.dialects.conditions import Entry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
START = "<!-- the tables below are generated -->"
NAMES = {
    "openai": "OpenAI",
    "azure": "Azure OpenAI",
    "anthropic": "Anthropic",
    "gemini": "Gemini",
    "cohere": "Cohere",
    "mistral": "Mistral",
    "network": "Network faults",
}


def tables() -> str:
    return "\n".join(line for provider in NAMES for line in _table(provider)) + "\n"


def _table(provider: str) -> Iterator[str]:
    yield f"\n### {NAMES[provider]}\n"
    yield "| condition | status | when | Python SDK raises | requests |"
    yield "|---|---|---|---|---|"
    yield from map(_row, conditions.entries(provider))


def _row(entry: Entry) -> str:
    status = {"sse": f"{entry.status}, stream", "client": "none sent", "network": ""}.get(entry.transport)
    shown = status if status is not None else str(entry.status)
    raised = f"`{entry.python}`" if entry.python else f"nothing: {entry.result}"
    requests = f"{entry.requests}{', retried' if entry.retried else ''}"
    cells = (f"`{entry.id}`", shown, entry.condition, raised, requests)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def test_the_page_lists_every_condition() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(START)[2] == tables()


def test_its_examples() -> None:
    page = PAGE.read_text(encoding="utf-8").partition(START)[0]
    examples = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    test = doctest.DocTestParser().get_doctest(examples, {}, "errors.md", "docs/errors.md", 0)
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert result.attempted == 7
    assert result.failed == 0, "".join(said)


if __name__ == "__main__":
    before = PAGE.read_text(encoding="utf-8").partition(START)[0]
    PAGE.write_text(before + START + tables(), encoding="utf-8")
