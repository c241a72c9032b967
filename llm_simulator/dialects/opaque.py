"""What no dialect knows: recorded and replayed byte for byte, never simulated; only errors are spelled."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from urllib.parse import unquote

from llm_simulator.dialects import conditions
from llm_simulator.dialects.base import Desk, Dialect, Plain
from llm_simulator.dialects.reading import maybe_json, semantic, text_field, wants_stream
from llm_simulator.dialects.resolve import provider_of
from llm_simulator.types import Call, Condition, RawRequest, Reply

_BETA = ("openai-beta", "anthropic-beta")

_OPERATIONS = frozenset(
    """
    agents answers apply assistants audio batchEmbedContents batches cachedContents calls chat check-api-key
    classify client_secrets complete completions connectors containers conversations converse converse-stream
    count_tokens countTokens datasets detokenize edits embed embed-jobs embedContent embeddings evals files fim
    fine-tunes fine_tuning generate generateContent generations images input_tokens interactions invoke
    invoke-with-response-stream messages models moderations ocr predictions realtime rerank responses runs sessions
    speech streamGenerateContent summarize threads tokenize traces transcriptions translations tunedModels uploads
    vector_stores videos
    """.split()  # noqa: SIM905  a list of fifty quoted words would hide them
)


class OpaqueDialect(Plain):
    """The dialect of last resort of one provider; `speaker` is the one that spells that provider's errors."""

    name = "opaque"
    provider = "unknown"
    api_version = ""
    features: frozenset[str] = frozenset()
    simulates: frozenset[str] = frozenset()

    def __init__(self, speaker: Dialect, covered: Callable[[], tuple[str, ...]] = tuple) -> None:
        self._speaker = speaker
        self._covered = covered

    def read(self, raw: RawRequest, provider: str) -> Call:
        body, problem = maybe_json(raw)
        words = unquote(raw.path).replace(":", "/").split("/")
        return Call(
            provider,
            "opaque",
            _operation_in(words),
            raw,
            model=text_field(body, "model") or _model_in(words),
            stream=wants_stream(body) or "stream" in words[-1].lower(),
            body=body,
            problem=problem,
            semantic=semantic(raw.headers, _BETA),
        )

    def check(self, call: Call) -> Condition | None:
        """Always a refusal: nothing here can be simulated. A provider knows its own paths: it says that one does not exist."""
        if call.operation == "unknown" and (provider_of(call.raw.host) or not call.raw.host):
            return _no_such_path(call)
        return self.not_simulated(call)

    def not_simulated(self, call: Call) -> Condition:
        covered = "; ".join(self._covered())
        what = f"{call.raw.method} {call.raw.path} ({call.provider}, {call.operation})"
        message = f"{what} is recorded and replayed, but not simulated. The simulator covers {covered}."
        return Condition("not_simulated", 501, message, code="not_simulated", type="not_simulated", retry=False)

    def respond(self, call: Call, desk: Desk) -> Reply:
        return self.refuse(self.not_simulated(call), call)

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return self._speaker.refuse(condition, call)


def _no_such_path(call: Call) -> Condition:
    """In the provider's words where they are known, else in OpenAI's, whose format most others have."""
    name = _NO_SUCH_PATH.get(call.provider)
    if name:
        return conditions.raised(name)
    message = f"Invalid URL ({call.raw.method} {call.raw.path})"
    return Condition("invalid_url", 404, message, type="invalid_request_error", retry=False)


_NO_SUCH_PATH = {
    "anthropic": "anthropic.not_found",
    "azure": "azure.resource_not_found",
    "cohere": "cohere.doc_404_unknown_path",
    "gemini": "gemini.object_not_found",
    "vertex": "gemini.object_not_found",
    "mistral": "mistral.not_found",
}


def _operation_in(words: list[str]) -> str:
    """The last segment that names an operation; before an id only a plural: `/threads/{id}/runs/{id}`."""
    named = (word for word in reversed(words) if word in _OPERATIONS and (word is words[-1] or word[-1] == "s"))
    return next(named, "unknown")


def _model_in(words: list[str]) -> str:
    """The segment after the one that announces a model: `/model/{id}/invoke`, `/models/{id}:embedContent`."""
    return next((after for word, after in pairwise(words) if word in ("model", "models", "deployments") and after), "")
