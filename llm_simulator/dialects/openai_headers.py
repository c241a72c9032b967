"""The headers that OpenAI's newer endpoints answer with (Responses, completions), beside the content-type.

Source: recorded traffic of 2026. `set-cookie` is left out: no client may come to depend on one of ours.
"""

from __future__ import annotations

from llm_simulator.dialects.ids import HEX, code, digest
from llm_simulator.types import Headers

JSON_TYPE: Headers = (("content-type", "application/json"),)
SSE_TYPE: Headers = (("content-type", "text/event-stream; charset=utf-8"),)

_REQUESTS, _TOKENS = 30_000, 150_000_000  # a minute: what recorded headers of a large account show
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of the names that Kubernetes gives


def edge(seed: str) -> Headers:
    """What the network in front of the API adds."""
    return (
        ("cf-cache-status", "DYNAMIC"),
        ("server", "cloudflare"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("cf-ray", f"{code(seed, 'ray', 16, HEX)}-LHR"),
        ("alt-svc", 'h3=":443"; ma=86400'),
    )


def own(seed: str, *, exposed: str = "X-Request-ID, CF-Ray") -> Headers:
    """What the API itself says of the call: who asked, how long it took, under what id."""
    spent = 100 + int.from_bytes(digest(seed, "processing", 2), "big") % 400
    return (
        ("access-control-expose-headers", exposed),
        ("openai-organization", "llm-simulator"),
        ("openai-processing-ms", str(spent)),
        ("openai-project", "proj_llmsimulator"),
        ("openai-version", "2020-10-01"),
        ("x-request-id", "req_" + digest(seed, "request").hex()),
    )


def router(seed: str) -> str:
    """The proxy that a call came through, as `via` names it."""
    return f"envoy-router-{code(seed, 'deployed', 10, HEX)}-{code(seed, 'router', 5, _LETTERS)}"


def limits(used: int, *, requests: int = _REQUESTS, tokens: int = _TOKENS) -> Headers:
    """Requests and tokens a minute: limit, what is left, how long until all is back; `used` are this call's tokens."""
    return (
        ("x-ratelimit-limit-requests", str(requests)),
        ("x-ratelimit-limit-tokens", str(tokens)),
        ("x-ratelimit-remaining-requests", str(requests - 1)),
        ("x-ratelimit-remaining-tokens", str(max(tokens - used, 0))),
        ("x-ratelimit-reset-requests", _milliseconds(60 / requests)),
        ("x-ratelimit-reset-tokens", _milliseconds(60 * used / tokens)),
    )


def _milliseconds(seconds: float) -> str:
    """A short time as these headers spell it: "0s", "2ms", "1.5s"."""
    whole = round(seconds * 1000)
    return f"{whole}ms" if 0 < whole < 1000 else f"{whole / 1000:g}s"
