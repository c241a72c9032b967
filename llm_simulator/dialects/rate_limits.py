"""Rate limits in each provider's own words: the headers that count down, and the refusal that says when to come back.

Sources: recorded headers (OpenAI, Azure, Anthropic, Groq, Mistral, Cohere, Together), the providers' pages on rate limits
for xAI; Gemini, Vertex AI, DeepSeek and OpenRouter send none with a success. Whom nothing is known of speaks as OpenAI.
Which refusal: the catalogue (`conditions.py`), with the numbers of this limit in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from llm_simulator.dialects import conditions
from llm_simulator.types import JSON, Call, Condition, Headers, header

REQUESTS, DAY, TOKENS, INPUT, OUTPUT, CONCURRENT = (
    *("requests", "requests-day", "tokens", "input-tokens", "output-tokens"),
    "concurrent",
)
"""The names of limits: requests a minute, a day; tokens a minute, together or by direction; calls at once."""


@dataclass(frozen=True, slots=True)
class Window:
    """How one limit stands: so many in each period, what is left of them, and when (seconds) all is back."""

    limit: int
    left: int
    full: float


Standing = Mapping[str, Window]
"""The windows of a call by the names above."""

_OURS = re.compile(
    r"(?:x-|anthropic-)?ratelimit(?:bysize)?-.*|x-ratelimitbysize-.*|x-(?:trial-)?endpoint-.*call-.*|x-tokenlimit-.*"
)


def headers(provider: str, standing: Standing, now: float, used: int = 0) -> Headers:
    """The provider's own headers; `now` is in seconds since the epoch, `used` the tokens of this call."""
    return tuple(_SPELLED.get(provider, _openai)(standing, now, used))


def without(given: Headers) -> Headers:
    """The headers without those of this kind: what was recorded, or is true of another account."""
    return tuple([item for item in given if not _is_ours(item[0])])


@lru_cache(1024)
def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name.lower()) is not None


def _openai(standing: Standing, _now: float, _used: int) -> Iterator[tuple[str, str]]:
    shown = {"requests": standing.get(REQUESTS) or standing.get(DAY), "tokens": standing.get(TOKENS)}
    for name, window in shown.items():
        if window is not None:
            yield f"x-ratelimit-limit-{name}", str(window.limit)
    for name, window in shown.items():
        if window is not None:
            yield f"x-ratelimit-remaining-{name}", str(window.left)
    for name, window in shown.items():
        if window is not None:
            yield f"x-ratelimit-reset-{name}", duration(window.full)


def _groq(standing: Standing, now: float, used: int) -> Iterator[tuple[str, str]]:
    """Its requests are those of a day, its tokens those of a minute."""
    day = standing.get(DAY)
    return _openai({**standing, REQUESTS: day} if day else standing, now, used)


def _xai(standing: Standing, now: float, used: int) -> Iterator[tuple[str, str]]:
    return (item for item in _openai(standing, now, used) if "-reset-" not in item[0])


def _azure(standing: Standing, _now: float, _used: int) -> Iterator[tuple[str, str]]:
    yield "x-ratelimit-abusepenalty-active", "False"
    for name in (REQUESTS, TOKENS):
        if window := standing.get(name):
            yield f"x-ratelimit-limit-{name}", str(window.limit)
            yield f"x-ratelimit-remaining-{name}", str(window.left)
            yield f"x-ratelimit-renewalperiod-{name}", "60"  # seconds; the resets are milliseconds, as recorded
            yield f"x-ratelimit-reset-{name}", str(math.ceil(window.full * 1000))


def _anthropic(standing: Standing, now: float, _used: int) -> Iterator[tuple[str, str]]:
    """Tokens are told to the nearest thousand, as the API does; both directions together are their sum."""
    shown = dict(standing)
    if INPUT in shown and OUTPUT in shown and TOKENS not in shown:
        one, other = shown[INPUT], shown[OUTPUT]
        shown[TOKENS] = Window(one.limit + other.limit, one.left + other.left, max(one.full, other.full))
    for name in (INPUT, OUTPUT, REQUESTS, TOKENS):
        if window := shown.get(name):
            rounds = name != REQUESTS and window.limit >= 1000
            yield f"anthropic-ratelimit-{name}-limit", str(window.limit)
            yield f"anthropic-ratelimit-{name}-remaining", str(round(window.left, -3) if rounds else window.left)
            yield f"anthropic-ratelimit-{name}-reset", _rfc3339(math.ceil(now + window.full))


def _mistral(standing: Standing, _now: float, used: int) -> Iterator[tuple[str, str]]:
    for name, shown in ((REQUESTS, "req-minute"), (TOKENS, "tokens-minute")):
        if window := standing.get(name):
            yield f"x-ratelimit-limit-{shown}", str(window.limit)
            yield f"x-ratelimit-remaining-{shown}", str(window.left)
    if TOKENS in standing:
        yield "x-ratelimit-tokens-query-cost", str(used)


def _cohere(standing: Standing, _now: float, _used: int) -> Iterator[tuple[str, str]]:
    if window := standing.get(REQUESTS):
        yield "x-trial-endpoint-call-limit", str(window.limit)
        yield "x-trial-endpoint-call-remaining", str(window.left)


def _together(standing: Standing, _now: float, _used: int) -> Iterator[tuple[str, str]]:
    for name, shown in ((REQUESTS, "x-ratelimit"), (TOKENS, "x-tokenlimit")):
        if window := standing.get(name):
            yield f"{shown}-limit", str(window.limit)
            yield f"{shown}-remaining", str(window.left)
            yield f"{shown}-reset", str(math.ceil(window.full))


def _none(_standing: Standing, _now: float, _used: int) -> Iterator[tuple[str, str]]:
    return iter(())


_SPELLED: Mapping[str, Callable[[Standing, float, int], Iterator[tuple[str, str]]]] = MappingProxyType(
    {
        "azure": _azure,
        "anthropic": _anthropic,
        "mistral": _mistral,
        "cohere": _cohere,
        "groq": _groq,
        "xai": _xai,
        "together": _together,
        "gemini": _none,
        "vertex": _none,
        "deepseek": _none,
        "openrouter": _none,
    }
)


def duration(seconds: float) -> str:
    """A time as Go spells it, to the millisecond above: "0s", "6ms", "1.5s", "6m0s", "7m12s", "1h0m0s"."""
    whole = math.ceil(round(seconds * 1000, 3))
    if whole < 1000:
        return f"{whole}ms" if whole > 0 else "0s"
    minutes, rest = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" * (hours > 0) + f"{minutes}m" * (not hours and minutes > 0) + f"{rest / 1000:g}s"


@lru_cache(256)
def _rfc3339(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- refusals


@dataclass(frozen=True, slots=True)
class Refused:
    """A call over a limit: which (by the names above), its size, how many units were used and asked for, and when to come
    back (seconds; None: waiting does not help, the call alone is over the limit)."""

    by: str
    limit: int
    used: int
    asked: int
    wait: float | None


_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "openai": {
            REQUESTS: "rate_limit_requests",
            DAY: "rate_limit_requests_per_day",
            CONCURRENT: "rate_limit_requests",
            "": "rate_limit_tokens",
        },
        "azure": {
            REQUESTS: "rate_limit_calls",
            DAY: "rate_limit_calls",
            CONCURRENT: "rate_limit_calls",
            "": "rate_limit_tokens",
        },
        "anthropic": {
            REQUESTS: "rate_limit_requests",
            DAY: "rate_limit_requests",
            CONCURRENT: "rate_limit_concurrent",
            OUTPUT: "rate_limit_output_tokens",
            "": "rate_limit_input_tokens",
        },
        "gemini": {
            REQUESTS: "quota_requests_per_minute_free",
            DAY: "quota_requests_per_day_free",
            CONCURRENT: "quota_exhausted_bare",
            "": "quota_input_tokens_paid",
        },
        "cohere": {
            REQUESTS: "doc_429_requests_per_minute_limit",
            DAY: "doc_429_rate_limit_short_text",
            CONCURRENT: "doc_429_rate_limit_short_text",
            "": "doc_429_trial_token_limit",
        },
        "mistral": {"": "rate_limited"},
    }
)


def refusal(refused: Refused, call: Call) -> Condition:
    """The provider's own 429 for it."""
    speaker = {"vertex": "gemini"}.get(call.provider, call.provider)
    speaker = speaker if speaker in _NAMES else "openai"
    names = _NAMES[speaker]
    entry = conditions.find(f"{speaker}.{names.get(refused.by, names[''])}", call.provider)
    assert entry is not None
    wait = refused.wait
    message, details = _WORDS.get(speaker, _plain)(refused, call, entry)
    told = None if wait is None or speaker == "gemini" else max(wait, 0.001)
    return Condition(entry.id, entry.status or 429, message, retry_after=told, details=details)


Words = tuple[str, JSON]


def _plain(refused: Refused, _call: Call, _entry: conditions.Entry) -> Words:
    return "", None


_PER = {REQUESTS: "requests per min (RPM)", DAY: "requests per day (RPD)", CONCURRENT: "concurrent requests"}


def _in_openai(refused: Refused, call: Call, _entry: conditions.Entry) -> Words:
    """OpenAI publishes no text for calls at once: theirs is as that of the others."""
    org = header(call.raw.headers, "openai-organization", "org-abc")
    per = _PER.get(refused.by, "tokens per min (TPM)")
    where = f"for {call.model} in organization {org} on {per}"
    visit = "Visit https://platform.openai.com/account/rate-limits to learn more."
    if refused.wait is None:
        return (
            f"Request too large {where}: Limit {refused.limit}, Requested {refused.asked}. The input or output tokens "
            f"must be reduced in order to run successfully. {visit}"
        ), None
    return (
        f"Rate limit reached {where}: Limit {refused.limit}, Used {refused.used}, Requested {refused.asked}. "
        f"Please try again in {duration(refused.wait)}. {visit}"
    ), None


def _in_azure(refused: Refused, _call: Call, entry: conditions.Entry) -> Words:
    seconds = math.ceil(refused.wait or 0.0)
    return re.sub(r"after (?:\d+|\{seconds\}) seconds", f"after {seconds} seconds", entry.message), None


def _in_anthropic(refused: Refused, call: Call, entry: conditions.Entry) -> Words:
    if refused.by == CONCURRENT:
        return "", None
    kinds = {REQUESTS: "requests per minute", DAY: "requests per day", OUTPUT: "output tokens per minute"}
    kind = kinds.get(refused.by, "input tokens per minute" if refused.by == INPUT else "tokens per minute")
    said = re.sub(r"of [\d,]+ [a-z ]*? per minute", f"of {refused.limit:,} {kind}", entry.message)
    return re.sub(r"model: [^)]*\)", lambda _: f"model: {call.model})", said), None


def _in_gemini(refused: Refused, call: Call, entry: conditions.Entry) -> Words:
    """The wait stands in the message and in `RetryInfo`, not in a header."""
    body: Any = entry.body
    wait = refused.wait or 0.0
    if not isinstance(body, dict) or "details" not in body["error"]:
        return "", None
    model = call.model.removeprefix("models/")
    said: str = body["error"]["message"].replace("{chat_model}", model)
    said = re.sub(r"limit: \d+", f"limit: {refused.limit}", said)
    said = re.sub(r"retry in [\d.]+s", f"retry in {max(wait, 0.001):.9g}s", said)
    return said, [_detail(detail, refused.limit, model, wait) for detail in body["error"]["details"]]


def _detail(detail: Any, limit: int, model: str, wait: float) -> Any:
    kind = detail["@type"].rpartition(".")[2]
    if kind == "RetryInfo":
        return {**detail, "retryDelay": f"{math.ceil(wait)}s"}
    if kind != "QuotaFailure":
        return detail
    quotas = [
        {**quota, "quotaDimensions": {**quota["quotaDimensions"], "model": model}, "quotaValue": str(limit)}
        for quota in detail["violations"]
    ]
    return {**detail, "violations": quotas}


def _in_cohere(refused: Refused, _call: Call, entry: conditions.Entry) -> Words:
    return re.sub(r"limit is \d+ tokens", f"limit is {refused.limit} tokens", entry.message), None


_WORDS: Mapping[str, Callable[[Refused, Call, conditions.Entry], Words]] = MappingProxyType(
    {
        "openai": _in_openai,
        "azure": _in_azure,
        "anthropic": _in_anthropic,
        "gemini": _in_gemini,
        "cohere": _in_cohere,
    }
)
