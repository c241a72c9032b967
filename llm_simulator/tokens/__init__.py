"""Tokens as the providers count them: text, chats, tools, images. Pure but for the ranks, loaded once per process.

Each name is imported when first used: replay starts without any of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_simulator.tokens.chat import count_chat
    from llm_simulator.tokens.completion import count_completion, count_embeddings, count_legacy_completion
    from llm_simulator.tokens.encodings import count, decode, encode, encoding_name, loaded, split, warm
    from llm_simulator.tokens.responses import count_responses_input, count_responses_output
    from llm_simulator.tokens.tally import Count

__all__ = [
    "Count",
    "count",
    "count_chat",
    "count_completion",
    "count_embeddings",
    "count_legacy_completion",
    "count_responses_input",
    "count_responses_output",
    "decode",
    "encode",
    "encoding_name",
    "loaded",
    "split",
    "warm",
]

_HOME = {
    "Count": "tally",
    "count_chat": "chat",
    "count_completion": "completion",
    "count_embeddings": "completion",
    "count_legacy_completion": "completion",
    "count_responses_input": "responses",
    "count_responses_output": "responses",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME.get(name, 'encodings')}"), name)
    globals()[name] = value
    return value
