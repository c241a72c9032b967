"""The headers that hosts of the chat completions format answer with; Azure's are in azure_chat.

Sources: recorded answers of OpenAI, Groq, Mistral, DeepSeek, Together and vLLM, in their newest form; of the other hosts
nothing was recorded, so they answer with what every server has. `set-cookie` and `date` are left out: the one must not be
depended on, the other is the server's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llm_simulator.dialects import openai_headers
from llm_simulator.dialects.ids import HEX, code, digest, uuid
from llm_simulator.types import Headers, Usage

_JSON: Headers = (("content-type", "application/json"),)
_JSON_UTF8: Headers = (("content-type", "application/json; charset=utf-8"),)
_SSE: Headers = (("content-type", "text/event-stream"),)
_SSE_UTF8: Headers = (("content-type", "text/event-stream; charset=utf-8"),)
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_CHAT_REQUESTS, _CHAT_TOKENS = 10_000, 50_000_000  # OpenAI's limits a minute: what recorded headers of chats show


def _milliseconds(seed: str, purpose: str, least: int, span: int) -> int:
    return least + int.from_bytes(digest(seed, purpose, 2), "big") % span


def _cloudflare(seed: str) -> Headers:
    return (
        ("cf-cache-status", "DYNAMIC"),
        ("cf-ray", f"{code(seed, 'ray', 16, HEX)}-LHR"),
        ("server", "cloudflare"),
        ("alt-svc", 'h3=":443"; ma=86400'),
    )


def _openai(seed: str, usage: Usage, stream: bool) -> Headers:
    return (
        *(_SSE_UTF8 if stream else _JSON),
        *openai_headers.own(seed, exposed="X-Request-ID"),
        *openai_headers.limits(usage.total, requests=_CHAT_REQUESTS, tokens=_CHAT_TOKENS),
        ("x-openai-proxy-wasm", "v0.1"),
        *openai_headers.edge(seed),
    )


def _groq(seed: str, usage: Usage, stream: bool) -> Headers:
    requests, tokens = 14_400, 6_000  # a day and a minute
    spent = round(60_000 * usage.total / tokens)
    return (
        *(_SSE if stream else _JSON),
        ("cache-control", "no-cache" if stream else "private, max-age=0, no-store, no-cache, must-revalidate"),
        ("vary", "Origin"),
        *((("x-groq-region", "me-central-1"),) if stream else (("via", "1.1 google"),)),
        ("x-ratelimit-limit-requests", str(requests)),
        ("x-ratelimit-limit-tokens", str(tokens)),
        ("x-ratelimit-remaining-requests", str(requests - 1)),
        ("x-ratelimit-remaining-tokens", str(max(tokens - usage.total, 0))),
        ("x-ratelimit-reset-requests", "6s"),
        ("x-ratelimit-reset-tokens", f"{spent}ms" if spent < 1000 else f"{spent / 1000:g}s"),
        ("x-request-id", "req_01" + code(seed, "groq", 24, _CROCKFORD)),
        *_cloudflare(seed),
    )


def _mistral(seed: str, usage: Usage, stream: bool) -> Headers:
    spent = _milliseconds(seed, "upstream", 200, 600)
    # A UUID of version 7 begins with a time; ours is one that no clock shows.
    request = f"0199{uuid(seed, 'kong')[4:14]}7{uuid(seed, 'kong')[15:]}"
    return (
        *(_SSE_UTF8 if stream else _JSON),
        ("mistral-correlation-id", request),
        ("x-kong-request-id", request),
        ("x-envoy-upstream-service-time", str(spent)),
        ("x-kong-upstream-latency", str(spent + 1)),
        ("x-kong-proxy-latency", str(_milliseconds(seed, "proxy", 5, 8))),
        *(() if stream else _mistral_limits(usage.total)),
        ("access-control-allow-origin", "*"),
        ("strict-transport-security", "max-age=15552000; includeSubDomains"),
        *_cloudflare(seed),
    )


def _mistral_limits(used: int) -> Headers:
    minute, month = 2_000_000, 10_000_000_000
    return (
        ("x-ratelimit-limit-req-10-second", "60"),
        ("x-ratelimit-remaining-req-10-second", "59"),
        ("x-ratelimit-limit-tokens-minute", str(minute)),
        ("x-ratelimit-remaining-tokens-minute", str(max(minute - used, 0))),
        ("x-ratelimit-limit-tokens-month", str(month)),
        ("x-ratelimit-remaining-tokens-month", str(max(month - used, 0))),
        ("x-ratelimit-tokens-query-cost", str(used)),
    )


def _deepseek(seed: str, _usage: Usage, stream: bool) -> Headers:
    return (
        *(_SSE_UTF8 if stream else _JSON),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
        ("access-control-allow-credentials", "true"),
        ("x-ds-trace-id", digest(seed, "trace").hex()),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-cache"),
        ("server", "CW"),
    )


def _together(seed: str, _usage: Usage, stream: bool) -> Headers:
    spent = str(_milliseconds(seed, "inference", 300, 600))
    return (
        *(_SSE_UTF8 if stream else _JSON_UTF8),
        ("access-control-allow-origin", "*"),
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "9"),
        ("x-ratelimit-reset", "1"),
        ("x-inference-time", spent),
        ("x-total-time", spent),
        ("x-queue-time", "0"),
        ("strict-transport-security", "max-age=2592000; includeSubDomains"),
        ("vary", "Accept-Encoding"),
        *_cloudflare(seed),
    )


def _vllm(_seed: str, _usage: Usage, stream: bool) -> Headers:
    return (*(_SSE_UTF8 if stream else _JSON), ("server", "uvicorn"))


def _behind_cloudflare(seed: str, _usage: Usage, stream: bool) -> Headers:
    return (*(_SSE_UTF8 if stream else _JSON), *_cloudflare(seed))


def _gemini(_seed: str, _usage: Usage, stream: bool) -> Headers:
    return (
        *(_SSE if stream else _JSON_UTF8),
        ("vary", "Origin"),
        ("vary", "X-Origin"),
        ("vary", "Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
    )


def _plain(seed: str, _usage: Usage, stream: bool) -> Headers:
    return (*(_SSE if stream else _JSON), ("x-request-id", uuid(seed, "request")))


_HEADERS: Mapping[str, Callable[[str, Usage, bool], Headers]] = {
    "openai": _openai,
    "groq": _groq,
    "mistral": _mistral,
    "deepseek": _deepseek,
    "together": _together,
    "openrouter": _behind_cloudflare,
    "perplexity": _behind_cloudflare,
    "xai": _behind_cloudflare,
    "ollama": lambda _seed, _usage, stream: _SSE if stream else _JSON,
    "vllm": _vllm,
    "gemini": _gemini,
}


def of_success(host: str, seed: str, usage: Usage, *, stream: bool) -> Headers:
    """The usual headers of a 200 of a host of the table in `hosts`; `seed` is what ids and times are made from."""
    return _HEADERS.get(host, _plain)(seed, usage, stream)
