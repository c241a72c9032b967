"""What OpenAI's endpoints beside chat have in common: paths, bodies of JSON or of a form, headers, errors in OpenAI's words.

Source: OpenAI API reference, learn.microsoft.com/azure/ai-services/openai/reference, and recorded traffic for headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote

from llm_simulator.cassettes.key import normal_path
from llm_simulator.cassettes.multipart import Part, parts_of
from llm_simulator.dialects import azure_chat, host_headers, openai_chat, openai_headers
from llm_simulator.dialects.azure_chat import deployment
from llm_simulator.dialects.base import Dialect
from llm_simulator.dialects.fields import Object, as_object
from llm_simulator.dialects.hosts import name_of
from llm_simulator.dialects.ids import code, digest, uuid
from llm_simulator.dialects.openai_chat import request_id
from llm_simulator.dialects.openai_wire import ALPHANUMERIC
from llm_simulator.dialects.openai_words import BAD_JSON, method_not_allowed, refusal, worded
from llm_simulator.dialects.reading import BODY_LIMIT, json_object, text_field, wants_stream
from llm_simulator.dialects.structure import Rule, fault_in
from llm_simulator.redact.coding import CodingError, decode
from llm_simulator.types import JSON, Call, Condition, Headers, RawRequest, Reply, Usage, header

NATIVE = frozenset(("anthropic", "gemini", "vertex", "cohere", "bedrock", "replicate", "watsonx", "alephalpha"))
"""Providers whose own API is another one; some have a path that speaks OpenAI's as well."""
FILES_OF_THEIR_OWN = frozenset(("mistral", "together", "fireworks", "xai"))
"""Those whose files and batches are not OpenAI's, though their chats are."""
_COMPATIBLE = re.compile(r"/(openai|openapi|compatibility)/")
BASE = r"(?P<base>(?:/(?:openai|api|inference|compatibility|compatible-mode|beta|v\d\w*|deployments/[^/]+|engines/[^/]+))*)"
"""What may stand before a resource of OpenAI's in a path: `/v1`, `/openai/deployments/gpt`, `/openai/v1`."""

_FORM = "multipart/form-data"
_FIELD = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")
_REQUESTS, _TOKENS = 10_000, 10_000_000  # a minute: what recorded headers of embeddings calls show
_AZURE_REQUESTS, _AZURE_TOKENS = 120, 120_000


def speaks_openai(provider: str, path: str) -> bool:
    """Whether a path of this provider is in OpenAI's format."""
    return provider not in NATIVE or _COMPATIBLE.search(path) is not None


# Reading


def named(pattern: re.Pattern[str], raw: RawRequest, group: str) -> str:
    """What a path has in the place of a named group; "" where it has nothing there."""
    match = pattern.fullmatch(normal_path(raw.path))
    return unquote((match[group] if match else "") or "")


def read_json(raw: RawRequest, provider: str, family: str, operation: str) -> Call:
    """A call whose body is a JSON object; a path that names a deployment names the model."""
    body, problem = json_object(raw)
    model = deployment(raw.path) or text_field(body, "model")
    return Call(provider, family, operation, raw, model, wants_stream(body), body, problem)


def read_form(raw: RawRequest, provider: str, family: str, operation: str) -> Call:
    """A call whose body is a form (or JSON where it says so); `form` tells how it looks in `Call.body`."""
    if "json" in header(raw.headers, "content-type").lower():
        return read_json(raw, provider, family, operation)
    parts, problem = uploads(raw)
    body = form(parts)
    model = deployment(raw.path) or text_field(body, "model")
    return Call(provider, family, operation, raw, model, is_true(body.get("stream")), body, problem)


def read_plain(raw: RawRequest, provider: str, family: str, operation: str) -> Call:
    """A call without a body (GET, DELETE): its query as an object of texts."""
    return Call(provider, family, operation, raw, body=dict(parse_qsl(raw.query, keep_blank_values=True)))


def uploads(raw: RawRequest) -> tuple[list[Part], str]:
    """The parts of a form and "", or none and what is wrong."""
    kind = header(raw.headers, "content-type")
    if not kind.lower().startswith(_FORM):
        return [], f"the content-type is {kind!r}, not {_FORM}"
    coding = header(raw.headers, "content-encoding")
    try:
        return parts_of(kind, decode(raw.body, coding, BODY_LIMIT) if coding else raw.body), ""
    except CodingError as error:
        return [], str(error)
    except ValueError:
        return [], "the body does not end with the boundary that its content-type names"


def form(parts: Iterable[Part]) -> Object:
    """A form as JSON: `a` is text (a list of texts where it comes twice), `a[]` a list, `a[b]` a member of an object.

    A file is shown as its name, content-type and size in bytes: what it holds stays in the request.
    """
    body: Object = {}
    for part in parts:
        match = _FIELD.fullmatch(part.name)
        name, inner = (match[1], match[2]) if match else (part.name, None)
        value: JSON = part.content.decode("utf-8", "replace")
        if part.filename:
            value = {"filename": part.filename, "content_type": part.kind, "bytes": len(part.content)}
        _place(body, name, inner, value)
    return body


def _place(body: Object, name: str, inner: str | None, value: JSON) -> None:
    before = body.get(name)
    if inner:
        body[name] = {**as_object(before), inner: value}
    elif inner == "":
        body[name] = [*before, value] if isinstance(before, list) else [value]
    else:
        body[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]


def is_true(value: JSON) -> bool:
    """A flag, in JSON or in a form."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1"))


def number(value: JSON, default: float) -> float:
    """A number, in JSON or as a form or a query spells it; the default where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        found = float(value)
    except ValueError:
        return default
    return found if abs(found) < 1e15 else default


def whole(value: JSON, default: int) -> int:
    return int(number(value, default))


# Refusing


def structure(call: Call, rules: Iterable[Rule] = ()) -> Condition | None:
    """What is wrong with method, body or fields, in OpenAI's words; None where nothing is."""
    if call.operation == "unknown":
        return method_not_allowed(call)
    if call.problem:
        return refusal("bad_json", BAD_JSON, extra={"problem": call.problem})
    fault = fault_in(call.body, rules)
    return worded(fault) if fault else None


def no_model() -> Condition:
    return refusal("missing_model", "you must provide a model parameter")


def invalid_value(where: str, given: str, allowed: Iterable[str]) -> Condition:
    *others, last = (f"'{name}'" for name in allowed)
    listed = f"{', '.join(others)}, and {last}" if others else last
    return refusal(
        "invalid_value", f"Invalid value: '{given}'. Supported values are: {listed}.", where, "invalid_value"
    )


def refuse(condition: Condition, call: Call) -> Reply:
    """In the envelope of the call's provider."""
    speaker: Dialect = azure_chat.DIALECT if call.provider == "azure" else openai_chat.DIALECT
    return speaker.refuse(condition, call)


# Answering


def success(
    call: Call, seed: str, kind: str = "application/json", *, model: str = "", tokens: int | None = None
) -> Headers:
    """The headers of a success. `tokens` are what it cost: None where the endpoint shows no rate limits.

    `model` is what answered, where the endpoint says so.
    """
    content: Headers = (("content-type", kind),)
    host = name_of(call.provider, call.raw.host)
    match host:
        case "openai" | "unknown":
            return (*content, *_openai(seed, model), *_limits(seed, tokens), *openai_headers.edge(seed))
        case "azure":
            return (*content, *azure_chat.identity(seed), *_azure(seed, call, tokens))
        case "voyage":
            return (*content, *_voyage(seed))
        case _:
            usual = host_headers.of_success(host, seed, Usage(tokens or 0, 0), stream=False)
            return (*content, *(pair for pair in usual if pair[0] != "content-type"))


def _openai(seed: str, model: str) -> Headers:
    return (
        *((("openai-model", azure_chat.header_text(model)),) if model else ()),
        ("openai-organization", "llm-simulator"),
        ("openai-processing-ms", str(_spent(seed))),
        ("openai-project", "proj_llmsimulator"),
        ("openai-version", "2020-10-01"),
        ("x-request-id", request_id(seed)),
    )


def _spent(seed: str) -> int:
    """Milliseconds that the provider says it took."""
    return 60 + int.from_bytes(digest(seed, "processing", 2), "big") % 200


def _limits(seed: str, tokens: int | None) -> Headers:
    if tokens is None:
        return ()
    return (
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "X-Request-ID"),
        ("via", openai_headers.router(seed)),
        ("x-envoy-upstream-service-time", str(_spent(seed) - 20)),
        ("x-openai-proxy-wasm", "v0.1"),
        *openai_headers.limits(tokens, requests=_REQUESTS, tokens=_TOKENS),
    )


def _azure(seed: str, call: Call, tokens: int | None) -> Headers:
    always: Headers = (
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-ms-client-request-id", header(call.raw.headers, "x-ms-client-request-id") or uuid(seed, "apim")),
    )
    if tokens is None:
        return always
    return (
        *always,
        ("access-control-allow-origin", "*"),
        ("azureml-model-session", f"d20260330170902-{digest(call.model, 'session', 6).hex()}"),
        ("x-ratelimit-remaining-requests", str(_AZURE_REQUESTS - 1)),
        ("x-ratelimit-remaining-tokens", str(max(_AZURE_TOKENS - tokens, 0))),
    )


def _voyage(seed: str) -> Headers:
    return (
        ("x-request-id", digest(seed, "request").hex()),
        ("server", "uvicorn"),
        ("via", "1.1 google"),
        ("alt-svc", 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'),
    )


def identity(prefix: str, seed: str, length: int = 24) -> str:
    """An id as OpenAI makes them: `file-` and 24 letters and digits."""
    return prefix + code(seed, prefix, length, ALPHANUMERIC)


def page(objects: list[Object], query: Mapping[str, JSON], most: int, newest_first: bool = True) -> Object:
    """One page of a list of objects that are in order of creation: `after` an id, `limit` of them, `order` asc or desc."""
    order = query.get("order") or ("desc" if newest_first else "asc")
    listed = objects[::-1] if order == "desc" else objects
    after = query.get("after")
    if after:
        places = [place for place, item in enumerate(listed) if item["id"] == after]
        listed = listed[places[0] + 1 :] if places else []
    limit = min(max(whole(query.get("limit"), most), 1), most)
    shown = listed[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(listed) > limit,
    }
