"""A finished call in the words of OpenTelemetry's semantic conventions for generative AI. Values only.

Source: open-telemetry/semantic-conventions-genai 0.1.0 (`gen_ai.provider.name`), and the names that were before it
(`gen_ai.system`), which most backends still read. Prompts and answers are never in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from llm_simulator.telemetry.journal import Entry, printable
from llm_simulator.types import Call

Value = str | bool | int | float | Sequence[str]

_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "azure": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "gemini": "gcp.gemini",
        "mistral": "mistral_ai",
        "vertex": "gcp.vertex_ai",
        "watsonx": "ibm.watsonx.ai",
        "xai": "x_ai",
    }
)
"""Where the conventions name a provider otherwise than we do."""

_SYSTEMS: Mapping[str, str] = MappingProxyType({"azure.ai.openai": "az.ai.openai", "x_ai": "xai"})
"""Where `gen_ai.system` had another word."""

_OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "chat.cached": "chat",
        "complete": "text_completion",
        "completions.create": "text_completion",
        "embed": "embeddings",
        "embeddings.create": "embeddings",
        "embedContent": "embeddings",
        "batchEmbedContents": "embeddings",
        "generate": "text_completion",
        "interactions.create": "generate_content",
        "predict": "embeddings",
        "realtime.response": "chat",
        "responses.create": "chat",
        "responses.turn": "chat",
    }
)
"""Operations that the conventions have a name for; others keep their own."""

_NUMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gen_ai.request.choice.count": ("n", "candidateCount", "num_generations"),
        "gen_ai.request.frequency_penalty": ("frequency_penalty", "frequencyPenalty"),
        "gen_ai.request.max_tokens": ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens"),
        "gen_ai.request.presence_penalty": ("presence_penalty", "presencePenalty"),
        "gen_ai.request.seed": ("seed",),
        "gen_ai.request.temperature": ("temperature",),
        "gen_ai.request.top_k": ("top_k", "topK", "k"),
        "gen_ai.request.top_p": ("top_p", "topP", "p"),
    }
)
_SPELLED: Mapping[str, str] = MappingProxyType({each: name for name, all_ in _NUMBERS.items() for each in all_})
_STRONGER = "max_completion_tokens"
"""Of two spellings of one parameter the one that holds."""
_STOPS = ("stop", "stop_sequences", "stopSequences")
_INNER = ("generationConfig", "generation_config")
_WHOLE = frozenset({"gen_ai.request.choice.count", "gen_ai.request.max_tokens", "gen_ai.request.seed"})


def name_of(entry: Entry) -> str:
    """`{operation} {model}`."""
    return f"{operation_of(entry)} {entry.model}" if entry.model else operation_of(entry)


def operation_of(entry: Entry) -> str:
    """What the conventions call the operation."""
    if entry.operation == "chat" and entry.provider in ("gemini", "vertex"):
        return "generate_content"
    return _OPERATIONS.get(entry.operation, entry.operation)


def error_of(entry: Entry) -> str:
    """`error.type`: the status of a refusal or failure, how a call broke off, or ""."""
    if entry.status >= 400:
        return str(entry.status)
    return "" if entry.outcome == "complete" else entry.outcome


def attributes(entry: Entry, call: Call | None, host: str = "") -> dict[str, Value]:
    """What is known of a call; `host` is where its provider is, unless the call names one."""
    found = {name: value for name, value in _known(entry) if value is not None and value != ""}
    if call is not None:
        found.update(_asked(call.body))
    address = (call.raw.host if call is not None else "") or host
    if address:
        name, _, port = address.rpartition(":")
        found["server.address"] = name.strip("[]") if port.isdecimal() and name else address
        found["server.port"] = int(port) if port.isdecimal() and name else 443
    return found


def _known(entry: Entry) -> Iterator[tuple[str, Value | None]]:
    provider = _PROVIDERS.get(entry.provider, entry.provider)
    yield "gen_ai.operation.name", operation_of(entry)
    yield "gen_ai.provider.name", provider
    yield "gen_ai.system", _SYSTEMS.get(provider, provider)
    yield "gen_ai.request.model", entry.model
    yield "gen_ai.request.stream", entry.stream
    yield "gen_ai.usage.input_tokens", entry.prompt_tokens
    yield "gen_ai.usage.output_tokens", entry.completion_tokens
    yield "gen_ai.response.time_to_first_chunk", entry.ttft
    yield "error.type", error_of(entry)
    yield "http.request.method", entry.method
    yield "http.response.status_code", entry.status or None
    yield "url.path", entry.path
    yield "llm_simulator.source", entry.source
    yield "llm_simulator.outcome", entry.outcome
    yield "llm_simulator.session", entry.session
    yield "llm_simulator.exchange", entry.exchange
    yield "llm_simulator.profile", entry.profile
    yield "llm_simulator.scenario", entry.scenario
    yield "llm_simulator.rule", entry.rule
    yield "llm_simulator.fault", entry.fault
    yield "llm_simulator.note", entry.note
    yield "llm_simulator.recorded", entry.recorded or None
    yield "llm_simulator.cost_usd", entry.cost_usd
    yield "llm_simulator.virtual_ttft", entry.virtual_ttft
    yield "llm_simulator.virtual_total", entry.virtual_total


def _asked(body: Any) -> Iterator[tuple[str, Value]]:
    """The request's parameters, whatever its provider calls them."""
    if not isinstance(body, dict):
        return
    inner = next((body[name] for name in _INNER if isinstance(body.get(name), dict)), body)
    for spelling, value in inner.items():
        name = _SPELLED.get(spelling)
        if name is None:
            if spelling in _STOPS and (texts := _texts(value)):
                yield "gen_ai.request.stop_sequences", texts
        elif spelling == "max_tokens" and inner.get(_STRONGER) is not None:
            continue
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 63:
            yield name, int(value) if name in _WHOLE else float(value)


def _texts(stops: Any) -> list[str]:
    listed = [stops] if isinstance(stops, str) else stops if isinstance(stops, list) else []
    return [printable(stop) for stop in listed if isinstance(stop, str)]
