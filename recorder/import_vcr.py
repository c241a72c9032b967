"""VCR.py cassettes, format 1, in every shape: YAML or JSON, text or binary, `{string}`, parsed JSON, old httpx stub.

Also LangChain's serializer (two lists, `requests` and `responses`). Sources: vcr/serialize.py, vcr/stubs/, the custom
serializers of pydantic-ai and langchain-tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from llm_simulator.errors import CassetteError
from llm_simulator.recorder import fields
from llm_simulator.recorder.interaction import Body, FieldError, Imported, Read, each, shown
from llm_simulator.recorder.source import Source, Tree
from llm_simulator.types import JSON

FORMAT = "vcrpy"


def claims(source: Source) -> bool:
    tree = source.tree
    if "interactions" in tree.names:
        asked = tree.outline("interactions").get("request", frozenset())
        return "uri" in asked or "url" not in asked  # go-vcr writes `url`
    return "requests" in tree.names and "responses" in tree.names


def read(source: Source) -> Iterator[Read]:
    tree = source.tree
    version = tree.value("version")
    if version not in (None, 1, "1"):
        raise CassetteError(f"{source.name}: version: got {shown(version)}, allowed is 1 for a cassette of VCR.py")
    return each(tree.items("interactions") if "interactions" in tree.names else _parallel(tree), _imported)


def _parallel(tree: Tree) -> Iterator[tuple[str, Callable[[], JSON]]]:
    """LangChain's two lists as one list of interactions."""
    answers = [get for _, get in tree.items("responses")]
    for number, (line, get) in enumerate(tree.items("requests")):
        answer = answers[number] if number < len(answers) else _missing
        yield line, partial(_joined, get, answer)


def _joined(get: Callable[[], JSON], answer: Callable[[], JSON]) -> JSON:
    return {"request": get(), "response": answer()}


def _missing() -> JSON:
    raise FieldError("responses", "fewer responses than requests", "one for each request")


def _imported(item: JSON, where: str) -> Imported:
    whole = fields.mapping(item, "interaction")
    asked = fields.mapping(whole.get("request"), "request")
    answer = fields.mapping(whole.get("response"), "response")
    sent = body_of(asked, "request")
    code, phrase = status_of(answer)
    request = fields.request(
        fields.method(asked.get("method"), "request.method"),
        asked.get("uri"),
        "request.uri",
        fields.headers(asked.get("headers"), "request.headers"),
        sent.data,
    )
    return Imported(
        where,
        request,
        sent,
        code,
        fields.headers(answer.get("headers"), "response.headers"),
        body_of(answer, "response"),
        phrase,
        recorded_at=fields.instant(whole.get("recorded_at")),
    )


def status_of(answer: Mapping[str, JSON]) -> tuple[int, str]:
    """`status: {code, message}`, the first httpx stub's `status_code`, or a bare number."""
    held = answer.get("status", answer.get("status_code"))
    if isinstance(held, Mapping):
        code = fields.status(held.get("code"), "response.status.code")
        return code, fields.reason(held.get("message"), "response.status.message")
    return fields.status(held, "response.status"), ""


def body_of(held: Mapping[str, JSON], side: str) -> Body:
    """`parsed_body`, `body` (bare, or in `{string}`, `{base64_string}`, `{encoding: base64, string}`) or `content`."""
    if held.get("parsed_body") is not None:
        return fields.dumped(held["parsed_body"], f"{side}.parsed_body")
    if held.get("body") is None:
        return fields.body(held.get("content"), f"{side}.content")
    value, name = held["body"], f"{side}.body"
    if not isinstance(value, Mapping):
        return fields.body(value, name)
    if value.get("base64_string") is not None:
        return Body(fields.unbase64(value["base64_string"], f"{name}.base64_string"))
    if value.get("encoding") == "base64":
        return Body(fields.unbase64(value.get("string"), f"{name}.string"))
    if "string" in value or not value:
        return fields.body(value.get("string"), f"{name}.string")
    raise FieldError(name, shown(value), "text, binary, or a mapping with string or base64_string")
