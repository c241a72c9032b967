"""How often our token counts equal the provider's own, over genuine OpenAI and Azure exchanges.

    .venv/bin/python benchmarks/token_truth.py [TRAFFIC] [--misses]

TRAFFIC is a folder of `*.jsonl.gz` exchanges with `catalogue/token-truth.jsonl` (default: ../shared/traffic/dev). Records
marked `suspect` are left out; those of other models than OpenAI's are counted in a category of their own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_simulator import tokens
from llm_simulator.tokens.responses import hides_reasoning

JSON = Any
DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "traffic" / "dev"
_OPENAI = re.compile(r"(gpt|o\d|chatgpt|text-|davinci|babbage|codex)")


@dataclass(slots=True)
class Score:
    """Differences (provider - ours) of one category."""

    differences: list[int] = field(default_factory=list)

    @property
    def exact(self) -> float:
        return self.differences.count(0) / len(self.differences)

    @property
    def error(self) -> float:
        return sum(map(abs, self.differences)) / len(self.differences)


@dataclass(frozen=True, slots=True)
class Miss:
    what: str
    difference: int
    said_exact: bool
    source: str


def exchanges(traffic: Path) -> Iterator[tuple[JSON, JSON]]:
    """(truth, exchange) of every record with a genuine `usage`."""
    truths: dict[str, JSON] = {}
    for line in (traffic / "catalogue" / "token-truth.jsonl").read_text().splitlines():
        truth = json.loads(line)
        truths[truth["source"]] = truth
    for path in sorted(traffic.glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for exchange in map(json.loads, lines):
                if exchange["source"] in truths and not exchange.get("suspect"):
                    yield truths[exchange["source"]], exchange


def counts(truth: JSON, exchange: JSON) -> tuple[tokens.Count, tokens.Count | None, str]:
    """Our prompt and completion counts of one exchange, and what its answer holds: "text" or "calls"."""
    request, model, answer = exchange["request_body"], truth["model"], _answer(exchange)
    created = int(answer.get("created") or answer.get("created_at") or 0) or None
    usage = answer.get("usage") or {}
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    reasoning = details.get("reasoning_tokens") or 0
    match truth["kind"]:
        case "embeddings":
            return tokens.count_embeddings(request, model), None, "text"
        case "completions":
            return *tokens.count_legacy_completion(request, answer["choices"], model), "text"
        case "responses":
            holds = "calls" if any(item["type"] == "function_call" for item in answer["output"]) else "text"
            prompt = tokens.count_responses_input(request, model, created=created)
            return prompt, tokens.count_responses_output(request, answer["output"], model, reasoning=reasoning), holds
    made = any(
        choice.get("message", {}).get(key) for choice in answer["choices"] for key in ("tool_calls", "function_call")
    )
    completion = tokens.count_completion(
        request,
        answer["choices"],
        model,
        reasoning=reasoning,
        azure=truth["provider"] == "azure",
        created=created,
    )
    return tokens.count_chat(request, model), completion, "calls" if made else "text"


def told_whole(exchange: JSON) -> bool:
    """Whether the answer holds all that its completion tokens were counted from: not so where the provider rounds its
    reasoning tokens, or withholds what it has billed (a content filter)."""
    answer = _answer(exchange)
    if "output" in answer:
        details = (answer.get("usage") or {}).get("output_tokens_details") or {}
        return not hides_reasoning(answer["output"], details.get("reasoning_tokens") or 0, answer.get("created_at"))
    return all(choice.get("message") or choice.get("text") for choice in answer["choices"])


def _answer(exchange: JSON) -> JSON:
    if not exchange["streaming"]:
        return json.loads(exchange["response_body"])
    data = [line[5:].strip() for line in exchange["response_body"].splitlines() if line.startswith("data:")]
    events = [json.loads(item) for item in data if item and item != "[DONE]"]
    done = [e["response"] for e in events if e.get("type") in ("response.completed", "response.incomplete")]
    return done[-1] if done else _joined(events)


def _joined(chunks: list[JSON]) -> JSON:
    """A streamed chat or completion as the answer it would have been unstreamed."""
    choices: dict[int, JSON] = {}
    answer: JSON = {"choices": []}
    for chunk in chunks:
        answer["created"] = chunk.get("created") or answer.get("created")
        answer["usage"] = chunk.get("usage") or answer.get("usage")
        for part in chunk.get("choices") or ():
            choice = choices.setdefault(part["index"], {"message": {"content": None}, "text": ""})
            choice["text"] += part.get("text") or ""
            choice["finish_reason"] = part.get("finish_reason") or choice.get("finish_reason")
            _add(choice["message"], part.get("delta") or {})
    answer["choices"] = [choices[index] for index in sorted(choices)]
    return answer


def _add(message: JSON, delta: JSON) -> None:
    for key in ("content", "refusal"):
        if delta.get(key):
            message[key] = (message.get(key) or "") + delta[key]
    if delta.get("function_call"):
        _extend(message.setdefault("function_call", {}), delta["function_call"])
    for piece in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        while len(calls) <= piece["index"]:
            calls.append({"function": {}})
        _extend(calls[piece["index"]]["function"], piece.get("function") or {})


def _extend(function: JSON, piece: JSON) -> None:
    for key in ("name", "arguments"):
        function[key] = function.get(key, "") + (piece.get(key) or "")


def measure(traffic: Path) -> tuple[dict[str, Score], list[Miss]]:
    """Scores by "prompt|completion / kind / category", and the records that missed."""
    scores: dict[str, Score] = defaultdict(Score)
    misses: list[Miss] = []
    for truth, exchange in exchanges(traffic):
        ours = bool(_OPENAI.match(truth["model"]))
        prompt, completion, holds = counts(truth, exchange)
        results = [("prompt", prompt, truth["prompt_tokens"], truth["category"])]
        if completion is not None:
            results.append(("completion", completion, truth["completion_tokens"], holds))
        for what, count, real, category in results:
            kind = truth["kind"] if ours else "other models"
            names = [f"{what} {kind} all", f"{what} {kind} {category}"]
            if what == "completion" and holds == "text" and ours:
                names += ["completion of text", *(["completion of text, told whole"] if told_whole(exchange) else [])]
            for name in names:
                scores[name].differences.append(real - count.tokens)
            if real != count.tokens:
                misses.append(Miss(f"{what} {kind} {category}", real - count.tokens, count.exact, truth["source"]))
    return dict(scores), misses


def main() -> None:
    parser = argparse.ArgumentParser(description="Share of token counts that equal the provider's own.")
    parser.add_argument("traffic", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--misses", action="store_true", help="list every record that missed")
    arguments = parser.parse_args()
    scores, misses = measure(arguments.traffic)
    print(f"{'category':44} {'n':>4} {'exact':>7} {'mean |error|':>12}")
    for name, score in sorted(scores.items()):
        print(f"{name:44} {len(score.differences):4} {score.exact:7.1%} {score.error:12.2f}")
    said = [miss for miss in misses if miss.said_exact]
    print(f"\n{len(misses)} counts missed, {len(said)} of them were said to be exact")
    for miss in sorted(misses, key=lambda miss: (miss.what, miss.source)) if arguments.misses else ():
        print(f"{miss.what:44} {miss.difference:+5} {'exact' if miss.said_exact else 'estimate':8} {miss.source}")


if __name__ == "__main__":
    main()
