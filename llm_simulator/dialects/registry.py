"""The list of dialects: a new one is one file and one line here, and it is loaded when a call first needs it.

A package may add its own by entry point (`entries.py`; docs/dialects.md shows one).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from importlib import import_module
from typing import cast

from llm_simulator.cassettes.key import normal_path
from llm_simulator.dialects.base import Dialect
from llm_simulator.dialects.entries import ANY, Entry, third_party
from llm_simulator.dialects.opaque import OpaqueDialect
from llm_simulator.dialects.resolve import resolve
from llm_simulator.types import Call, RawRequest

__all__ = ["ANY", "ENTRIES", "Entry", "dialects", "of", "read"]

_EMBED = (":embedContent", ":batchEmbedContents", ":predict")

# The first entry whose `read` knows the request gets it: those of one provider stand before those of ANY.
ENTRIES: tuple[Entry, ...] = (
    Entry(
        "llm_simulator.dialects.anthropic_messages:DIALECT",
        {"anthropic.messages": ("anthropic",), "models": ("anthropic",)},
    ),
    Entry("llm_simulator.dialects.anthropic_batches:DIALECT", {"anthropic.batches": ("anthropic",)}, ("/batches",)),
    Entry("llm_simulator.dialects.anthropic_files:DIALECT", {"anthropic.files": ("anthropic",)}, ("/files",)),
    Entry("llm_simulator.dialects.anthropic_complete:DIALECT", {"anthropic.complete": ("anthropic",)}, ("/complete",)),
    Entry("llm_simulator.dialects.gemini_generate:DIALECT", {"gemini.generate": ("gemini",), "models": ("gemini",)}),
    Entry("llm_simulator.dialects.gemini_generate:VERTEX", {"gemini.generate": ("vertex",), "models": ("vertex",)}),
    Entry("llm_simulator.dialects.gemini_embed:DIALECT", {"gemini.embed": ("gemini",)}, _EMBED),
    Entry(
        "llm_simulator.dialects.gemini_interactions:DIALECT", {"gemini.interactions": ("gemini",)}, ("/interactions",)
    ),
    Entry(
        "llm_simulator.dialects.gemini_stored:DIALECT",
        {"gemini.files": ("gemini",), "gemini.cachedContents": ("gemini",)},
        ("/files", "/cachedContents"),
    ),
    Entry("llm_simulator.dialects.gemini_batches:DIALECT", {"gemini.batches": ("gemini",)}, (":batch", "/batches")),
    Entry("llm_simulator.dialects.gemini_embed:VERTEX", {"gemini.embed": ("vertex",)}, _EMBED),
    Entry("llm_simulator.dialects.cohere_chat:DIALECT", {"cohere.chat": ("cohere",), "models": ("cohere",)}),
    Entry("llm_simulator.dialects.cohere_v1:DIALECT", {"cohere.v1": ("cohere",)}, ("/v1/chat",)),
    Entry("llm_simulator.dialects.cohere_generate:DIALECT", {"cohere.generate": ("cohere",)}, ("/generate",)),
    Entry("llm_simulator.dialects.cohere_embed:DIALECT", {"cohere.embed": ("cohere",)}, ("/embed",)),
    Entry(
        "llm_simulator.dialects.cohere_tools:DIALECT",
        {"cohere.tools": ("cohere",)},
        ("/rerank", "tokenize", "/check-api-key"),
    ),
    Entry("llm_simulator.dialects.ollama_native:DIALECT", {"ollama.native": ("ollama",)}, ("/api/",)),
    Entry("llm_simulator.dialects.azure_chat:DIALECT", {"openai.chat": ("azure",)}, ("/chat/completions",)),
    Entry("llm_simulator.dialects.openai_chat:DIALECT", {"openai.chat": ANY}, ("/chat/completions",)),
    Entry("llm_simulator.dialects.openai_responses:AZURE", {"openai.responses": ("azure",)}, ("/responses",)),
    Entry("llm_simulator.dialects.openai_responses:DIALECT", {"openai.responses": ANY}, ("/responses",)),
    Entry(
        "llm_simulator.dialects.openai_conversations:AZURE", {"openai.conversations": ("azure",)}, ("/conversations",)
    ),
    Entry("llm_simulator.dialects.openai_conversations:DIALECT", {"openai.conversations": ANY}, ("/conversations",)),
    Entry("llm_simulator.dialects.openai_completions:AZURE", {"openai.completions": ("azure",)}, ("/completions",)),
    Entry("llm_simulator.dialects.openai_completions:DIALECT", {"openai.completions": ANY}, ("/completions",)),
    Entry("llm_simulator.dialects.models_list:DIALECT", {"models": ANY}, ("/models",)),
    Entry("llm_simulator.dialects.openai_embeddings:DIALECT", {"openai.embeddings": ANY}, ("/embeddings",)),
    Entry("llm_simulator.dialects.openai_moderations:DIALECT", {"openai.moderations": ANY}, ("/moderations",)),
    Entry("llm_simulator.dialects.openai_files:DIALECT", {"openai.files": ANY}, ("/files",)),
    Entry("llm_simulator.dialects.openai_batches:DIALECT", {"openai.batches": ANY}, ("/batches",)),
    Entry("llm_simulator.dialects.openai_images:DIALECT", {"openai.images": ANY}, ("/images/", "/private/org-")),
    Entry("llm_simulator.dialects.openai_audio:DIALECT", {"openai.audio": ANY}, ("/audio/",)),
    Entry("llm_simulator.dialects.openai_realtime:DIALECT", {"openai.realtime": ANY}, ("/realtime",)),
)


def read(raw: RawRequest) -> Call:
    """The call that a request makes. Never raises: what no dialect knows is "opaque", a broken one has a `problem`."""
    path = normal_path(raw.path)
    if path == raw.path:
        return _read(raw)
    return replace(_read(replace(raw, path=path)), raw=raw)  # what is sent on and recorded stays as it came


def _read(raw: RawRequest) -> Call:
    provider = resolve(raw)
    for entry in _readers(provider):
        if any(part in raw.path for part in entry.paths):
            call = _load(entry.spec).read(raw, provider)
            if call is not None:
                return call
    return _opaque(provider).read(raw, provider)


def of(call: Call) -> Dialect:
    """The dialect that answers a call. Total: "opaque" has one too, which spells errors as the call's provider does."""
    return _of(call.family, call.provider)


def dialects() -> tuple[Dialect, ...]:
    """All of them, for listings."""
    return tuple(_load(entry.spec) for entry in _entries())


@lru_cache(maxsize=256)
def _readers(provider: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in _entries() if entry.serves(provider))


@lru_cache(maxsize=256)
def _of(family: str, provider: str) -> Dialect:
    found = next((entry for entry in _entries() if entry.serves(provider, family)), None)
    return _load(found.spec) if found else _opaque(provider)


@lru_cache(maxsize=256)
def _opaque(provider: str) -> OpaqueDialect:
    """Errors are spelled by the first dialect that names the provider, else as OpenAI does."""
    speakers = [entry for entry in _entries() if any(provider in named for named in entry.claims.values())]
    return OpaqueDialect(_load(speakers[0].spec) if speakers else _of("openai.chat", provider), covered=_covered)


def _covered() -> tuple[str, ...]:
    return tuple(f"{dialect.name}: {', '.join(sorted(dialect.simulates))}" for dialect in dialects())


@cache
def _entries() -> tuple[Entry, ...]:
    return (*third_party(), *ENTRIES)


@cache
def _load(spec: str) -> Dialect:
    module, _, attribute = spec.partition(":")
    return cast(Dialect, getattr(import_module(module), attribute))
