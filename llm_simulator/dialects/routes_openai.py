"""The requests of OpenAI and Azure that are answered, with an example of each (`base.Route`).

Source: OpenAI's and Azure's API references; which paths their SDKs really send is in docs/compatibility.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from llm_simulator.dialects.base import Route
from llm_simulator.dialects.route_forms import HELLO, below, delete, form, get, post, send
from llm_simulator.types import JSON

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
_ASKED: dict[str, JSON] = {"model": "gpt-4o-mini", "input": "Hello!"}

CHAT = (
    post("/chat/completions", "chat", "Chat completion", {"model": "gpt-4o-mini", "messages": HELLO}, streams=True),
)
COMPLETIONS = (
    post(
        "/completions",
        "completions.create",
        "Completion of a prompt (legacy)",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon a time"},
        streams=True,
    ),
)
EMBEDDINGS = (
    post("/embeddings", "embeddings.create", "Embeddings", {"model": "text-embedding-3-small", "input": ["Hello!"]}),
)
MODELS = (get("/models", "models.list", "Models"), get("/models/{model}", "models.get", "A model", model="gpt-4o-mini"))
_STORED = {"response_id": "$responses.create"}
_RESPONSES = (
    post("/responses", "responses.create", "Response", _ASKED, streams=True),
    get("/responses/{response_id}", "responses.retrieve", "A stored response", **_STORED),
    get("/responses/{response_id}/input_items", "responses.input_items", "What a stored response was asked", **_STORED),
    post("/responses/input_tokens", "responses.input_tokens", "Number of input tokens", _ASKED),
    post("/responses/compact", "responses.compact", "Compacts a conversation", _ASKED),
    delete("/responses/{response_id}", "responses.delete", "Forgets a stored response", **_STORED),
    post("/responses", "responses.create", "Response in the background", {**_ASKED, "background": True}),
    *below(
        "/responses/{response_id}",
        (post("/cancel", "responses.cancel", "Cancels a response that runs in the background"),),
        **_STORED,
    ),
)
_TOPIC: JSON = {"metadata": {"topic": "demo"}, "items": HELLO}
_MORE: JSON = {"items": [{"id": "msg_1", "role": "user", "content": "How are you?"}]}
_ITEM = {"item_id": "msg_1"}
_CONVERSATIONS = (
    post("/conversations", "conversations.create", "Conversation", _TOPIC),
    *below(
        "/conversations/{conversation_id}",
        (
            get("", "conversations.retrieve", "A conversation"),
            post("", "conversations.update", "Changes a conversation's metadata", {"metadata": {"topic": "other"}}),
            post("/items", "conversations.items.create", "Adds items to a conversation", _MORE),
            get("/items", "conversations.items.list", "The items of a conversation"),
            get("/items/{item_id}", "conversations.items.retrieve", "An item of a conversation", **_ITEM),
            delete("/items/{item_id}", "conversations.items.delete", "Takes an item out of a conversation", **_ITEM),
            delete("", "conversations.delete", "Forgets a conversation"),
        ),
        conversation_id="$conversations.create",
    ),
)
_UPLOAD = send(
    "/files",
    "files.create",
    "Uploads a file",
    form({"purpose": "batch"}, "file", "batch.jsonl", _LINE, "application/jsonl"),
)
_FILE = {"file_id": "$files.create"}
_BATCH = {"batch_id": "$batches.create"}
_BATCHED: JSON = {"input_file_id": "$files.create", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
_BOAT: JSON = {"model": "dall-e-2", "prompt": "a boat", "size": "256x256", "response_format": "b64_json"}
_EDIT = form({"model": "gpt-image-1", "prompt": "a boat"}, "image", "one.png", _PNG, "image/png")
_VARIATION = form({"response_format": "b64_json"}, "image", "one.png", _PNG, "image/png")
_SPEECH: JSON = {"model": "gpt-4o-mini-tts", "input": "Hello!", "voice": "alloy"}
_RECORDING = form({"model": "whisper-1"}, "file", "one.wav", _WAV, "audio/wav")


def _azure(routes: Iterable[Route], base: str = "/openai/deployments/{deployment}") -> tuple[Route, ...]:
    """Azure's two spellings: by deployment (or plain), and `/openai/v1`."""
    routes = tuple(routes)
    named = {"deployment": "gpt-4o-mini"} if "{deployment}" in base else {}
    return (*below(base, routes, **named), *below("/openai/v1", routes))


OPENAI_CHAT = below("/v1", CHAT)
OPENAI_COMPLETIONS = below("/v1", COMPLETIONS)
OPENAI_CONVERSATIONS = below("/v1", _CONVERSATIONS)
OPENAI_RESPONSES = below("/v1", _RESPONSES)
OPENAI_EMBEDDINGS = below("/v1", EMBEDDINGS)
OPENAI_MODELS = below("/v1", MODELS)
AZURE_CHAT = _azure(CHAT)
AZURE_COMPLETIONS = _azure(COMPLETIONS)
AZURE_CONVERSATIONS = below("/openai/v1", _CONVERSATIONS)
AZURE_RESPONSES = _azure(_RESPONSES, "/openai")
OPENAI_MODERATIONS = (post("/v1/moderations", "moderations.create", "Moderation", {"input": "Hello!"}),)
OPENAI_FILES = below(
    "/v1",
    (
        _UPLOAD,
        get("/files", "files.list", "Files"),
        get("/files/{file_id}", "files.retrieve", "A file", **_FILE),
        get("/files/{file_id}/content", "files.content", "The content of a file", **_FILE),
        delete("/files/{file_id}", "files.delete", "Deletes a file", **_FILE),
    ),
)
OPENAI_BATCHES = below(
    "/v1",
    (
        _UPLOAD,
        post("/batches", "batches.create", "Batch of requests", _BATCHED),
        get("/batches", "batches.list", "Batches"),
        get("/batches/{batch_id}", "batches.retrieve", "A batch", **_BATCH),
        *below("/batches/{batch_id}", (post("/cancel", "batches.cancel", "Cancels a batch"),), **_BATCH),
    ),
)
OPENAI_IMAGES = below(
    "/v1/images",
    (
        post("/generations", "images.generations", "Images from a prompt", _BOAT),
        send("/edits", "images.edits", "Edits an image", _EDIT),
        send("/variations", "images.variations", "Variations of an image", _VARIATION),
    ),
)
OPENAI_AUDIO = below(
    "/v1/audio",
    (
        post("/speech", "audio.speech", "Speech from text", _SPEECH),
        send("/transcriptions", "audio.transcriptions", "Text of a recording", _RECORDING),
        send("/translations", "audio.translations", "English text of a recording", _RECORDING),
    ),
)
OPENAI_REALTIME = (
    post(
        "/v1/realtime/client_secrets",
        "realtime.client_secrets",
        "A short-lived key for the realtime WebSocket, GET /v1/realtime",
        {"session": {"type": "realtime", "model": "gpt-realtime"}},
    ),
)
