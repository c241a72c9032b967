"""What an error says of the request it answers: its model, path, key, and the ids that its provider gives every answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, unquote

from llm_simulator.dialects.ids import base64url, code, digest, of_refusal, uuid
from llm_simulator.types import Call, Condition, header

_OFFERED = "openai-insecure-api-key."
_GEMINI = re.compile(r"/(v\d\w*)/.*:(\w+)")
_ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_IDS: Mapping[str, Callable[[str], str]] = {
    "openai.request_id": lambda seed: "req_" + digest(seed, "request").hex(),
    "openai.completion_id": lambda seed: "chatcmpl-" + code(seed, "completion", 29, _ALNUM),
    "openai.response_id": lambda seed: "resp_" + digest(seed, "response", 25).hex(),
    "anthropic.request_id": lambda seed: "req_011C" + code(seed, "request", 20),
    "azure.request_id": lambda seed: uuid(seed, "apim"),
    "mistral.request_id": lambda seed: _uuid7(seed),
    "anthropic.message_id": lambda seed: "msg_01" + code(seed, "message", 22),
    "reply_id": lambda seed: base64url(seed, "reply", 17),
    "blocked_id": lambda seed: base64url(seed, "reply", 17),
    "cf_ray": lambda seed: digest(seed, "ray", 8).hex() + "-LHR",
    "trace_id": lambda seed: digest(seed, "trace").hex(),
    "error_id": lambda seed: uuid(seed, "error"),
}


def of_call(wanted: Mapping[str, str], call: Call, condition: Condition) -> dict[str, str]:
    """The values that the call has for the placeholders in `wanted` (their examples by name); those it lacks are left out."""
    seed = of_refusal(condition, call)
    found = {name: _value(name, wanted[name], call, seed) for name in wanted}
    return {name: value for name, value in found.items() if value}


def _value(name: str, example: str, call: Call, seed: str) -> str:
    match name:
        case "request_id":
            return _IDS[_owner(example)](seed)
        case "completion_id" | "response_id":
            return _IDS[f"openai.{name}"](seed)
        case "cf_ray" | "trace_id" | "error_id" | "reply_id" | "blocked_id":
            return _IDS[name](seed)
        case "message_id":
            return _IDS["anthropic.message_id" if example.startswith("msg_") else "error_id"](seed)
        case "model":
            return call.model.removeprefix("models/")
        case "chat_model" | "response_model":
            return _served(call)
        case "path":
            return call.raw.path
        case "method":
            return call.raw.method if example.isupper() else _gemini(call)[1]
        case "version":
            return _gemini(call)[0]
        case "api_version":
            return (parse_qs(call.raw.query).get("api-version") or [""])[0]
        case "org" | "project":
            return header(call.raw.headers, {"org": "openai-organization", "project": "openai-project"}[name])
        case "masked_key":
            return masked(key_of(call))
        case _:
            return ""


def _owner(example: str) -> str:
    """Whose request id it is, by its shape."""
    if example.startswith("req_"):
        return "anthropic.request_id" if example.startswith("req_011") else "openai.request_id"
    return "mistral.request_id" if example.startswith("0199") else "azure.request_id"


def _served(call: Call) -> str:
    """The model that answers: the dated snapshot behind an alias; "" where the call names none."""
    from llm_simulator.dialects.catalogue import find

    name = call.model.removeprefix("models/")
    found = find(call.provider, name)
    return (found.serves if found else "") or name


def _gemini(call: Call) -> tuple[str, str]:
    """API version and method of a path: `/v1beta/models/x:generateContent`."""
    found = _GEMINI.search(unquote(call.raw.path))
    return (found[1], found[2]) if found else ("", "")


def _uuid7(seed: str) -> str:
    """As Kong numbers requests: a version 7 UUID (RFC 9562, 5.7), its time drawn as well."""
    drawn = uuid(seed, "request")
    return f"0199{drawn[4:14]}7{drawn[15:]}"


def key_of(call: Call) -> str:
    """The API key or token that a request carries, in whatever header or parameter; "" for none."""
    names = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
    given = next((value for name in names if (value := header(call.raw.headers, name))), "")
    if not given:  # a browser's WebSocket has no headers of its own
        offered = header(call.raw.headers, "sec-websocket-protocol").replace(",", " ").split()
        given = next((word[len(_OFFERED) :] for word in offered if word.startswith(_OFFERED)), "")
    if not given and "key=" in call.raw.query:
        given = (parse_qs(call.raw.query).get("key") or [""])[0]
    return given[7:].strip() if given[:7].lower() == "bearer " else given.strip()


def masked(key: str) -> str:
    """A key as OpenAI shows it back: its ends, with stars for what is between; a short one as it is."""
    if len(key) <= 12:
        return key
    return f"{key[:8]}{'*' * min(len(key) - 12, 24)}{key[-4:]}"
