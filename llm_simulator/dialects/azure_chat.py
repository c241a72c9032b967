"""Azure OpenAI's chat completions: what differs from OpenAI's in address, headers and errors; the format is its `Wire`.

Source: learn.microsoft.com/azure/ai-services/openai/reference, and recorded traffic for headers and layouts.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from llm_simulator.dialects import conditions, jsonstyle
from llm_simulator.dialects.base import Route
from llm_simulator.dialects.ids import of_refusal, uuid
from llm_simulator.dialects.openai_chat import PATH_END, OpenAIChat, advice, error_object, read_chat
from llm_simulator.dialects.routes_openai import AZURE_CHAT
from llm_simulator.types import Call, Completion, Condition, Headers, RawRequest, Reply

_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
_REQUESTS, _TOKENS = 120, 120_000  # a minute: what recorded headers of a small deployment show
_GATEWAY_STATUSES = frozenset((401, 403, 404, 405, 408, 429))
_CODES = {405: "OperationNotSupported", 408: "Timeout", 500: "InternalServerError", 503: "ServiceUnavailable"}


class AzureChat(OpenAIChat):
    """POST /openai/deployments/{deployment}/chat/completions and /openai/v1/chat/completions."""

    name = "azure_chat"
    provider = "azure"
    api_version = "2024-10-21"
    routes: tuple[Route, ...] = AZURE_CHAT

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        if not raw.path.endswith(PATH_END):
            return None
        return read_chat(raw, provider, deployment(raw.path))

    def success(self, completion: Completion, call: Call) -> Headers:
        kind = "text/event-stream; charset=utf-8" if call.stream else "application/json"
        return (("content-type", kind), *self.headers(completion, call))

    def headers(self, completion: Completion, call: Call) -> Headers:
        """The usual headers of a success, without the content-type."""
        used = completion.usage.total
        named = (("x-ms-deployment-name", header_text(call.model)),) if call.model else ()
        return (
            *identity(completion.id),
            ("azureml-model-session", session(call.model)),
            ("skip-error-remapping", "true"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
            ("x-accel-buffering", "no"),
            *named,
            ("x-ms-is-spilled-over", "false"),
            ("x-ms-rai-invoked", "true"),
            ("x-ratelimit-abusepenalty-active", "False"),
            ("x-ratelimit-limit-requests", str(_REQUESTS)),
            ("x-ratelimit-limit-tokens", str(_TOKENS)),
            ("x-ratelimit-remaining-requests", str(_REQUESTS - 1)),
            ("x-ratelimit-remaining-tokens", str(max(_TOKENS - used, 0))),
            ("x-ratelimit-renewalperiod-requests", "60"),  # seconds; the resets are milliseconds, as recorded
            ("x-ratelimit-renewalperiod-tokens", "60"),
            ("x-ratelimit-reset-requests", str(60_000 // _REQUESTS)),
            ("x-ratelimit-reset-tokens", str(round(60_000 * used / _TOKENS))),
        )

    def refuse(self, condition: Condition, call: Call) -> Reply:
        if exact := conditions.answer(condition, call):
            return exact
        seed = of_refusal(condition, call)
        headers = (("content-type", "application/json"), *identity(seed), *advice(condition), *condition.headers)
        error = error_object(condition)
        if condition.status >= 500 or condition.status in _GATEWAY_STATUSES:
            # The gateway in front knows neither type nor param: they are shown only where the condition has them.
            given = {name: value for name, value in error.items() if value is not None and name != "code"}
            code = condition.code or _CODES.get(condition.status) or str(condition.status)
            return Reply(condition.status, headers, jsonstyle.compact({"error": {"code": code, **given}}))
        return Reply(condition.status, headers, jsonstyle.indented({"error": error}))


def session(model: str) -> str:
    """When and as what the model was put in service: a function of its name."""
    drawn = int(uuid(model, "session").replace("-", "")[:8], 16)
    return f"d2026033017{drawn % 3600 // 60:02}{drawn % 60:02}-{uuid(model, 'instance')[-12:]}"


def deployment(path: str) -> str:
    """The deployment that a path names; "" where it names none."""
    match = _DEPLOYMENT.search(path)
    return unquote(match[1]) if match else ""


def header_text(value: str) -> str:
    """A name as it may stand in a header."""
    return "".join(sign if " " < sign <= "~" else "?" for sign in value)


def identity(seed: str) -> Headers:
    return (
        ("apim-request-id", uuid(seed, "apim")),
        ("x-ms-region", "East US 2"),
        ("x-request-id", uuid(seed, "request")),
        ("x-content-type-options", "nosniff"),
    )


DIALECT = AzureChat()
