"""The requests of Cohere that are answered, with an example of each (`base.Route`). Source: docs.cohere.com/reference."""

from __future__ import annotations

from llm_simulator.dialects.route_forms import HELLO, get, post
from llm_simulator.types import JSON

_MODEL: dict[str, JSON] = {"model": "command-a-03-2025"}
_EMBED: dict[str, JSON] = {"model": "embed-v4.0", "input_type": "search_document", "texts": ["Hello!"]}
_RANKED: JSON = {"model": "rerank-v3.5", "query": "a cat", "documents": ["a cat", "tax law"]}

COHERE_CHAT = (
    post("/v2/chat", "chat", "Chat", {**_MODEL, "messages": HELLO}, streams=True),
    get("/v1/models", "models.list", "Models"),
    get("/v1/models/{model}", "models.get", "A model", model="command-a-03-2025"),
)
COHERE_V1 = (post("/v1/chat", "chat", "Chat (v1)", {**_MODEL, "message": "Hello!"}, streams=True),)
COHERE_EMBED = (
    post("/v2/embed", "embed", "Embeddings", {**_EMBED, "embedding_types": ["float"]}),
    post("/v1/embed", "embed", "Embeddings (v1)", _EMBED),
)
COHERE_TOOLS = (
    post("/v2/rerank", "rerank", "Ranks documents", _RANKED),
    post("/v1/rerank", "rerank", "Ranks documents (v1)", _RANKED),
    post("/v1/tokenize", "tokenize", "Tokens of a text", {**_MODEL, "text": "Hello!"}),
    post("/v1/detokenize", "detokenize", "The text of tokens", {**_MODEL, "tokens": [13225, 0]}),
    post("/v1/check-api-key", "check-api-key", "Whether the key is valid"),
)
COHERE_GENERATE = (
    post(
        "/v1/generate",
        "generate",
        "Completion of a prompt (legacy)",
        {"model": "command", "prompt": "Hello!"},
        streams=True,
    ),
)
