"""How far estimated token counts are off, by provider: the median relative error over recorded calls.

Measured with `llm-simulator cassette stats --token-truth` on recordings of 2024 to 2026 (103 calls of Anthropic, 75 of Cohere,
91 of Gemini and Vertex, 23 of Mistral, 20 of Ollama, 14 of Groq, 10 of Together, 3 of DeepSeek).
"""

from __future__ import annotations

_PERCENT: dict[str, tuple[int, int]] = {  # of the prompt, of the answer
    "openai": (15, 5),
    "azure": (1, 1),
    "anthropic": (6, 8),
    "cohere": (3, 10),
    "gemini": (13, 11),
    "vertex": (13, 1),
    "mistral": (27, 17),
    "groq": (11, 6),
    "deepseek": (33, 2),
    "together": (61, 7),
    "ollama": (18, 8),
}
_OTHERS = (30, 15)
"""Of a provider that was not measured: between those that were."""


def expected_error(provider: str) -> str:
    """As the header `x-llm-simulator-usage-error` says it: "prompt 6%, completion 8%"."""
    prompt, completion = _PERCENT.get(provider, _OTHERS)
    return f"prompt {prompt}%, completion {completion}%"
