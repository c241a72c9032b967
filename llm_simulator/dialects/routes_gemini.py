"""The requests of Gemini and Vertex that are answered, with an example of each (`base.Route`).

Source: ai.google.dev/api and cloud.google.com/vertex-ai/generative-ai/docs/reference/rest.
"""

from __future__ import annotations

from llm_simulator.dialects.base import Route
from llm_simulator.dialects.route_forms import below, delete, get, post
from llm_simulator.types import JSON

_CONTENTS: JSON = [{"role": "user", "parts": [{"text": "Hello!"}]}]
_CONTENT: JSON = {"parts": [{"text": "Hello!"}]}
_MODEL = {"model": "gemini-2.5-flash"}
_EMBEDDER = {"model": "gemini-embedding-001"}
_PUBLISHER = "/projects/{project}/locations/{location}/publishers/google/models"
_PLACE = {"project": "my-project", "location": "us-central1"}

_GENERATE = (
    post("/{model}:generateContent", "chat", "Generates content", {"contents": _CONTENTS}),
    post("/{model}:streamGenerateContent", "chat", "The same as a stream", {"contents": _CONTENTS}),
    post("/{model}:countTokens", "countTokens", "Number of tokens", {"contents": _CONTENTS}),
    post(
        "/{model}:generateContent",
        "chat.cached",
        "Generates content after cached contents",
        {"contents": _CONTENTS, "cachedContent": "cachedContents/example"},
    ),
)
_MODELS = (get("/models", "models.list", "Models"), get("/models/{model}", "models.get", "A model", **_MODEL))
GEMINI_GENERATE = (
    *below("/v1beta/models", _GENERATE, **_MODEL),
    *below("/v1/models", _GENERATE, **_MODEL),
    *below("/v1beta", _MODELS),
    *below("/v1", _MODELS),
)
VERTEX_GENERATE = (
    *below("/v1beta1" + _PUBLISHER, _GENERATE, **_MODEL, **_PLACE),
    *below("/v1" + _PUBLISHER, _GENERATE, **_MODEL, **_PLACE),
    *below("/v1beta1/publishers/google", _MODELS),
)
_ONE = post("/{model}:embedContent", "embedContent", "Embedding", {"content": _CONTENT})
_EMBED = (
    _ONE,
    post(
        "/{model}:batchEmbedContents",
        "batchEmbedContents",
        "Embeddings",
        {"requests": [{"model": "models/gemini-embedding-001", "content": _CONTENT}]},
    ),
)
_PREDICT = (post("/{model}:predict", "predict", "Embeddings", {"instances": [{"content": "Hello!"}]}), _ONE)
GEMINI_EMBED = (*below("/v1beta/models", _EMBED, **_EMBEDDER), *below("/v1/models", _EMBED, **_EMBEDDER))
VERTEX_EMBED = below("/v1" + _PUBLISHER, _PREDICT, **_EMBEDDER, **_PLACE)

_ASKED: dict[str, JSON] = {**_MODEL, "input": "Hello!"}
_INTERACTION = {"interaction_id": "$interactions.create"}
GEMINI_INTERACTIONS = below(
    "/v1beta/interactions",
    (
        post("", "interactions.create", "Interaction", _ASKED, streams=True),
        get("/{interaction_id}", "interactions.get", "An interaction", **_INTERACTION),
        delete("/{interaction_id}", "interactions.delete", "Deletes it", **_INTERACTION),
        post("", "interactions.create", "Interaction in the background", {**_ASKED, "background": True}),
        *below(
            "/{interaction_id}",
            (post("/cancel", "interactions.cancel", "Cancels one that runs in the background"),),
            **_INTERACTION,
        ),
    ),
)
_CACHED: JSON = {"model": "models/gemini-2.5-flash", "contents": _CONTENTS, "ttl": "300s"}
_FILE = {"file": "example"}
_CACHE = {"cache": "$cachedContents.create"}
_UPLOADED: JSON = {"file": {"name": "files/example", "displayName": "An example"}}
GEMINI_STORED = (
    post("/upload/v1beta/files", "files.upload", "Begins the upload of a file", _UPLOADED),
    get("/v1beta/files", "files.list", "Files"),
    get("/v1beta/files/{file}", "files.get", "A file", **_FILE),
    delete("/v1beta/files/{file}", "files.delete", "Deletes a file", **_FILE),
    post("/v1beta/cachedContents", "cachedContents.create", "Caches contents", _CACHED),
    get("/v1beta/cachedContents", "cachedContents.list", "Cached contents"),
    *below(
        "/v1beta/cachedContents/{cache}",
        (
            get("", "cachedContents.get", "Cached contents by name"),
            Route("PATCH", "", "cachedContents.update", "Keeps them for longer", {"ttl": "600s"}),
            delete("", "cachedContents.delete", "Deletes them"),
        ),
        **_CACHE,
    ),
)
_INLINE: JSON = {"requests": {"requests": [{"request": {"contents": _CONTENTS}, "metadata": {"key": "one"}}]}}
_BATCH = {"batch": "$batches.create"}
GEMINI_BATCHES = below(
    "/v1beta",
    (
        *below(
            "/models/{model}:batchGenerateContent",
            (post("", "batches.create", "Batch of requests", {"batch": {"displayName": "a", "inputConfig": _INLINE}}),),
            **_MODEL,
        ),
        get("/batches", "batches.list", "Batches"),
        get("/batches/{batch}", "batches.get", "A batch", **_BATCH),
        *below("/batches/{batch}", (post(":cancel", "batches.cancel", "Cancels a batch"),), **_BATCH),
        delete("/batches/{batch}", "batches.delete", "Deletes a batch", **_BATCH),
    ),
)
