"""The requests of Anthropic that are answered, with an example of each (`base.Route`). Source: its API reference."""

from __future__ import annotations

from dataclasses import replace

from llm_simulator.dialects.route_forms import HELLO, below, delete, form, get, post, send
from llm_simulator.types import JSON

_COUNTED: dict[str, JSON] = {"model": "claude-sonnet-4-5", "messages": HELLO}
_CLAUDE: JSON = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": HELLO}
_FILE = {"file_id": "$files.create"}

ANTHROPIC_MESSAGES = (
    post("/v1/messages", "chat", "Message", _CLAUDE, streams=True),
    post("/v1/messages/count_tokens", "count_tokens", "Number of input tokens", _COUNTED),
    get("/v1/models", "models.list", "Models"),
    get("/v1/models/{model_id}", "models.get", "A model", model_id="claude-sonnet-4-5"),
)
ANTHROPIC_BATCHES = (
    post(
        "/v1/messages/batches",
        "batches.create",
        "Batch of messages",
        {"requests": [{"custom_id": "one", "params": _CLAUDE}]},
    ),
    get("/v1/messages/batches", "batches.list", "Batches"),
    *below(
        "/v1/messages/batches/{batch_id}",
        (
            get("", "batches.get", "A batch"),
            post("/cancel", "batches.cancel", "Cancels a batch"),
            get("", "batches.get", "A batch"),  # it ends when it is looked at after its cancellation
            get("/results", "batches.results", "Results"),
            delete("", "batches.delete", "Deletes a batch"),
        ),
        batch_id="$batches.create",
    ),
)
_OTHERS_CONTENT = get(
    "/v1/files/{file_id}/content",
    "files.content",
    "The content of a file, where a tool of the model made it (not where the client uploaded it)",
    **_FILE,
)
ANTHROPIC_FILES = (
    send("/v1/files", "files.create", "Uploads a file", form({}, "file", "one.txt", b"Hello!", "text/plain")),
    get("/v1/files", "files.list", "Files"),
    get("/v1/files/{file_id}", "files.get", "A file", **_FILE),
    replace(_OTHERS_CONTENT, status=400),
    delete("/v1/files/{file_id}", "files.delete", "Deletes a file", **_FILE),
)
ANTHROPIC_COMPLETE = (
    post(
        "/v1/complete",
        "complete",
        "Completion of a prompt (legacy)",
        {"model": "claude-2.1", "prompt": "\n\nHuman: Hello!\n\nAssistant:", "max_tokens_to_sample": 64},
        streams=True,
    ),
)
