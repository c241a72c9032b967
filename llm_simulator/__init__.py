"""llm-simulator: record LLM provider traffic once, replay it offline, simulate the rest."""

__version__ = "0.1.0"
