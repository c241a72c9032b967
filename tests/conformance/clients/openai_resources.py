"""The official OpenAI SDK on what is not text generation: embeddings, models, moderations, files, batches, pictures, sound."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import cases
import openai
from cases import case, raised, raised_like, several, valid
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

at = cases.hosts()
OPENAI = OpenAI(api_key="sk-none", base_url=f"{at('api.openai.com')}/v1", max_retries=0)
AZURE = AzureOpenAI(
    azure_endpoint=at("conformance.openai.azure.com"), api_key="0" * 32, api_version="2024-10-21", max_retries=0
)
AZURE_V1 = OpenAI(api_key="0" * 32, base_url=f"{at('conformance.openai.azure.com')}/openai/v1/", max_retries=0)
COMPAT = OpenAI(
    api_key="AIza-none", base_url=f"{at('generativelanguage.googleapis.com')}/v1beta/openai/", max_retries=0
)


def unit(vector: Any) -> None:
    assert abs(math.sqrt(sum(value * value for value in vector)) - 1) < 1e-3


def product(one: Any, other: Any) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@case("openai.embeddings", "base64 (the SDK's own choice)", OPENAI, "text-embedding-3-small", 1536)
@case("azure.embeddings", "base64 (the SDK's own choice)", AZURE, "text-embedding-3-small", 1536)
@case("azure.v1.embeddings", "base64 (the SDK's own choice)", AZURE_V1, "text-embedding-3-large", 3072)
@case("gemini.openai_compat.embeddings", "base64 (the SDK's own choice)", COMPAT, "gemini-embedding-001", 3072)
def embeddings(client: OpenAI, model: str, dimensions: int) -> None:
    answer = client.embeddings.create(model=model, input=["a grey cat sleeps", "a grey cat slept", "stock prices"])
    assert [item.index for item in answer.data] == [0, 1, 2]
    vectors = [item.embedding for item in answer.data]
    assert {len(vector) for vector in vectors} == {dimensions}
    for vector in vectors:
        unit(vector)
    assert product(vectors[0], vectors[1]) > product(vectors[0], vectors[2])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


@case("openai.embeddings", "float and dimensions", OPENAI, "text-embedding-3-small")
@case("azure.embeddings", "float and dimensions", AZURE, "text-embedding-3-small")
def embeddings_float(client: OpenAI, model: str) -> None:
    answer = valid(client.embeddings.create(model=model, input="cat", encoding_format="float", dimensions=256))
    assert len(answer.data[0].embedding) == 256
    unit(answer.data[0].embedding)
    packed = client.embeddings.create(model=model, input="cat", encoding_format="base64", dimensions=256)
    text: Any = packed.data[0].embedding
    unpacked = struct.unpack("<256f", base64.b64decode(text)) if isinstance(text, str) else text
    assert all(abs(one - other) < 1e-5 for one, other in zip(unpacked, answer.data[0].embedding, strict=True))


@case("openai.embeddings", "asynchronous")
async def embeddings_asynchronous() -> None:
    async with AsyncOpenAI(api_key="sk-none", base_url=OPENAI.base_url, max_retries=0) as client:
        answer = await client.embeddings.create(model="text-embedding-ada-002", input="cat")
        assert len(answer.data[0].embedding) == 1536


@case("openai.embeddings", "error: broken structure", OPENAI)
def embeddings_broken(client: OpenAI) -> None:
    wrong: Any = {"not": "text"}
    error = raised(
        openai.BadRequestError, lambda: client.embeddings.create(model="text-embedding-3-small", input=wrong)
    )
    assert error.request_id
    assert "input" in error.message


@case("openai.models.list", "whole", OPENAI, "gpt-4o-mini")
@case("azure.models", "whole", AZURE, "")
@case("azure.v1.models", "whole", AZURE_V1, "")
@case("gemini.openai_compat.models", "whole", COMPAT, "gemini-2.5-flash")
def models(client: OpenAI, named: str) -> None:
    found = [model.id for model in client.models.list()]
    assert found
    assert not named or any(name.endswith(named) for name in found)


@case("openai.models.retrieve", "whole", OPENAI)
def model(client: OpenAI) -> None:
    assert valid(client.models.retrieve("gpt-4o-mini")).id == "gpt-4o-mini"


@case("openai.models.retrieve", "error: unknown model", OPENAI)
def model_unknown(client: OpenAI) -> None:
    error = raised(openai.NotFoundError, lambda: client.models.retrieve("no-such-model"))
    assert error.code == "model_not_found"
    assert error.request_id


@case("openai.models.delete", "whole", OPENAI)
def model_deleted(client: OpenAI) -> None:
    assert client.models.delete("ft:gpt-4o-mini:ours::abc").deleted


@case("openai.moderations", "whole", OPENAI)
def moderations(client: OpenAI) -> None:
    answer = valid(client.moderations.create(model="omni-moderation-latest", input=["I like cats.", "Good day."]))
    assert answer.id.startswith("modr-")
    assert [result.flagged for result in answer.results] == [False, False]


@case("openai.moderations", "images in", OPENAI)
def moderations_images(client: OpenAI) -> None:
    url = f"data:image/png;base64,{base64.b64encode(cases.PNG).decode()}"
    given: Any = [{"type": "text", "text": "cat"}, {"type": "image_url", "image_url": {"url": url}}]
    assert len(client.moderations.create(model="omni-moderation-latest", input=given).results) == 1


LINES = [
    {
        "custom_id": f"line-{n}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"Number {n}"}]},
    }
    for n in range(3)
]


def upload(client: OpenAI) -> Any:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
    return client.files.create(file=("lines.jsonl", data), purpose="batch")


@case("openai.files.create", "whole", OPENAI)
@case("azure.files", "create", AZURE)
def file_made(client: OpenAI) -> None:
    made = valid(upload(client))
    assert made.id.startswith("file-")
    assert (made.object, made.filename, made.purpose) == ("file", "lines.jsonl", "batch")
    assert made.bytes > 300


@case("openai.files.list", "whole", OPENAI)
@case("azure.files", "list", AZURE)
def files(client: OpenAI) -> None:
    made = upload(client)
    assert made.id in [file.id for file in client.files.list(purpose="batch")]


@case("openai.files.retrieve", "whole", OPENAI)
def file(client: OpenAI) -> None:
    made = upload(client)
    assert valid(client.files.retrieve(made.id)).filename == "lines.jsonl"


@case("openai.files.retrieve", "error: unknown id", OPENAI)
def file_unknown(client: OpenAI) -> None:
    error = raised(openai.NotFoundError, lambda: client.files.retrieve("file-unknown"))
    assert error.request_id


@case("openai.files.content", "whole", OPENAI)
@case("azure.files", "content", AZURE)
def file_content(client: OpenAI) -> None:
    content = client.files.content(upload(client).id).read()
    assert [json.loads(line) for line in content.splitlines()] == LINES


@case("openai.files.delete", "whole", OPENAI)
def file_deleted(client: OpenAI) -> None:
    made = upload(client)
    assert client.files.delete(made.id).deleted
    raised(openai.NotFoundError, lambda: client.files.retrieve(made.id))


def batch_of(client: OpenAI) -> Any:
    endpoint: Any = "/v1/chat/completions"
    return client.batches.create(input_file_id=upload(client).id, endpoint=endpoint, completion_window="24h")


@case("openai.batches.create", "whole", OPENAI)
@case("azure.batches", "create", AZURE)
def batch_made(client: OpenAI) -> None:
    made = valid(batch_of(client))
    assert made.id.startswith("batch_")
    assert made.status in ("validating", "in_progress")


@case("openai.batches.create", "error: unknown file", OPENAI)
def batch_broken(client: OpenAI) -> None:
    refusals = (openai.BadRequestError, openai.NotFoundError)
    asked: Any = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    error = raised_like(refusals, lambda: client.batches.create(input_file_id="file-unknown", **asked))
    assert error.request_id


@case("openai.batches.retrieve", "lifecycle to the output file", OPENAI)
@case("azure.batches", "lifecycle to the output file", AZURE)
def batch_lifecycle(client: OpenAI) -> None:
    batch = batch_of(client)
    seen = [batch.status]
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert len(seen) < 10, seen
        batch = valid(client.batches.retrieve(batch.id))
        seen.append(batch.status)
    assert batch.status == "completed", seen
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (3, 3, 0)
    lines = [json.loads(line) for line in client.files.content(batch.output_file_id).read().splitlines()]
    assert sorted(line["custom_id"] for line in lines) == ["line-0", "line-1", "line-2"]
    for line in lines:
        assert line["response"]["status_code"] == 200
        assert line["response"]["body"]["choices"][0]["message"]["content"]
        assert line["error"] is None


@case("openai.batches.cancel", "whole", OPENAI)
def batch_cancelled(client: OpenAI) -> None:
    assert valid(client.batches.cancel(batch_of(client).id)).status in ("cancelling", "cancelled")


@case("openai.batches.list", "whole", OPENAI)
@case("azure.batches", "list", AZURE)
def batches(client: OpenAI) -> None:
    made = batch_of(client)
    assert made.id in [batch.id for batch in client.batches.list(limit=100)]


@case("openai.images.generations", "base64", OPENAI, "gpt-image-1")
@case("azure.images", "base64", AZURE, "gpt-image-1")
def image(client: OpenAI, model: str) -> None:
    answer = valid(client.images.generate(model=model, prompt="a cat", n=2, size="1024x1024"))
    assert len(answer.data) == 2
    for picture in answer.data:
        assert base64.b64decode(picture.b64_json).startswith(b"\x89PNG\r\n\x1a\n")
    assert answer.usage.total_tokens > 0


@case("openai.images.generations", "URL", OPENAI, "dall-e-3")
def image_url(client: OpenAI, model: str) -> None:
    answer = client.images.generate(model=model, prompt="a cat", response_format="url")
    assert answer.data
    assert (answer.data[0].url or "").startswith("http")


@case("openai.images.generations", "streaming", OPENAI, "gpt-image-1")
def image_streaming(client: OpenAI, model: str) -> None:
    kinds = [event.type for event in client.images.generate(model=model, prompt="a cat", stream=True, partial_images=2)]
    assert kinds[-1] == "image_generation.completed"
    assert set(kinds[:-1]) == {"image_generation.partial_image"}


@case("openai.images.edits", "whole", OPENAI)
def image_edited(client: OpenAI) -> None:
    answer = client.images.edit(model="gpt-image-1", image=("cat.png", cases.PNG), prompt="greyer")
    assert answer.data
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(b"\x89PNG")


@case("openai.audio.speech", "mp3, wav", OPENAI)
@case("azure.speech", "mp3, wav", AZURE)
def speech(client: OpenAI) -> None:
    sound = client.audio.speech.create(model="tts-1", voice="alloy", input="Good day.").read()
    assert sound[:3] == b"ID3" or sound[0] == 0xFF
    sound = client.audio.speech.create(model="tts-1", voice="alloy", input="Good day.", response_format="wav").read()
    assert sound[:4] == b"RIFF"


@case("openai.audio.speech", "streaming", OPENAI)
def speech_streaming(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Good day, and good night.", response_format="pcm"
    ) as response:
        assert sum(len(piece) for piece in response.iter_bytes()) > 100


@case("openai.audio.transcriptions", "json, verbose_json, text", OPENAI, "whisper-1")
def transcription(client: OpenAI, model: str) -> None:
    sound = ("silence.wav", cases.wav())
    assert client.audio.transcriptions.create(model=model, file=sound).text
    told: Any = client.audio.transcriptions.create(model=model, file=sound, response_format="verbose_json")
    assert told.segments
    assert told.duration
    assert isinstance(client.audio.transcriptions.create(model=model, file=sound, response_format="text"), str)


@case("azure.transcriptions", "json", AZURE, "whisper-1")
def transcription_azure(client: OpenAI, model: str) -> None:
    assert client.audio.transcriptions.create(model=model, file=("silence.wav", cases.wav())).text


@case("openai.audio.transcriptions", "streaming", OPENAI, "gpt-4o-mini-transcribe")
def transcription_streaming(client: OpenAI, model: str) -> None:
    sound = ("silence.wav", cases.wav())
    events = list(client.audio.transcriptions.create(model=model, file=sound, stream=True))
    assert events[-1].type == "transcript.text.done"
    text = several(event.delta for event in events if event.type == "transcript.text.delta")
    assert events[-1].text == text


@case("openai.audio.translations", "json", OPENAI)
def translation(client: OpenAI) -> None:
    assert client.audio.translations.create(model="whisper-1", file=("silence.wav", cases.wav())).text


@case("openai.realtime", "text conversation", OPENAI, "gpt-realtime")
@case("azure.realtime", "text conversation", AZURE_V1, "gpt-realtime")
def realtime(client: OpenAI, model: str) -> None:
    with client.realtime.connect(model=model) as connection:
        kinds = [connection.recv().type]
        connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        )
        connection.response.create(response={"output_modalities": ["text"]})
        text = ""
        for event in connection:
            kinds.append(event.type)
            text += event.delta if event.type == "response.output_text.delta" else ""
            if event.type == "response.done":
                break
    assert kinds[0] == "session.created"
    assert text


@case("openai.realtime.client_secrets", "whole", OPENAI)
def client_secret(client: OpenAI) -> None:
    assert client.realtime.client_secrets.create(session={"type": "realtime", "model": "gpt-realtime"}).value


if __name__ == "__main__":
    cases.main()
