"""What Google's own tools leave in a Gemini answer: code that was run, and the web pages an answer rests on.

A tool is used where it is offered and the answer is text. What is found is invented, at example.com.
Sources: ai.google.dev/gemini-api/docs/code-execution (and recorded answers) and /google-search.
"""

from __future__ import annotations

import re
from dataclasses import replace

from llm_simulator.dialects.fields import Object, as_object, block, is_block, objects
from llm_simulator.dialects.gemini_ask import text_of
from llm_simulator.dialects.gemini_fields import pick
from llm_simulator.dialects.ids import digest
from llm_simulator.types import Choice, Part, Text, ToolCall

RESULTS = 2
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")


def sourced(choice: Choice, body: Object, seed: str) -> Choice:
    """A generated choice with the code it ran and the pages it rests on, where the request offers these tools."""
    texts = [place for place, part in enumerate(choice.parts) if _is_text(part)]
    if not texts or any(isinstance(part, ToolCall) for part in choice.parts):
        return choice
    tools = objects(pick(body, "tools"))
    if any(pick(tool, "codeExecution") is not None for tool in tools):
        before, after = choice.parts[: texts[0]], choice.parts[texts[0] :]
        choice = replace(choice, parts=(*before, *_run(seed), *after))
    if any(pick(tool, "googleSearch") is not None or pick(tool, "googleSearchRetrieval") is not None for tool in tools):
        said = "".join("".join(part.tokens) for part in choice.parts if isinstance(part, Text))
        grounding = _grounding(_query(body), said)
        choice = replace(choice, extra={**as_object(choice.extra), "groundingMetadata": grounding})
    return choice


def runs_code(choice: Choice) -> bool:
    return any(isinstance(part, Text) and "executableCode" in as_object(part.extra) for part in choice.parts)


def _is_text(part: Part) -> bool:
    return isinstance(part, Text) and not is_block(part)


def _run(seed: str) -> tuple[Text, Text]:
    """A short program and what it printed; the two agree."""
    drawn = digest(seed, "program", 2)
    size, step = 10 + drawn[0] % 90, 1 + drawn[1] % 9
    code = f"total = sum(range(0, {size * step}, {step}))\nprint(f'{{total=}}')\n"
    total = sum(range(0, size * step, step))
    return (
        block({"executableCode": {"language": "PYTHON", "code": code}}),
        block({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": f"total={total}\n"}}),
    )


def _query(body: Object) -> str:
    contents = objects(pick(body, "contents"))
    words = _WORD.findall(text_of(contents[-1:]))
    return " ".join(words[:8]) or "news"


def _grounding(query: str, text: str) -> Object:
    """Pages found, and which sentence rests on which (byte offsets in UTF-8, as the API counts)."""
    slug = "-".join(query.lower().split())
    pages = [
        {"web": {"uri": f"https://example.com/{slug}/{place}", "title": "example.com"}} for place in range(RESULTS)
    ]
    supports = [
        {"segment": _segment(text, match), "groundingChunkIndices": [place]}
        for place, match in enumerate(list(_SENTENCE.finditer(text))[:RESULTS])
    ]
    shown = f'<div class="container"><a class="chip" href="https://example.com/search?q={slug}">{slug}</a></div>'
    return {
        "searchEntryPoint": {"renderedContent": shown},
        "groundingChunks": pages,
        "groundingSupports": supports,
        "webSearchQueries": [query],
    }


def _segment(text: str, match: re.Match[str]) -> Object:
    begin, end = (len(text[:at].encode("utf-8", "surrogatepass")) for at in match.span())
    return {**({"startIndex": begin} if begin else {}), "endIndex": end, "text": match[0]}
