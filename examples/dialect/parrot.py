"""A provider that llm-simulator does not know: api.parrot.example, POST /v1/say, whole or as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from llm_simulator import tokens
from llm_simulator.dialects.base import Ask, Desk, Plain, Turn
from llm_simulator.dialects.entries import Entry
from llm_simulator.types import Call, Completion, Condition, Finish, Frame, Headers, RawRequest, Reply, Text, Usage

JSON_TYPE: Headers = (("content-type", "application/json"),)
LINES: Headers = (("content-type", "application/x-ndjson"),)


class Parrot(Plain):
    """`Plain` brings the defaults; what is left is what this provider does its own way."""

    name = "parrot"
    provider = "parrot"
    api_version = "v1"
    features = frozenset(("chat", "streaming"))
    simulates = frozenset(("chat",))
    generates = frozenset(("chat",))  # answered by `ask`, the engine and `write`

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if (raw.method, raw.path) != ("POST", "/v1/say"):
            return None
        try:
            body, problem = json.loads(raw.body), ""
        except ValueError as error:
            body, problem = None, f"the body is not JSON: {error}"
        asked = body if isinstance(body, dict) else {}
        model, stream = str(asked.get("model", "")), asked.get("stream") is True
        return Call(provider, "parrot.say", "chat", raw, model=model, stream=stream, body=body, problem=problem)

    def check(self, call: Call) -> Condition | None:
        if call.problem:
            return Condition("bad_json", 400, call.problem, retry=False)
        if not isinstance(call.body, dict) or not isinstance(call.body.get("text"), str):
            return Condition("no_text", 422, "text: missing, a string is needed", "text", retry=False)
        return None

    def ask(self, call: Call) -> Ask:
        text = call.body["text"]
        return Ask(
            (Turn("user", text),), tokens.count(text, call.model), exact=False, max_tokens=call.body.get("limit")
        )

    def write(self, completion: Completion, call: Call) -> Reply:
        if call.stream:
            return Reply(200, LINES, self._lines(completion))
        usage = {"in": completion.usage.prompt, "out": completion.usage.completion}
        said = {"id": f"say-{completion.id[:12]}", "said": "".join(_pieces(completion)), "tokens": usage}
        return Reply(200, JSON_TYPE, json.dumps(said).encode())

    @staticmethod
    def _lines(completion: Completion) -> Iterator[Frame]:
        token = 0
        for token, piece in enumerate(_pieces(completion)):
            yield Frame(token, json.dumps({"piece": piece}).encode() + b"\n")  # due with its token
        cut = completion.choices[0].finish is Finish.LENGTH
        yield Frame(token, json.dumps({"done": True, "cut": cut}).encode() + b"\n")

    def respond(self, call: Call, desk: Desk) -> Reply:
        return self.refuse(Condition("not_found", 404, f"{call.raw.path} is not there"), call)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        wrong = {"squawk": condition.message, "code": condition.code or condition.name}
        return Reply(condition.status, (*JSON_TYPE, *condition.headers), json.dumps(wrong).encode())

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        """Of a recorded answer: for the summary of a run."""
        counted = json.loads(body).get("tokens") if status == 200 and not call.stream else None
        return Usage(counted["in"], counted["out"]) if counted else None


def _pieces(completion: Completion) -> list[str]:
    return [token for part in completion.choices[0].parts if isinstance(part, Text) for token in part.tokens]


DIALECT = Parrot()
ENTRY = Entry("parrot:DIALECT", {"parrot.say": ("parrot",)}, ("/v1/say",), {"api.parrot.example": "parrot"})
