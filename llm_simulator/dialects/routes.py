"""Where other providers speak OpenAI's format, and the requests that they may have of it."""

from __future__ import annotations

from llm_simulator.dialects.routes_openai import CHAT, COMPLETIONS, EMBEDDINGS, MODELS

COMPATIBLE = {
    "cerebras": "/v1",
    "cohere": "/compatibility/v1",
    "dashscope": "/compatible-mode/v1",
    "deepseek": "/v1",
    "fireworks": "/inference/v1",
    "gemini": "/v1beta/openai",
    "groq": "/openai/v1",
    "huggingface": "/v1",
    "mistral": "/v1",
    "moonshot": "/v1",
    "nvidia": "/v1",
    "ollama": "/v1",
    "openrouter": "/api/v1",
    "perplexity": "",
    "together": "/v1",
    "xai": "/v1",
}
"""The base path of OpenAI's format below the host of a provider."""

COMPATIBLE_ROUTES = (*CHAT, *COMPLETIONS, *EMBEDDINGS, *MODELS)
"""What such a provider may have: those that are not read as simulated calls of its, it has not."""
