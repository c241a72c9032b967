"""What of a prompt Anthropic would write to its prompt cache, and what it would read from it.

A function of the request alone: equal calls get equal counts. A first turn writes up to its last breakpoint; a later turn
of a conversation reads what the turn before it has written, and writes the rest.
Source: platform.claude.com/docs/en/build-with-claude/prompt-caching.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from llm_simulator.dialects import estimate
from llm_simulator.dialects.anthropic_ask import called_text, media_tokens, text_of
from llm_simulator.dialects.fields import Object, as_object, objects, spelled
from llm_simulator.tokens import count
from llm_simulator.types import JSON

# The shortest prefix that is cached, in tokens, by the start of the model's name; "" is any other.
_LEAST = {
    "": 1024,
    "claude-3-haiku": 2048,
    "claude-3-5-haiku": 2048,
    "claude-haiku-4-5": 4096,
    "claude-opus-4-5": 4096,
    "claude-opus-4-6": 4096,
    "claude-opus-4-7": 4096,
    "claude-sonnet-4-6": 2048,
}
UNCACHED = 3
"""Tokens at the end of a prompt that are never cached, whatever the breakpoints (as recorded)."""


@dataclass(frozen=True, slots=True)
class Cached:
    """Tokens read from the cache, and those written to it for five minutes and for an hour."""

    read: int = 0
    written: int = 0
    hour: int = 0


NOTHING = Cached()


@dataclass(frozen=True, slots=True)
class _Block:
    """A piece of the prompt in cache order: its weight, "" or the time to live of a breakpoint on it, its turn's role."""

    weight: int
    ttl: str
    role: str = ""


def cached(body: Object, model: str, prompt: int) -> Cached:
    """The split of a prompt of `prompt` tokens."""
    if not _wanted(body):
        return NOTHING
    blocks = list(_blocks(body))
    sums = list(accumulate(block.weight for block in blocks))
    ends = [min(round(prompt * upto / (sums[-1] or 1)), prompt - UNCACHED) for upto in sums]
    least = _LEAST[estimate.longest(tuple(_LEAST), model)]
    marked = [place for place, block in enumerate(blocks) if block.ttl]
    last = ends[marked[-1]] if marked else 0
    if last < least:
        return NOTHING
    earlier = _turn_before(blocks)
    read = min(last, ends[earlier]) if earlier is not None else 0
    read = read if read >= least else 0
    hour = max((ends[place] for place in marked if blocks[place].ttl == "1h"), default=0)
    written = last - read
    lasting = min(written, max(0, hour - read))
    return Cached(read, written - lasting, lasting)


def _wanted(body: Object) -> bool:
    """Whether any breakpoint is set; `cache_control` of the request itself sets one at its last block."""
    return "cache_control" in body or '"cache_control":' in spelled(
        [body.get(n) for n in ("tools", "system", "messages")]
    )


def _turn_before(blocks: list[_Block]) -> int | None:
    """The last block of the user's turn before the assistant spoke last; None in a first turn."""
    spoke = max((place for place, block in enumerate(blocks) if block.role == "assistant"), default=None)
    if spoke is None:
        return None
    while spoke and blocks[spoke].role == "assistant":
        spoke -= 1
    return spoke


def _blocks(body: Object) -> Iterator[_Block]:
    """The prompt in the order in which it is cached: tools, system, messages."""
    found = [_Block(count(spelled(tool), estimate.O200K), _ttl(tool)) for tool in objects(body.get("tools"))]
    found += _content(body.get("system"), "")
    for message in objects(body.get("messages")):
        found += _content(message.get("content"), str(message.get("role")))
    everywhere = _ttl(body)
    if everywhere and found:
        found[-1] = _Block(found[-1].weight, everywhere, found[-1].role)
    yield from found


def _content(content: JSON, role: str) -> Iterator[_Block]:
    if isinstance(content, str):
        yield _Block(count(content, estimate.O200K), "", role)
    for item in objects(content):
        one: Object = {"content": [item]}
        text = text_of([item]) + "".join(called_text(one))
        yield _Block(count(text, estimate.O200K) + media_tokens(one), _ttl(item), role)


def _ttl(item: Object) -> str:
    """ "5m" or "1h" where a breakpoint is set, else ""."""
    control = as_object(item.get("cache_control"))
    return "" if control.get("type") != "ephemeral" else "1h" if control.get("ttl") == "1h" else "5m"
