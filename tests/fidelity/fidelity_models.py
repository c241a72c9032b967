"""Validity by the SDKs' own models in strict form: no unknown key anywhere, no conversion of types."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import pydantic_core
from fidelity_published import Verdict, parts_of
from pydantic import TypeAdapter
from pydantic_core import CoreSchema, SchemaValidator, ValidationError

UNKNOWN_TO_SDK = {
    "GenerateContentResponseUsageMetadata": ("serviceTier",),  # in 134 of 161 genuine replies
    "CountTokensResponse": ("promptTokensDetails", "totalBillableCharacters"),  # Google's REST references have them
    "UsageMetadata": ("promptTokenDetails",),  # of batchEmbedContents, in 3 of 7
}
"""Keys that are on the wire and not in the SDK's types (google-genai 3.6.1), by the model that lacks them."""
SENT_LATER = {"ServerToolUsage": ("web_fetch_requests",)}
"""Keys that the SDK requires (anthropic 2.14.0) and that earlier replies do not have, by the model."""


@cache
def strict(kind: Any, numeric_enums: bool = False) -> SchemaValidator:
    """The validator of an SDK type that forbids unknown keys in every model below it."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    adapter.rebuild(force=True)
    schema = _strict(dict(cast(dict[str, Any], adapter.core_schema)), {}, numeric_enums)
    return SchemaValidator(cast(CoreSchema, schema), _use_prebuilt=False)


def _strict(node: Any, done: dict[int, Any], numeric: bool) -> Any:
    if isinstance(node, list | tuple):
        return type(node)(_strict(item, done, numeric) for item in node)
    if not isinstance(node, dict):
        return node
    if id(node) in done:
        return done[id(node)]
    made: dict[str, Any] = {}
    done[id(node)] = made
    made.update(
        (key, item if key in ("cls", "metadata") else _strict(item, done, numeric)) for key, item in node.items()
    )
    match made.get("type"):
        case "model":
            made["config"] = {**made.get("config", {}), "extra_fields_behavior": "forbid", "strict": True}
            _widen(made)
        case "model-fields" | "typed-dict":
            made["extra_behavior"] = "forbid"
        case "datetime":
            made["strict"] = False  # google-genai's validators turn JSON into Python values first
        case "enum" if numeric:
            return {"type": "union", "choices": [{"type": "int", "strict": True}, dict(made)]}
        case _:
            pass
    return made


def _widen(model: dict[str, Any]) -> None:
    """What is known to be on the wire, or not to be, against the model."""
    name, inner = model["cls"].__name__, model["schema"]
    while inner.get("type") != "model-fields" and "schema" in inner:
        inner = inner["schema"]
    anything: dict[str, Any] = {"type": "default", "schema": {"type": "any"}, "default": None}
    for key in UNKNOWN_TO_SDK.get(name, ()):
        inner["fields"][key] = {"type": "model-field", "schema": anything}
    for key in SENT_LATER.get(name, ()):
        field = inner["fields"][key]
        inner["fields"][key] = {**field, "schema": {"type": "default", "schema": field["schema"], "default": None}}


def verdicts(kind: Any, body: bytes, stream: bool, *, numeric_enums: bool = False) -> list[Verdict]:
    """One for the body, or for each event."""
    validator = strict(kind, numeric_enums)
    name = validator.title if len(validator.title) < 60 else "events"
    return [Verdict(name, _problems(validator, part)) for part in parts_of(body, stream)]


def _problems(validator: SchemaValidator, part: Any) -> tuple[str, ...]:
    try:
        validator.validate_json(pydantic_core.to_json(part))
    except ValidationError as error:
        return tuple(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    except AttributeError as error:  # google-genai's enums ask every unknown value for its upper case
        return (repr(error),)
    return ()
