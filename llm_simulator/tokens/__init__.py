"""Tokens as the providers count them: text, chats, tools, images. Pure but for the ranks, loaded once per process."""

from __future__ import annotations

from llm_simulator.tokens.chat import count_chat
from llm_simulator.tokens.completion import count_completion, count_embeddings, count_legacy_completion
from llm_simulator.tokens.encodings import count, decode, encode, encoding_name, split, warm
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
    "split",
    "warm",
]
