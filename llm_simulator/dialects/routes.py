"""The requests that the shipped dialects answer, with an example of each (`base.Route`).

Source: the providers' API references; which paths their SDKs really send is in docs/compatibility.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from llm_simulator.dialects.base import Route
from llm_simulator.types import JSON

BOUNDARY = "llm-simulator-example"
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
"""Where other providers speak OpenAI's format, below their hosts."""
_FORM = f"multipart/form-data; boundary={BOUNDARY}"
_WAV = (
    b"RIFF\x64\x06\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    b"data\x40\x06\x00\x00" + b"\x80" * 1600
)
"""A fifth of a second of silence."""
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8ffffff7f0009fb03fd2a86e38a0000000049454e44ae426082"
)
_LINE = (
    b'{"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": '
    b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}}\n'
)
_HELLO: JSON = [{"role": "user", "content": "Hello!"}]
_CONTENTS: JSON = [{"role": "user", "parts": [{"text": "Hello!"}]}]


def form(fields: dict[str, str], name: str, file: str, content: bytes, media: str) -> bytes:
    """A multipart body with some fields and one file (RFC 7578)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {media}\r\n\r\n'
    parts.append(f"--{BOUNDARY}\r\n{head}".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode())
    return b"".join(parts)


def _below(base: str, routes: Iterable[Route], **values: str) -> tuple[Route, ...]:
    """The same below another base path."""
    return tuple(replace(route, path=base + route.path, values={**route.values, **values}) for route in routes)


_CHAT = (
    Route(
        "POST",
        "/chat/completions",
        "chat",
        "Chat completion",
        {"model": "gpt-4o-mini", "messages": _HELLO},
        streams=True,
    ),
)
_COMPLETIONS = (
    Route(
        "POST",
        "/completions",
        "completions.create",
        "Completion of a prompt (legacy)",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon a time"},
        streams=True,
    ),
)
_RESPONSE = {"response_id": "$responses.create"}
_RESPONSES = (
    Route(
        "POST",
        "/responses",
        "responses.create",
        "Response",
        {"model": "gpt-4o-mini", "input": "Hello!"},
        streams=True,
    ),
    Route("GET", "/responses/{response_id}", "responses.retrieve", "A stored response", values=_RESPONSE),
    Route(
        "GET",
        "/responses/{response_id}/input_items",
        "responses.input_items",
        "What a stored response was asked",
        values=_RESPONSE,
    ),
    Route(
        "POST",
        "/responses/input_tokens",
        "responses.input_tokens",
        "Number of input tokens",
        {"model": "gpt-4o-mini", "input": "Hello!"},
    ),
    Route(
        "POST",
        "/responses/compact",
        "responses.compact",
        "Compacts a conversation",
        {"model": "gpt-4o-mini", "input": "Hello!"},
    ),
    Route("DELETE", "/responses/{response_id}", "responses.delete", "Forgets a stored response", values=_RESPONSE),
)
_CANCEL = (
    Route(
        "POST",
        "/responses",
        "responses.create",
        "Response in the background",
        {"model": "gpt-4o-mini", "input": "Hello!", "background": True},
    ),
    Route(
        "POST",
        "/responses/{response_id}/cancel",
        "responses.cancel",
        "Cancels a response that runs in the background",
        values=_RESPONSE,
    ),
)
_EMBEDDINGS = (
    Route(
        "POST",
        "/embeddings",
        "embeddings.create",
        "Embeddings",
        {"model": "text-embedding-3-small", "input": ["Hello!"]},
    ),
)
_MODELS = (
    Route("GET", "/models", "models.list", "Models"),
    Route("GET", "/models/{model}", "models.get", "A model", values={"model": "gpt-4o-mini"}),
)
_MODERATIONS = (Route("POST", "/moderations", "moderations.create", "Moderation", {"input": "Hello!"}),)
_FILE = {"file_id": "$files.create"}
_FILES = (
    Route(
        "POST",
        "/files",
        "files.create",
        "Uploads a file",
        form({"purpose": "batch"}, "file", "batch.jsonl", _LINE, "application/jsonl"),
        media=_FORM,
    ),
    Route("GET", "/files", "files.list", "Files"),
    Route("GET", "/files/{file_id}", "files.retrieve", "A file", values=_FILE),
    Route("GET", "/files/{file_id}/content", "files.content", "The content of a file", values=_FILE),
    Route("DELETE", "/files/{file_id}", "files.delete", "Deletes a file", values=_FILE),
)
_BATCH = {"batch_id": "$batches.create"}
_BATCHES = (
    Route(
        "POST",
        "/files",
        "files.create",
        "Uploads a file",
        form({"purpose": "batch"}, "file", "batch.jsonl", _LINE, "application/jsonl"),
        media=_FORM,
    ),
    Route(
        "POST",
        "/batches",
        "batches.create",
        "Batch of requests",
        {"input_file_id": "$files.create", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
    ),
    Route("GET", "/batches", "batches.list", "Batches"),
    Route("GET", "/batches/{batch_id}", "batches.retrieve", "A batch", values=_BATCH),
    Route("POST", "/batches/{batch_id}/cancel", "batches.cancel", "Cancels a batch", values=_BATCH),
)
_IMAGES = (
    Route(
        "POST",
        "/images/generations",
        "images.generations",
        "Images from a prompt",
        {"model": "dall-e-2", "prompt": "a boat", "size": "256x256", "response_format": "b64_json"},
    ),
    Route(
        "POST",
        "/images/edits",
        "images.edits",
        "Edits an image",
        form({"model": "gpt-image-1", "prompt": "a boat"}, "image", "one.png", _PNG, "image/png"),
        media=_FORM,
    ),
    Route(
        "POST",
        "/images/variations",
        "images.variations",
        "Variations of an image",
        form({"response_format": "b64_json"}, "image", "one.png", _PNG, "image/png"),
        media=_FORM,
    ),
)
_AUDIO = (
    Route(
        "POST",
        "/audio/speech",
        "audio.speech",
        "Speech from text",
        {"model": "gpt-4o-mini-tts", "input": "Hello!", "voice": "alloy"},
    ),
    Route(
        "POST",
        "/audio/transcriptions",
        "audio.transcriptions",
        "Text of a recording",
        form({"model": "whisper-1"}, "file", "one.wav", _WAV, "audio/wav"),
        media=_FORM,
    ),
    Route(
        "POST",
        "/audio/translations",
        "audio.translations",
        "English text of a recording",
        form({"model": "whisper-1"}, "file", "one.wav", _WAV, "audio/wav"),
        media=_FORM,
    ),
)

_DEPLOYMENT = "/openai/deployments/{deployment}"


def _azure(routes: Iterable[Route], *, deployed: bool = True) -> tuple[Route, ...]:
    """Azure's two spellings: by deployment, and `/openai/v1`."""
    routes = tuple(routes)
    by_name = _below(_DEPLOYMENT, routes, deployment="gpt-4o-mini") if deployed else _below("/openai", routes)
    return (*by_name, *_below("/openai/v1", routes))


COMPATIBLE_ROUTES = (*_CHAT, *_COMPLETIONS, *_EMBEDDINGS, *_MODELS)
"""What such a provider may have: those that are not read as simulated calls of its, it has not."""

OPENAI_CHAT = _below("/v1", _CHAT)
AZURE_CHAT = _azure(_CHAT)
OPENAI_COMPLETIONS = _below("/v1", _COMPLETIONS)
AZURE_COMPLETIONS = _azure(_COMPLETIONS)
_TALK = {"conversation_id": "$conversations.create"}
_CONVERSATIONS = (
    Route(
        "POST",
        "/conversations",
        "conversations.create",
        "Conversation",
        {"metadata": {"topic": "demo"}, "items": [{"role": "user", "content": "Hello!"}]},
    ),
    Route("GET", "/conversations/{conversation_id}", "conversations.retrieve", "A conversation", values=_TALK),
    Route(
        "POST",
        "/conversations/{conversation_id}",
        "conversations.update",
        "Changes a conversation's metadata",
        {"metadata": {"topic": "other"}},
        values=_TALK,
    ),
    Route(
        "POST",
        "/conversations/{conversation_id}/items",
        "conversations.items.create",
        "Adds items to a conversation",
        {"items": [{"id": "msg_1", "role": "user", "content": "How are you?"}]},
        values=_TALK,
    ),
    Route(
        "GET",
        "/conversations/{conversation_id}/items",
        "conversations.items.list",
        "The items of a conversation",
        values=_TALK,
    ),
    Route(
        "GET",
        "/conversations/{conversation_id}/items/{item_id}",
        "conversations.items.retrieve",
        "An item of a conversation",
        values={**_TALK, "item_id": "msg_1"},
    ),
    Route(
        "DELETE",
        "/conversations/{conversation_id}/items/{item_id}",
        "conversations.items.delete",
        "Takes an item out of a conversation",
        values={**_TALK, "item_id": "msg_1"},
    ),
    Route(
        "DELETE",
        "/conversations/{conversation_id}",
        "conversations.delete",
        "Forgets a conversation",
        values=_TALK,
    ),
)
OPENAI_CONVERSATIONS = _below("/v1", _CONVERSATIONS)
AZURE_CONVERSATIONS = _below("/openai/v1", _CONVERSATIONS)
OPENAI_RESPONSES = _below("/v1", (*_RESPONSES, *_CANCEL))
AZURE_RESPONSES = _azure((*_RESPONSES, *_CANCEL), deployed=False)
OPENAI_EMBEDDINGS = _below("/v1", _EMBEDDINGS)
OPENAI_MODELS = _below("/v1", _MODELS)
OPENAI_MODERATIONS = _below("/v1", _MODERATIONS)
OPENAI_FILES = _below("/v1", _FILES)
OPENAI_BATCHES = _below("/v1", _BATCHES)
OPENAI_IMAGES = _below("/v1", _IMAGES)
OPENAI_AUDIO = _below("/v1", _AUDIO)
OPENAI_REALTIME = (
    Route(
        "POST",
        "/v1/realtime/client_secrets",
        "realtime.client_secrets",
        "A short-lived key for the realtime WebSocket, GET /v1/realtime",
        {"session": {"type": "realtime", "model": "gpt-realtime"}},
    ),
)

_CLAUDE: JSON = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": _HELLO}
ANTHROPIC_MESSAGES = (
    Route("POST", "/v1/messages", "chat", "Message", _CLAUDE, streams=True),
    Route(
        "POST",
        "/v1/messages/count_tokens",
        "count_tokens",
        "Number of input tokens",
        {"model": "claude-sonnet-4-5", "messages": _HELLO},
    ),
    Route("GET", "/v1/models", "models.list", "Models"),
    Route("GET", "/v1/models/{model_id}", "models.get", "A model", values={"model_id": "claude-sonnet-4-5"}),
)
_MESSAGE_BATCH = {"batch_id": "$batches.create"}
ANTHROPIC_BATCHES = (
    Route(
        "POST",
        "/v1/messages/batches",
        "batches.create",
        "Batch of messages",
        {"requests": [{"custom_id": "one", "params": _CLAUDE}]},
    ),
    Route("GET", "/v1/messages/batches", "batches.list", "Batches"),
    Route("GET", "/v1/messages/batches/{batch_id}", "batches.get", "A batch", values=_MESSAGE_BATCH),
    Route("POST", "/v1/messages/batches/{batch_id}/cancel", "batches.cancel", "Cancels a batch", values=_MESSAGE_BATCH),
    Route("GET", "/v1/messages/batches/{batch_id}", "batches.get", "A batch", values=_MESSAGE_BATCH),
    Route("GET", "/v1/messages/batches/{batch_id}/results", "batches.results", "Results", values=_MESSAGE_BATCH),
    Route("DELETE", "/v1/messages/batches/{batch_id}", "batches.delete", "Deletes a batch", values=_MESSAGE_BATCH),
)
ANTHROPIC_FILES = (
    Route(
        "POST",
        "/v1/files",
        "files.create",
        "Uploads a file",
        form({}, "file", "one.txt", b"Hello!", "text/plain"),
        media=_FORM,
    ),
    Route("GET", "/v1/files", "files.list", "Files"),
    Route("GET", "/v1/files/{file_id}", "files.get", "A file", values=_FILE),
    Route(
        "GET",
        "/v1/files/{file_id}/content",
        "files.content",
        "The content of a file, where a tool of the model made it (not where the client uploaded it)",
        values=_FILE,
        status=400,
    ),
    Route("DELETE", "/v1/files/{file_id}", "files.delete", "Deletes a file", values=_FILE),
)

_GENERATE = (
    Route("POST", "/{model}:generateContent", "chat", "Generates content", {"contents": _CONTENTS}),
    Route("POST", "/{model}:streamGenerateContent", "chat", "The same as a stream", {"contents": _CONTENTS}),
    Route("POST", "/{model}:countTokens", "countTokens", "Number of tokens", {"contents": _CONTENTS}),
    Route(
        "POST",
        "/{model}:generateContent",
        "chat.cached",
        "Generates content after cached contents",
        {"contents": _CONTENTS, "cachedContent": "cachedContents/example"},
    ),
)
_PUBLISHER = "/projects/{project}/locations/{location}/publishers/google/models"
_PLACE = {"project": "my-project", "location": "us-central1"}
_GEMINI_MODELS = (
    Route("GET", "/models", "models.list", "Models"),
    Route("GET", "/models/{model}", "models.get", "A model", values={"model": "gemini-2.5-flash"}),
)
GEMINI_GENERATE = (
    *_below("/v1beta/models", _GENERATE, model="gemini-2.5-flash"),
    *_below("/v1/models", _GENERATE, model="gemini-2.5-flash"),
    *_below("/v1beta", _GEMINI_MODELS),
    *_below("/v1", _GEMINI_MODELS),
)
VERTEX_GENERATE = (
    *_below("/v1beta1" + _PUBLISHER, _GENERATE, model="gemini-2.5-flash", **_PLACE),
    *_below("/v1" + _PUBLISHER, _GENERATE, model="gemini-2.5-flash", **_PLACE),
    Route("GET", "/v1beta1/publishers/google/models", "models.list", "Models"),
    Route(
        "GET",
        "/v1beta1/publishers/google/models/{model}",
        "models.get",
        "A model",
        values={"model": "gemini-2.5-flash"},
    ),
)
_CONTENT: JSON = {"parts": [{"text": "Hello!"}]}
_EMBED = (
    Route("POST", "/{model}:embedContent", "embedContent", "Embedding", {"content": _CONTENT}),
    Route(
        "POST",
        "/{model}:batchEmbedContents",
        "batchEmbedContents",
        "Embeddings",
        {"requests": [{"model": "models/gemini-embedding-001", "content": _CONTENT}]},
    ),
)
_PREDICT = (
    Route("POST", "/{model}:predict", "predict", "Embeddings", {"instances": [{"content": "Hello!"}]}),
    Route("POST", "/{model}:embedContent", "embedContent", "Embedding", {"content": _CONTENT}),
)
GEMINI_EMBED = (
    *_below("/v1beta/models", _EMBED, model="gemini-embedding-001"),
    *_below("/v1/models", _EMBED, model="gemini-embedding-001"),
)
VERTEX_EMBED = _below("/v1" + _PUBLISHER, _PREDICT, model="gemini-embedding-001", **_PLACE)

COHERE_CHAT = (
    Route("POST", "/v2/chat", "chat", "Chat", {"model": "command-a-03-2025", "messages": _HELLO}, streams=True),
    Route("GET", "/v1/models", "models.list", "Models"),
    Route("GET", "/v1/models/{model}", "models.get", "A model", values={"model": "command-a-03-2025"}),
)
COHERE_V1 = (
    Route(
        "POST",
        "/v1/chat",
        "chat",
        "Chat (v1)",
        {"model": "command-a-03-2025", "message": "Hello!"},
        streams=True,
    ),
)
_EMBED_TEXTS: JSON = {"model": "embed-v4.0", "input_type": "search_document", "texts": ["Hello!"]}
COHERE_EMBED = (
    Route("POST", "/v2/embed", "embed", "Embeddings", {**_EMBED_TEXTS, "embedding_types": ["float"]}),
    Route("POST", "/v1/embed", "embed", "Embeddings (v1)", _EMBED_TEXTS),
)
_RANKED: JSON = {"model": "rerank-v3.5", "query": "a cat", "documents": ["a cat", "tax law"]}
COHERE_TOOLS = (
    Route("POST", "/v2/rerank", "rerank", "Ranks documents", _RANKED),
    Route("POST", "/v1/rerank", "rerank", "Ranks documents (v1)", _RANKED),
    Route("POST", "/v1/tokenize", "tokenize", "Tokens of a text", {"model": "command-a-03-2025", "text": "Hello!"}),
    Route(
        "POST",
        "/v1/detokenize",
        "detokenize",
        "The text of tokens",
        {"model": "command-a-03-2025", "tokens": [13225, 0]},
    ),
    Route("POST", "/v1/check-api-key", "check-api-key", "Whether the key is valid"),
)
_INTERACTION = {"interaction_id": "$interactions.create"}
GEMINI_INTERACTIONS = _below(
    "/v1beta",
    (
        Route(
            "POST",
            "/interactions",
            "interactions.create",
            "Interaction",
            {"model": "gemini-2.5-flash", "input": "Hello!"},
            streams=True,
        ),
        Route("GET", "/interactions/{interaction_id}", "interactions.get", "An interaction", values=_INTERACTION),
        Route("DELETE", "/interactions/{interaction_id}", "interactions.delete", "Deletes it", values=_INTERACTION),
        Route(
            "POST",
            "/interactions",
            "interactions.create",
            "Interaction in the background",
            {"model": "gemini-2.5-flash", "input": "Hello!", "background": True},
        ),
        Route(
            "POST",
            "/interactions/{interaction_id}/cancel",
            "interactions.cancel",
            "Cancels one that runs in the background",
            values=_INTERACTION,
        ),
    ),
)
_CACHED: JSON = {"model": "models/gemini-2.5-flash", "contents": _CONTENTS, "ttl": "300s"}
_NAMED_FILE = {"file": "example"}
_CACHE = {"cache": "$cachedContents.create"}
_NAMED_BATCH = {"batch": "$batches.create"}
GEMINI_STORED = (
    Route(
        "POST",
        "/upload/v1beta/files",
        "files.upload",
        "Begins the upload of a file",
        {"file": {"name": "files/example", "displayName": "An example"}},
    ),
    Route("GET", "/v1beta/files", "files.list", "Files"),
    Route("GET", "/v1beta/files/{file}", "files.get", "A file", values=_NAMED_FILE),
    Route("DELETE", "/v1beta/files/{file}", "files.delete", "Deletes a file", values=_NAMED_FILE),
    Route("POST", "/v1beta/cachedContents", "cachedContents.create", "Caches contents", _CACHED),
    Route("GET", "/v1beta/cachedContents", "cachedContents.list", "Cached contents"),
    Route("GET", "/v1beta/cachedContents/{cache}", "cachedContents.get", "Cached contents by name", values=_CACHE),
    Route(
        "PATCH",
        "/v1beta/cachedContents/{cache}",
        "cachedContents.update",
        "Keeps them for longer",
        {"ttl": "600s"},
        values=_CACHE,
    ),
    Route("DELETE", "/v1beta/cachedContents/{cache}", "cachedContents.delete", "Deletes them", values=_CACHE),
)
_INLINE: JSON = {"requests": {"requests": [{"request": {"contents": _CONTENTS}, "metadata": {"key": "one"}}]}}
GEMINI_BATCHES = (
    Route(
        "POST",
        "/v1beta/models/{model}:batchGenerateContent",
        "batches.create",
        "Batch of requests",
        {"batch": {"displayName": "a", "inputConfig": _INLINE}},
        values={"model": "gemini-2.5-flash"},
    ),
    Route("GET", "/v1beta/batches", "batches.list", "Batches"),
    Route("GET", "/v1beta/batches/{batch}", "batches.get", "A batch", values=_NAMED_BATCH),
    Route("POST", "/v1beta/batches/{batch}:cancel", "batches.cancel", "Cancels a batch", values=_NAMED_BATCH),
    Route("DELETE", "/v1beta/batches/{batch}", "batches.delete", "Deletes a batch", values=_NAMED_BATCH),
)
ANTHROPIC_COMPLETE = (
    Route(
        "POST",
        "/v1/complete",
        "complete",
        "Completion of a prompt (legacy)",
        {"model": "claude-2.1", "prompt": "\n\nHuman: Hello!\n\nAssistant:", "max_tokens_to_sample": 64},
        streams=True,
    ),
)
COHERE_GENERATE = (
    Route(
        "POST",
        "/v1/generate",
        "generate",
        "Completion of a prompt (legacy)",
        {"model": "command", "prompt": "Hello!"},
        streams=True,
    ),
)
