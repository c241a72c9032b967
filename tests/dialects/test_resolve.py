"""Which provider a request is for: host, else path, else headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.dialects import PROVIDER_HOSTS, provider_of
from llm_simulator.dialects.resolve import resolve
from llm_simulator.types import Headers, RawRequest


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("api.openai.com:443", "openai"),
        ("API.OpenAI.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("my-resource.openai.azure.com", "azure"),
        ("x.cognitiveservices.azure.com", "azure"),
        ("x.services.ai.azure.com", "azure"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("us-central1-aiplatform.googleapis.com", "vertex"),
        ("aiplatform.googleapis.com", "vertex"),
        ("aiplatform.eu.rep.googleapis.com", "vertex"),
        ("api.cohere.com", "cohere"),
        ("api.cohere.ai", "cohere"),
        ("api.mistral.ai", "mistral"),
        ("api.groq.com", "groq"),
        ("api.deepseek.com", "deepseek"),
        ("api.x.ai", "xai"),
        ("api.together.ai", "together"),
        ("api.together.xyz", "together"),
        ("api.fireworks.ai", "fireworks"),
        ("openrouter.ai", "openrouter"),
        ("api.perplexity.ai", "perplexity"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "bedrock"),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", "bedrock"),
        ("localhost:11434", "ollama"),
        ("127.0.0.1:11434", "ollama"),
        ("[::1]:11434", "ollama"),
        ("localhost:8000", ""),
        ("[::1]", ""),
        ("api.openai.com.evil.example", ""),
        ("evilopenai.azure.com", ""),
        ("", ""),
    ],
)
def test_hosts(host: str, provider: str) -> None:
    assert provider_of(host) == provider


def test_a_default_host_leads_back_to_its_provider() -> None:
    assert {host: provider_of(host) for host in PROVIDER_HOSTS.values()} == {
        host: provider for provider, host in PROVIDER_HOSTS.items()
    }


ANTHROPIC = (("anthropic-version", "2023-06-01"),)
GOOG = (("X-Goog-Api-Key", "k"),)


@pytest.mark.parametrize(
    ("path", "headers", "provider"),
    [
        ("/v1/chat/completions", (), "openai"),
        ("/v1/models", (), "openai"),
        ("/v1/models", ANTHROPIC, "anthropic"),
        ("/v1/files", (("x-api-key", "k"),), "anthropic"),
        ("/v1/models", (("User-Agent", "Anthropic/Python 2.12.0"),), "anthropic"),
        ("/v1/models", GOOG, "gemini"),
        ("/v1/batches", (("x-goog-api-client", "c"),), "gemini"),
        ("/v1/models", (("User-Agent", "cohere/7.3.1"),), "cohere"),
        ("/v1/embeddings", (("User-Agent", "mistral-client-python/3.7.0"),), "mistral"),
        ("/v1/chat/completions", (("User-Agent", "mistral-client-python/3.7.0"),), "mistral"),
        ("/openai/v1/chat/completions", (("User-Agent", "Groq/Python 1.0"),), "groq"),
        ("/openai/v1/chat/completions", (("User-Agent", "AsyncOpenAI/Python 3"),), "azure"),
        ("/openai/v1/chat/completions", (), "azure"),
        ("/openai/deployments/d/chat/completions", (), "azure"),
        ("/v1/chat/completions", (("api-key", "k"),), "azure"),
        ("/v1/chat/completions", (("User-Agent", "AzureOpenAI/Python 3"),), "azure"),
        ("/v1/messages", (("User-Agent", "OpenAI/Python 3"),), "anthropic"),
        ("/v1/messages/count_tokens", (), "anthropic"),
        ("/v1beta/models/gemini-2.5-pro:generateContent", (), "gemini"),
        ("/v1/models/gemini-2.5-pro:generateContent", (), "gemini"),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", (), "vertex"),
        ("/v1/projects/p/locations/l/publishers/google/models/m:generateContent", (), "vertex"),
        ("/v2/chat", (), "cohere"),
        ("/v1/chat", (), "cohere"),
        ("/v1/rerank", (), "cohere"),
        ("/model/anthropic.claude/converse", (), "bedrock"),
        ("/api/chat", (), "ollama"),
        ("/beta/chat/completions", (), "openai"),
        ("/api/v1/chat/completions", (), "openai"),
        ("/v1/threads/t/runs", (), "openai"),
        ("/models", (), "openai"),
        ("/", (), "unknown"),
        ("/favicon.ico", (), "unknown"),
    ],
)
@pytest.mark.parametrize("host", ["", "localhost:8000"])
def test_bare_paths(path: str, headers: Headers, provider: str, host: str) -> None:
    assert resolve(RawRequest("POST", path, host, headers=headers)) == provider


def test_the_api_version_is_azures() -> None:
    assert resolve(RawRequest("GET", "/models", query="api-version=2024-10-21")) == "azure"


def test_the_host_beats_path_and_headers() -> None:
    assert resolve(RawRequest("POST", "/v1/messages", "api.groq.com", headers=ANTHROPIC)) == "groq"


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=20))
def test_anything_resolves(path: str, host: str, agent: str) -> None:
    assert resolve(RawRequest("GET", path, host, headers=(("user-agent", agent),)))
