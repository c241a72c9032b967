"""Which provider a request is for: its host decides, else its path, else its headers, else it is OpenAI's.

Sources: the providers' API references; the headers that tell clients of colliding paths apart were seen on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from llm_simulator.dialects.entries import third_party_hosts
from llm_simulator.types import Headers, RawRequest, header

UNKNOWN = "unknown"

PROVIDER_HOSTS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "api.openai.com",
        "anthropic": "api.anthropic.com",
        "gemini": "generativelanguage.googleapis.com",
        "vertex": "aiplatform.googleapis.com",
        "cohere": "api.cohere.com",
        "mistral": "api.mistral.ai",
        "groq": "api.groq.com",
        "deepseek": "api.deepseek.com",
        "xai": "api.x.ai",
        "together": "api.together.xyz",
        "fireworks": "api.fireworks.ai",
        "openrouter": "openrouter.ai",
        "perplexity": "api.perplexity.ai",
        "bedrock": "bedrock-runtime.us-east-1.amazonaws.com",
        "cerebras": "api.cerebras.ai",
        "nvidia": "integrate.api.nvidia.com",
        "huggingface": "router.huggingface.co",
        "github": "models.github.ai",
        "voyage": "api.voyageai.com",
        "writer": "api.writer.com",
        "ai21": "api.ai21.com",
        "alephalpha": "api.aleph-alpha.com",
        "replicate": "api.replicate.com",
        "watsonx": "us-south.ml.cloud.ibm.com",
        "moonshot": "api.moonshot.ai",
        "dashscope": "dashscope-intl.aliyuncs.com",
        "ollama": "localhost:11434",
    }
)
"""Where a bare path of a provider is forwarded to. Azure has a host per resource, so none here."""

_HOSTS: Mapping[str, str] = {
    **{host: provider for provider, host in PROVIDER_HOSTS.items()},
    "api.cohere.ai": "cohere",
    "codestral.mistral.ai": "mistral",
    "api.together.ai": "together",
    "models.inference.ai.azure.com": "github",
    "api-inference.huggingface.co": "huggingface",
    "dashscope.aliyuncs.com": "dashscope",
    "api.moonshot.cn": "moonshot",
    "127.0.0.1:11434": "ollama",
    "[::1]:11434": "ollama",
    "ollama.com": "ollama",
}

_SUFFIXES: tuple[tuple[str, str, str], ...] = (  # a prefix, a suffix, the provider of the hosts between
    ("", ".api.openai.com", "openai"),  # data-residency regions
    ("", ".openai.azure.com", "azure"),
    ("", ".openai.azure.us", "azure"),
    ("", ".openai.azure.cn", "azure"),
    ("", ".cognitiveservices.azure.com", "azure"),
    ("", ".services.ai.azure.com", "azure"),
    ("", ".inference.ai.azure.com", "azure"),
    ("", "-aiplatform.googleapis.com", "vertex"),
    ("aiplatform.", ".rep.googleapis.com", "vertex"),
    ("bedrock-runtime", ".amazonaws.com", "bedrock"),
    ("bedrock-mantle.", ".api.aws", "bedrock"),
    ("", ".mistral.ai", "mistral"),
    ("", ".api.x.ai", "xai"),
    ("", ".endpoints.huggingface.cloud", "huggingface"),
    ("", ".ml.cloud.ibm.com", "watsonx"),
)

_PATHS: tuple[tuple[str, str], ...] = (  # the start of a path that only one provider has
    ("/v1/messages", "anthropic"),
    ("/v1/complete", "anthropic"),
    ("/v1/organizations", "anthropic"),
    ("/v1/skills", "anthropic"),
    ("/v1beta", "gemini"),
    ("/v1alpha", "gemini"),
    ("/upload/v1", "gemini"),
    ("/v1/interactions", "gemini"),
    ("/v1/cachedContents", "gemini"),
    ("/v1/projects", "vertex"),
    ("/v1/publishers", "vertex"),
    ("/v1beta1/projects", "vertex"),
    ("/v1beta1/publishers", "vertex"),
    ("/v2/chat", "cohere"),
    ("/v2/embed", "cohere"),
    ("/v2/rerank", "cohere"),
    ("/v1/chat", "cohere"),
    ("/v1/embed", "cohere"),
    ("/v1/embed-jobs", "cohere"),
    ("/v1/rerank", "cohere"),
    ("/v1/tokenize", "cohere"),
    ("/v1/detokenize", "cohere"),
    ("/v1/generate", "cohere"),
    ("/v1/classify", "cohere"),
    ("/v1/summarize", "cohere"),
    ("/v1/datasets", "cohere"),
    ("/v1/connectors", "cohere"),
    ("/openai/deployments", "azure"),
    ("/model", "bedrock"),
    ("/guardrail", "bedrock"),
    ("/api/chat", "ollama"),
    ("/api/generate", "ollama"),
    ("/api/embed", "ollama"),
    ("/api/embeddings", "ollama"),
    ("/api/tags", "ollama"),
    ("/api/show", "ollama"),
    ("/api/ps", "ollama"),
    ("/api/pull", "ollama"),
)

_AGENTS: tuple[tuple[str, str], ...] = (  # part of a user-agent, in lower case
    ("anthropic", "anthropic"),
    ("azureopenai/", "azure"),
    ("openai/", "openai"),
    ("google-genai-sdk/", "gemini"),
    ("cohere/", "cohere"),
    ("mistral-client-", "mistral"),
    ("groq/", "groq"),
    ("together/", "together"),
)


@lru_cache(maxsize=1024)
def provider_of(host: str) -> str:
    """The provider that a host `name[:port]` belongs to; "" for an unknown one."""
    host = host.lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    added = third_party_hosts()
    found = _HOSTS.get(host) or _HOSTS.get(name) or added.get(host) or added.get(name)
    return found or next((provider for start, end, provider in _SUFFIXES if _fits(name, start, end)), "")


def known_hosts() -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """Every known host `name[:port]`, and (start, end) of the names of each family of hosts.

    For whoever must tell a provider's traffic before there is a request; `provider_of` is the rule.
    """
    return frozenset((*_HOSTS, *third_party_hosts())), tuple((start, end) for start, end, _ in _SUFFIXES)


def _fits(name: str, start: str, end: str) -> bool:
    return name.endswith(end) and name.startswith(start)


def resolve(raw: RawRequest) -> str:
    """The provider of a request, "unknown" where neither host nor path nor headers tell."""
    return provider_of(raw.host) or _by_path(raw.path) or _by_headers(raw) or _by_default(raw.path)


@lru_cache(maxsize=1024)
def _by_path(path: str) -> str:
    """The provider that alone has this path: the longest known start of it, by whole segments."""
    fits = [(len(start), provider) for start, provider in _PATHS if path == start or path.startswith(start + "/")]
    if fits and not path.startswith("/v1/chat/"):  # below it are OpenAI's, and misspelled ones
        return max(fits)[1]
    # Gemini's methods stand after a colon, and its v1 has them under /v1/models as well.
    return "gemini" if path.startswith("/v1/") and ":" in path.rpartition("/")[2] else ""


def _by_headers(raw: RawRequest) -> str:
    names = {name.lower() for name, _ in raw.headers}
    if "anthropic-version" in names or "x-api-key" in names:
        return "anthropic"
    if "x-goog-api-key" in names or "x-goog-api-client" in names:
        return "gemini"
    agent = _by_agent(raw.headers)
    if (
        "api-key" in names
        or "api-version=" in raw.query
        or (raw.path.startswith("/openai/") and agent in ("", "openai"))
    ):
        return "azure"
    return agent


def _by_agent(headers: Headers) -> str:
    agent = header(headers, "user-agent").lower()
    return next((provider for part, provider in _AGENTS if part in agent), "") if agent else ""


def _by_default(path: str) -> str:
    return "openai" if path.startswith("/v1/") or path.endswith(("/chat/completions", "/models")) else UNKNOWN
