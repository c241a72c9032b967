"""Tokens as the providers count them: text, chats, tools, images. Pure but for the ranks, loaded once per process."""

from __future__ import annotations

from llm_simulator.tokens.chat import count_chat
from llm_simulator.tokens.encodings import count, decode, encode, encoding_name, split, warm

__all__ = ["count", "count_chat", "decode", "encode", "encoding_name", "split", "warm"]
