"""What single hosts of the chat completions format do to its objects: their counts, and their own last word on each.

Sources: see hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from llm_simulator.dialects import jsonstyle
from llm_simulator.dialects.fields import Object, as_list, as_object, objects
from llm_simulator.dialects.ids import BASE36, code, digest
from llm_simulator.types import Usage


class At(Enum):
    """Which object of an answer it is."""

    WHOLE = "whole"  # a body that was not streamed
    FIRST = "first"  # the chunk with the role alone
    PIECE = "piece"  # a chunk with text or arguments
    LAST = "last"  # the chunk with the finish reason
    USAGE = "usage"  # the chunk with the usage alone


@dataclass(frozen=True, slots=True)
class Talk:
    """What a host's own keys are made from: the answer's seed, its counts, when it was created."""

    seed: str
    usage: Usage
    created: int = 0


def as_it_is(spelled: Object, _at: At, _talk: Talk) -> Object:
    return spelled


def plain_counts(usage: Usage) -> Object:
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}


def openai_counts(usage: Usage) -> Object:
    return {
        **plain_counts(usage),
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def with_reasoning(usage: Usage) -> Object:
    details = {"completion_tokens_details": {"reasoning_tokens": usage.reasoning}} if usage.reasoning else {}
    return {**plain_counts(usage), **details}


def reordered(given: Object, *names: str) -> Object:
    """The object with these keys first, as far as it has them."""
    return {name: given[name] for name in (*names, *given) if name in given}


def _choices(given: Object, change: Callable[[Object], Object]) -> Object:
    return {**given, "choices": [change(choice) for choice in objects(as_list(given.get("choices")))]}


def mistral_counts(usage: Usage) -> Object:
    return reordered(plain_counts(usage), "prompt_tokens", "total_tokens", "completion_tokens")


def mistral(given: Object, at: At, talk: Talk) -> Object:
    """No `type` on tool calls; chunks are padded by `p`, a piece of the alphabet."""
    if at is At.WHOLE:
        spelled = _choices(given, _mistral_choice)
        return reordered(spelled, "id", "created", "model", "usage", "object", "choices")
    chunk = _choices(given, lambda choice: {**choice, "delta": _untyped(as_object(choice.get("delta")))})
    if at is At.FIRST:
        return chunk
    return {**chunk, "p": ALPHABET[: 1 + digest(talk.seed, f"p {at.value}", 1)[0] % len(ALPHABET)]}


ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def _mistral_choice(choice: Object) -> Object:
    message = {"tool_calls": None, **_untyped(as_object(choice.get("message")))}
    return reordered(
        {**choice, "message": reordered(message, "role", "tool_calls", "content")}, "index", "finish_reason", "message"
    )


def _untyped(message: Object) -> Object:
    calls = [
        reordered({name: part for name, part in call.items() if name != "type"}, "id", "function", "index")
        for call in objects(as_list(message.get("tool_calls")))
    ]
    return {**message, "tool_calls": calls} if calls else message


def _groq_id(seed: str) -> str:
    return "req_01" + code(seed, "groq", 24, "0123456789abcdefghjkmnpqrstvwxyz")


def groq_times(talk: Talk) -> Object:
    """Seconds as Groq tells them: a queue of some ms, a prompt at 6,000 and an answer at 1,200 tokens a second."""
    queue = round(0.01 + int.from_bytes(digest(talk.seed, "queue", 2), "big") / 2**20, 9)
    prompt, completion = round(talk.usage.prompt / 6000, 9), round(talk.usage.completion / 1200, 9)
    return {
        "queue_time": queue,
        "prompt_tokens": talk.usage.prompt,
        "prompt_time": prompt,
        "completion_tokens": talk.usage.completion,
        "completion_time": completion,
        "total_tokens": talk.usage.total,
        "total_time": round(prompt + completion, 9),
    }


def groq(given: Object, at: At, talk: Talk) -> Object:
    own: Object = {"id": _groq_id(talk.seed)}
    counts = as_object(talk.usage.raw) or groq_times(talk)
    match at:
        case At.WHOLE:
            return {**given, "usage": counts, "x_groq": given.get("x_groq", own)}
        case At.FIRST:
            return {**given, "x_groq": own}
        case At.LAST:
            return {**given, "x_groq": {**own, "usage": counts}}
        case At.USAGE:
            return {**given, "usage": counts}
        case At.PIECE:
            return given


def deepseek_counts(usage: Usage) -> Object:
    return {
        **plain_counts(usage),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        **({"completion_tokens_details": {"reasoning_tokens": usage.reasoning}} if usage.reasoning else {}),
        "prompt_cache_hit_tokens": usage.cached,
        "prompt_cache_miss_tokens": usage.prompt - usage.cached,
    }


def deepseek(given: Object, at: At, _talk: Talk) -> Object:
    """While it thinks, the content of a delta is null."""
    if at is not At.PIECE:
        return given

    def change(choice: Object) -> Object:
        delta = as_object(choice.get("delta"))
        return {**choice, "delta": {"content": None, **delta}} if "reasoning_content" in delta else choice

    return _choices(given, change)


def together_counts(usage: Usage) -> Object:
    return {**plain_counts(usage), "cached_tokens": usage.cached}


def together(given: Object, at: At, talk: Talk) -> Object:
    """Choices carry a seed, chunks their text twice and the id of its token."""
    drawn = int.from_bytes(digest(talk.seed, "seed", 7), "big") * 100
    if at is At.WHOLE:
        spelled = _choices({"prompt": [], **given}, lambda choice: _together_choice(choice, drawn))
        return reordered(spelled, "id", "object", "created", "model", "prompt")
    return reordered(
        _choices({**given, "usage": given.get("usage")}, lambda choice: _together_delta(choice, at, drawn)),
        *("id", "object", "created", "choices", "model"),
    )


def _together_choice(choice: Object, drawn: int) -> Object:
    message = {"tool_calls": [], **as_object(choice.get("message"))}
    message["tool_calls"] = [
        {"index": place, **call, "function": reordered(as_object(call.get("function")), "arguments", "name")}
        for place, call in enumerate(objects(as_list(message["tool_calls"])))
    ]
    spelled = {"seed": drawn, **choice, "message": reordered(message, "role", "content")}
    return reordered(spelled, "finish_reason", "seed", "index", "logprobs", "message")


def _together_delta(choice: Object, at: At, drawn: int) -> Object:
    delta = as_object(choice.get("delta"))
    token = 128009 if at is At.LAST else drawn % 100_000
    spelled = {
        "text": delta.get("content") or "",
        "seed": drawn if at is At.LAST else None,
        **choice,
        "delta": {"token_id": token, "role": "assistant", "content": "", **delta},
    }
    return reordered(spelled, "index", "text", "logprobs", "finish_reason", "seed", "delta")


def vllm(given: Object, at: At, _talk: Talk) -> Object:
    """Where a choice ends it says by which stop; a whole message has its (empty) list of calls."""
    if at is At.WHOLE:
        counts = reordered(as_object(given.get("usage")), "prompt_tokens", "total_tokens", "completion_tokens")
        return _choices({**given, "usage": counts}, _vllm_choice)
    if at is At.LAST:
        return _choices(given, lambda choice: {**choice, "stop_reason": choice.get("stop_reason")})
    if at is At.FIRST:
        return _choices(given, lambda choice: {**choice, "delta": {"role": "assistant"}})
    return given


def _vllm_choice(choice: Object) -> Object:
    message = reordered({"tool_calls": [], **as_object(choice.get("message"))}, "role", "content", "tool_calls")
    return {**choice, "message": message, "stop_reason": choice.get("stop_reason")}


def xai_counts(usage: Usage) -> Object:
    """What was thought is not part of `completion_tokens` here, but of the total."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion - usage.reasoning,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "text_tokens": usage.prompt,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": usage.cached,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
    }


def xai(given: Object, at: At, _talk: Talk) -> Object:
    if at is not At.WHOLE:
        return given
    return _choices(given, lambda choice: {**choice, "message": {**as_object(choice.get("message")), "refusal": None}})


def openrouter(given: Object, at: At, _talk: Talk) -> Object:
    """Who served it, and that one's own finish word beside the common one."""
    name = str(given.get("model", "")).partition("/")[0]
    spelled = {"provider": _SERVERS.get(name, name.capitalize() or "OpenAI"), **given}

    def change(choice: Object) -> Object:
        said = {**choice, "native_finish_reason": choice.get("finish_reason")}
        if at is At.WHOLE:
            said["message"] = {**as_object(choice.get("message")), "refusal": None} | (
                {} if "reasoning" in as_object(choice.get("message")) else {"reasoning": None}
            )
            return reordered(said, "logprobs", "finish_reason", "native_finish_reason", "index", "message")
        return reordered(said, "index", "delta", "finish_reason", "native_finish_reason", "logprobs")

    return reordered(_choices(spelled, change), "id", "provider", "model", "object", "created", "choices")


_SERVERS = {
    "openai": "OpenAI",
    "meta-llama": "DeepInfra",
    "mistralai": "Mistral",
    "x-ai": "xAI",
    "deepseek": "DeepSeek",
}
SO_FAR = "\0so far\0"  # stands for the text up to and with this chunk


def perplexity(given: Object, at: At, talk: Talk) -> Object:
    """Every object carries the counts and where it was found; chunks the whole message so far."""
    sources = [f"https://example.com/{code(talk.seed, f'source {place}', 8, BASE36)}" for place in range(2)]
    found = [{"title": f"Source {place + 1}", "url": url, "date": None} for place, url in enumerate(sources)]
    counts = as_object(talk.usage.raw) or {**plain_counts(talk.usage), "search_context_size": "low"}

    def change(choice: Object) -> Object:
        said = {name: part for name, part in choice.items() if name != "logprobs"}
        if at is At.WHOLE:
            said["delta"] = {"role": "assistant", "content": ""}
        else:
            said["message"] = {"role": "assistant", "content": SO_FAR}
        return reordered(said, "index", "finish_reason", "message", "delta")

    spelled = _choices({**given, "usage": counts, "citations": sources, "search_results": found}, change)
    return reordered(spelled, "id", "model", "created", "usage", "citations", "search_results", "object", "choices")


def gemini(given: Object, at: At, _talk: Talk) -> Object:
    """Google's JSON writer sorts keys and leaves out what is null."""
    spelled = as_object(jsonstyle.ordered(given))

    def change(choice: Object) -> Object:
        return {name: part for name, part in choice.items() if part is not None}

    return _choices(spelled, change) if at is not At.USAGE else spelled
