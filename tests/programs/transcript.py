"""What the programs beside this file share: their transcript, a picture made on the spot, and eight threads."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PROMPTS = {
    "plain": "Say hello. #plain",
    "stream": "Count in German. #stream",
    "gzip": "Write at length. #gzip",
    "limited": "Are you busy? #limited",
    "twice": "Throw a coin. #twice",
    "image": "What is in this picture? #image",
    "ask": "How warm is it in Ulm? #ask",
    "told": '{"celsius": 18, "note": "#told"}',
    "async": "Say it once more. #async",
}
TOOL = "read_thermometer"
TOOL_TEXT = "Reads the thermometer of a city."
TOOL_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def say(
    step: str,
    text: str,
    finish: str | None,
    usage: tuple[int | None, int | None],
    tools: Iterable[tuple[str, dict[str, Any]]] = (),
    **more: Any,
) -> None:
    """One line of the transcript: what the program saw of an answer."""
    line = {"step": step, "text": text, "finish": finish, "usage": usage, "tools": list(tools), **more}
    print(json.dumps(line, ensure_ascii=False, sort_keys=True), flush=True)


def eight(call: Callable[[str], tuple[Any, ...]]) -> None:
    """Eight calls with different prompts at once, told in the order of their numbers."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: call(f"Think of number {n}. #call{n}"), range(8)))
    for number, answer in enumerate(answers):
        say(f"call{number}", *answer)


def png() -> bytes:
    """A picture of one red dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
