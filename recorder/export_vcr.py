"""A VCR.py cassette (format 1, YAML), as its own serializer writes it: text as text, other bytes as `!!binary`.

Encoded bodies stay encoded beside their header, which is what VCR.py keeps by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from llm_simulator.recorder.foreign import by_name, text_of, url_of
from llm_simulator.types import JSON, Exchange

if TYPE_CHECKING:
    from yaml import SafeDumper
else:  # without libyaml it is slower, the result is the same
    SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(SafeDumper):
    """Without aliases, so that each interaction stands by itself."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def start() -> str:
    return "interactions:\n"


def entry(exchange: Exchange, run: str, number: int) -> str:
    return yaml.dump([_interaction(exchange)], Dumper=_Dumper, allow_unicode=True, default_flow_style=False)


def end() -> str:
    return "version: 1\n"


def _interaction(exchange: Exchange) -> JSON:
    raw = exchange.request
    return {
        "request": {
            "body": _text_or_bytes(raw.body) if raw.body else None,
            "headers": by_name(raw.headers),
            "method": raw.method,
            "uri": url_of(exchange),
        },
        "response": {
            "body": {"string": _text_or_bytes(exchange.body)},
            "headers": by_name(exchange.headers),
            "status": {"code": exchange.status, "message": exchange.reason},
        },
    }


def _text_or_bytes(body: bytes) -> str | bytes:
    text = text_of(body)
    return body if text is None else text
