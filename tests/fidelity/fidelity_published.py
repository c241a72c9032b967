"""Validity by published schema: the providers' OpenAPI documents with the overlay that real replies need.

Source: shared/reference/openapi (README there), `schema_overlay` in shared/reference/endpoints.yaml, and `fidelity_overlay.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from fidelity_overlay import COHERE, OPENAI, Patch
from fidelity_shape import events_of, is_stream

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
_SCHEMA = "#/components/schemas/"
_SSE, _LINES = "text/event-stream", "application/stream+json"


class _Loader(yaml.CSafeLoader):
    """Dates stay text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    letter: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
    for letter, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a body or an event: the schema that it was held against, and what is wrong with it."""

    schema: str
    problems: tuple[str, ...] = ()


class Published:
    """One provider's document, patched. `prefix` is what its paths lack of the real ones ("/v1")."""

    def __init__(self, document: Any, patches: Iterable[Patch], prefix: str = "") -> None:
        for patch in patches:
            _apply(document["components"]["schemas"], patch)
        self._document: Any = _plain({key: document[key] for key in ("paths", "components")})
        self._prefix = prefix
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._events: dict[str, dict[str, str]] = {}

    def knows(self, method: str, path: str, stream: bool) -> bool:
        """Whether it says what a success of this request looks like."""
        template = self._template(method, path)
        if template is None or (stream and template.startswith("/threads")):  # it describes pairs of event and data
            return False
        content = self._document["paths"][template][method.lower()]["responses"].get("200", {}).get("content", {})
        return bool(content.keys() & ({"application/json", _SSE, _LINES} if stream else {"application/json"}))

    def verdicts(self, method: str, path: str, body: bytes, stream: bool) -> list[Verdict]:
        """One for the body, or for each event."""
        template = self._template(method, path)
        assert template is not None, f"{method} {path} is not in the published document"
        schema = self._schema(template, method, stream)
        return [self._verdict(schema, part) for part in parts_of(body, stream)]

    def _verdict(self, schema: str, part: Any) -> Verdict:
        name = schema.rpartition("/")[2] if schema.startswith(_SCHEMA) else schema.split("/")[2].replace("~1", "/")
        told = self._alternatives(schema)
        if told and isinstance(part, dict):
            kind = part.get("type") or part.get("event_type")
            if kind not in told:
                return Verdict(name, (f"unknown type of event {kind!r}",))
            schema = told[kind]
        return Verdict(name, tuple(_spelled(error, part) for error in self._validator(schema).iter_errors(part)))

    def _template(self, method: str, path: str) -> str | None:
        wanted = path.removeprefix(self._prefix)
        for template in self._document["paths"]:
            if method.lower() not in self._document["paths"][template]:
                continue
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), wanted):
                return str(template)
        return None

    def _schema(self, template: str, method: str, stream: bool) -> str:
        """Where the schema of a 200 answer is. A document may have one for events, or a choice of the two, or none."""
        answers = self._document["paths"][template][method.lower()]["responses"]
        content = answers["200"]["content"]
        media = next((kind for kind in (_SSE, _LINES) if kind in content), "")
        media = media if stream and media else "application/json"
        schema = content[media]["schema"]
        if set(schema) == {"oneOf"} and len(schema["oneOf"]) == 2 and "Stream" in json.dumps(schema):
            schema = schema["oneOf"][1 if stream else 0]
        if set(schema) == {"$ref"}:
            return str(schema["$ref"])
        steps = ("paths", template, method.lower(), "responses", "200", "content", media, "schema")
        return "#/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)

    def _alternatives(self, pointer: str) -> dict[str, str]:
        """Of a union of events: the schema of each type."""
        if pointer not in self._events:
            self._events[pointer] = dict(self._typed(pointer)) if "Stream" in pointer else {}
        return self._events[pointer]

    def _typed(self, pointer: str) -> Iterator[tuple[str, str]]:
        node = self._at(pointer)
        mapping = node.get("discriminator", {}).get("mapping", {})
        yield from mapping.items()
        for alternative in node.get("anyOf", ()) if not mapping else ():
            kind = self._at(alternative["$ref"])["properties"]["type"]
            for value in kind.get("enum") or [kind["const"]]:
                yield value, alternative["$ref"]

    def _at(self, pointer: str) -> Any:
        node = self._document
        for step in pointer.removeprefix("#/").split("/"):
            node = node[step.replace("~1", "/").replace("~0", "~")]
        return node

    def _validator(self, pointer: str) -> jsonschema_rs.Draft202012Validator:
        if pointer not in self._validators:
            self._validators[pointer] = jsonschema_rs.Draft202012Validator({"$ref": pointer, **self._document})
        return self._validators[pointer]


def parts_of(body: bytes, stream: bool) -> list[Any]:
    """The body's JSON, or the data of every event (without terminators and pings).

    Raises:
        ValueError: it is not JSON.
    """
    text = body.decode("utf-8")
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    if not stream and not is_stream(text):
        return [json.loads(text)]
    return [event.data for event in events_of(text) if event.kind not in ("[DONE]", "comment", "ping")]


def _spelled(error: jsonschema_rs.ValidationError, part: Any) -> str:
    place = "/".join(str(step) for step in error.instance_path)
    kind = part.get("type") or part.get("object") or "" if isinstance(part, dict) else ""
    return f"{kind} {place or '.'}: {error.message[:200]}"


def _apply(schemas: Any, patch: Patch) -> None:
    *steps, last = patch.pointer.strip("/").split("/")
    node = schemas[patch.schema]
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    match patch.change.split(" ")[0]:
        case "also":
            kind = "null" if "null" in patch.change else "string"
            node[last] = {"anyOf": [node[last], {"type": kind}]}
        case "value":
            node[last] = {"anyOf": [node[last], {"const": json.loads(patch.change.removeprefix("value "))}]}
        case "any":
            node[last] = {}
        case name:
            if not patch.change.endswith("is not required"):
                raise ValueError(f"overlay {patch.schema}{patch.pointer}: unknown change {patch.change!r}")
            node[last].remove(name)


def _plain(node: Any) -> Any:
    """As JSON schema has it: OpenAPI 3.0's `nullable`, and a union that a discriminator decides need not be exclusive."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _plain(value) for key, value in node.items()}
    if isinstance(made.get("discriminator"), dict) and "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    if made.pop("nullable", None) is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


@cache
def openai(*, aged: bool = True) -> Published:
    """OpenAI's document with the overlay; `aged`: with the patches for recordings of earlier forms, too."""
    endpoints: Any = _load(REFERENCE / "endpoints.yaml")
    overlay = endpoints["providers"]["openai"]["schema_overlay"]["patches"]
    patches = [Patch(patch["schema"], patch["pointer"], patch["change"], "schema_overlay") for patch in overlay]
    return Published(_load(REFERENCE / "openapi" / "openai-2.3.0.yaml"), [*patches, *(OPENAI if aged else ())], "/v1")


@cache
def cohere(*, aged: bool = True) -> Published:
    return Published(_load(REFERENCE / "openapi" / "cohere.yaml"), COHERE if aged else ())


def _load(path: Path) -> Any:
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, _Loader)
