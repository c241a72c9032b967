"""The chat completions format as each host spells it: a table of deviations from OpenAI's, and a few lines for each.

Sources: recorded answers of OpenAI, Azure, Groq, Mistral, Together, DeepSeek and vLLM (their newest form). Of xAI, OpenRouter,
Perplexity, Fireworks, Ollama /v1 and Gemini's compatible path nothing was recorded: their rows are recalled from their APIs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llm_simulator.dialects import host_forms as forms
from llm_simulator.dialects import jsonstyle
from llm_simulator.dialects.fields import Object
from llm_simulator.dialects.host_forms import ALPHABET, SO_FAR, At, Talk
from llm_simulator.dialects.ids import BASE36, HEX, base64url, code, digest, uuid
from llm_simulator.types import JSON, Usage

__all__ = ["ALPHABET", "ALPHANUMERIC", "SO_FAR", "WIRES", "At", "Talk", "Wire", "name_of", "wire_of"]

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _chat_id(seed: str, _created: int) -> str:
    return "chatcmpl-" + code(seed, "chat", 29, ALPHANUMERIC)


def _uuid_id(seed: str, _created: int) -> str:
    return uuid(seed, "chat")


def _call_id(seed: str, place: int) -> str:
    return "call_" + code(seed, f"call {place}", 24, ALPHANUMERIC)


@dataclass(frozen=True, slots=True)
class Wire:
    """How one host spells the format.

    `whole` lays out a body. `full`: nulls as OpenAI shows them, `tier`: the service tier too. `pad` is what the length of a
    chunk's JSON leaves over 16 (its obfuscation sees to that), None where there is none. `filters`: Azure's content filter
    results and alphabetical keys. `thinking` names the field of reasoning text, "" hides it. `usage_last`: the finish chunk
    carries the usage, asked for or not. `logprobs`: choices have the key, null or not. `role_each`: every delta names the
    role, and no chunk has it alone. `calls_whole`: a tool call comes in one piece, with the finish. `print` makes the
    fingerprint ("" has none). `comment` comes before the first chunk of a stream. `dress` has the last word on an object:
    what it does not say, stands. `so_far`: every chunk repeats the text up to it.
    `last_joined`: the last piece of text comes with the finish reason.
    """

    whole: Callable[[JSON], bytes] = jsonstyle.compact
    full: bool = False
    tier: bool = False
    pad: int | None = None
    filters: bool = False
    thinking: str = "reasoning_content"
    usage_last: bool = False
    identity: Callable[[str, int], str] = _chat_id
    call_id: Callable[[str, int], str] = _call_id
    counts: Callable[[Usage], Object] = forms.plain_counts
    logprobs: bool = True
    role_each: bool = False
    calls_whole: bool = False
    print: Callable[[str], str] = lambda _seed: ""
    comment: bytes = b""
    dress: Callable[[Object, At, Talk], Object] = forms.as_it_is
    so_far: bool = False
    last_joined: bool = False


OPENAI = Wire(jsonstyle.indented_line, full=True, tier=True, pad=1, thinking="", counts=forms.openai_counts)
AZURE = Wire(jsonstyle.compact_line, full=True, pad=3, filters=True, thinking="", counts=forms.openai_counts)
PLAIN = Wire(counts=forms.with_reasoning)
WIRES: Mapping[str, Wire] = {
    "openai": OPENAI,
    "azure": AZURE,
    "groq": Wire(
        jsonstyle.compact_line,
        thinking="reasoning",
        identity=lambda seed, _: f"chatcmpl-{uuid(seed, 'chat')}",
        call_id=lambda seed, place: code(seed, f"call {place}", 9, BASE36),
        counts=forms.with_reasoning,
        print=lambda seed: "fp_" + code(seed, "fingerprint", 10, HEX),
        dress=forms.groq,
    ),
    "mistral": Wire(
        usage_last=True,
        identity=lambda seed, _: digest(seed, "chat").hex(),
        call_id=lambda seed, place: code(seed, f"call {place}", 9, ALPHANUMERIC),
        counts=forms.mistral_counts,
        logprobs=False,
        calls_whole=True,
        dress=forms.mistral,
    ),
    "deepseek": Wire(
        usage_last=True,
        identity=_uuid_id,
        call_id=lambda seed, place: f"call_{place}_{uuid(seed, f'call {place}')}",
        counts=forms.deepseek_counts,
        print=lambda seed: f"fp_{code(seed, 'fingerprint', 10, '0123456789abcdef')}_prod0820_fp8_kvcache",
        dress=forms.deepseek,
    ),
    "together": Wire(
        jsonstyle.indented,
        thinking="reasoning",
        usage_last=True,
        identity=lambda seed, _: f"{code(seed, 'a', 7)}-{code(seed, 'b', 6)}-{code(seed, 'c', 16, '0123456789abcdef')}",
        call_id=lambda seed, place: "call_" + code(seed, f"call {place}", 24, BASE36),
        counts=forms.together_counts,
        role_each=True,
        dress=forms.together,
    ),
    "fireworks": Wire(usage_last=True, identity=_uuid_id, logprobs=False),
    "xai": Wire(
        identity=_uuid_id,
        call_id=lambda seed, place: f"call_{code(seed, f'call {place}', 8, '0123456789')}",
        counts=forms.xai_counts,
        logprobs=False,
        print=lambda seed: "fp_" + code(seed, "fingerprint", 10, HEX),
        dress=forms.xai,
    ),
    "openrouter": Wire(
        thinking="reasoning",
        usage_last=True,
        identity=lambda seed, created: f"gen-{created}-{code(seed, 'chat', 20, ALPHANUMERIC)}",
        counts=forms.with_reasoning,
        role_each=True,
        comment=b": OPENROUTER PROCESSING\n\n",
        dress=forms.openrouter,
    ),
    "perplexity": Wire(
        usage_last=True, identity=_uuid_id, logprobs=False, role_each=True, dress=forms.perplexity, so_far=True
    ),
    "ollama": Wire(
        thinking="reasoning",
        identity=lambda seed, _: f"chatcmpl-{int.from_bytes(digest(seed, 'chat', 2), 'big') % 1000}",
        call_id=lambda seed, place: "call_" + code(seed, f"call {place}", 8, BASE36),
        logprobs=False,
        role_each=True,
        calls_whole=True,
        print=lambda _seed: "fp_ollama",
    ),
    "vllm": Wire(
        identity=lambda seed, _: f"chatcmpl-{digest(seed, 'chat').hex()}",
        call_id=lambda seed, place: f"chatcmpl-tool-{digest(seed, f'call {place}').hex()}",
        dress=forms.vllm,
        last_joined=True,
    ),
    "gemini": Wire(
        thinking="",
        identity=lambda seed, _: base64url(seed, "chat", 16),
        call_id=lambda seed, place: f"function-call-{code(seed, f'call {place}', 19, '123456789')}",
        logprobs=False,
        role_each=True,
        calls_whole=True,
        dress=forms.gemini,
    ),
}


def name_of(provider: str, host: str) -> str:
    """The row of the table that answers for a call. A server of nobody's on vLLM's own port is taken for a vLLM."""
    return "vllm" if host.endswith(":8000") and provider in ("openai", "unknown") else provider


def wire_of(provider: str, host: str = "") -> Wire:
    """The spelling of a host; of one that is not in the table, the plain one."""
    return WIRES.get(name_of(provider, host), PLAIN)
