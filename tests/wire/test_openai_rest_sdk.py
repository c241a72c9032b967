"""The official OpenAI SDK against the running server: embeddings, moderations, files, batches, images and audio."""

from __future__ import annotations

import io
import json
import urllib.request
import wave
from base64 import b64decode
from collections.abc import Iterator, Mapping

import openai
import pytest
from serving import serving

from llm_simulator.config.settings import Settings
from llm_simulator.dialects.pictures import picture as png
from llm_simulator.dialects.sounds import spoken
from llm_simulator.proxy.server import Server
from llm_simulator.tokens.images import image_size

pytestmark = [pytest.mark.wire, pytest.mark.untraced]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(Settings(port=0, speed=0.0)) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-simulated-key", base_url=f"{server.base_url}/v1", max_retries=0) as made:
        yield made


@pytest.fixture
def azure(server: Server) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        api_key="key", azure_endpoint=server.base_url, api_version="2024-10-21", max_retries=0
    ) as made:
        yield made


def test_embeddings(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    plain = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1]
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding, rel=1e-6)
    assert packed.usage.prompt_tokens == 2
    short = client.embeddings.create(model="text-embedding-3-large", input="one", dimensions=64)
    assert len(short.data[0].embedding) == 64


def test_embeddings_of_a_deployment(azure: openai.AzureOpenAI) -> None:
    made = azure.embeddings.create(model="my-text-embedding-3-small", input="one")
    assert (made.model, len(made.data[0].embedding)) == ("text-embedding-3-small", 1536)


def test_moderations(client: openai.OpenAI) -> None:
    one, other = client.moderations.create(input=["a kind word", "I will kill you"]).results
    assert (one.flagged, other.flagged) == (False, True)
    assert other.categories.violence
    assert other.category_scores.violence > 0.5


def test_files(client: openai.OpenAI) -> None:
    made = client.files.create(file=("notes.jsonl", b'{"a": 1}\n'), purpose="fine-tune")
    assert (made.filename, made.bytes, made.status) == ("notes.jsonl", 9, "processed")
    assert made.id in [file.id for file in client.files.list()]
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).content == b'{"a": 1}\n'
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {made.id}"):
        client.files.retrieve(made.id)


def lines(*bodies: Mapping[str, object], url: str = "/v1/chat/completions") -> bytes:
    made = (
        {"custom_id": f"line {place}", "method": "POST", "url": url, "body": body} for place, body in enumerate(bodies)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in made)


def test_a_batch_from_file_to_file(client: openai.OpenAI) -> None:
    good = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]}
    file = client.files.create(file=("in.jsonl", lines(good, {"model": "gpt-4o"}, good)), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"job": "1"}
    )
    seen = [batch.status]
    while batch.status not in ("completed", "failed"):
        batch = client.batches.retrieve(batch.id)
        seen.append(batch.status)
    assert seen == ["validating", "in_progress", "finalizing", "completed"]
    assert batch.request_counts
    assert batch.request_counts.to_dict() == {"total": 3, "completed": 2, "failed": 1}
    assert batch.usage
    assert batch.usage.input_tokens == 2 * 9
    assert batch.output_file_id
    assert batch.error_file_id
    output = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert [line["custom_id"] for line in output] == ["line 0", "line 2"]
    assert output[0]["response"]["body"]["object"] == "chat.completion"
    (failed,) = (json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines())
    assert failed["response"]["status_code"] == 400
    assert batch.id in [listed.id for listed in client.batches.list()]


def test_a_cancelled_batch(client: openai.OpenAI) -> None:
    file = client.files.create(file=("in.jsonl", lines({"model": "gpt-4o", "messages": []})), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.batches.retrieve(batch.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a batch with status 'cancelled'"):
        client.batches.cancel(batch.id)


def test_a_batch_of_a_deployment(azure: openai.AzureOpenAI) -> None:
    good = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]}
    file = azure.files.create(file=("in.jsonl", lines(good, url="/chat/completions")), purpose="batch")
    batch = azure.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    for _ in range(3):
        batch = azure.batches.retrieve(batch.id)
    assert batch.output_file_id
    (line,) = azure.files.content(batch.output_file_id).text.splitlines()
    assert "prompt_filter_results" in json.loads(line)["response"]["body"]


def test_images_whole_and_as_parts(client: openai.OpenAI) -> None:
    made = client.images.generate(model="gpt-image-1", prompt="a cat", size="1536x1024", quality="low")
    assert made.data
    assert image_size(b64decode(made.data[0].b64_json or "")) == (1536, 1024)
    assert (made.size, made.quality, made.usage and made.usage.output_tokens) == ("1536x1024", "low", 400)
    events = list(client.images.generate(model="gpt-image-1", prompt="a cat", stream=True, partial_images=2))
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]


def test_the_url_of_an_image_leads_back_to_us(client: openai.OpenAI, server: Server) -> None:
    made = client.images.generate(model="dall-e-2", prompt="a white siamese cat", size="256x256")
    assert made.data
    url = made.data[0].url or ""
    assert url.startswith(f"{server.base_url}/v1/private/")
    with urllib.request.urlopen(url) as reply:
        assert reply.headers["content-type"] == "image/png"
        assert image_size(reply.read()) == (256, 256)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_an_edit_and_a_variation(client: openai.OpenAI, azure: openai.AzureOpenAI) -> None:
    picture = ("in.png", png("in", 64, 64), "image/png")
    edited = client.images.edit(model="gpt-image-1", image=[picture, picture], prompt="more")
    assert edited.usage
    assert edited.usage.input_tokens_details.image_tokens == 2 * (65 + 129)
    varied = client.images.create_variation(image=picture, n=2, response_format="b64_json")  # pyright: ignore[reportDeprecated]
    assert len(varied.data or []) == 2
    deployed = azure.images.generate(model="my-dall-e-3", prompt="a cat")
    assert deployed.data
    with urllib.request.urlopen(deployed.data[0].url or "") as reply:
        assert image_size(reply.read()) == (1024, 1024)


def test_speech(client: openai.OpenAI) -> None:
    said = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello, world.", response_format="wav")
    with wave.open(io.BytesIO(said.content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (24_000, 1, 2)
        assert 0.5 < sound.getnframes() / sound.getframerate() < 2
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello, world. " * 30
    ) as reply:
        assert reply.headers["content-type"] == "audio/mpeg"
        assert b"".join(reply.iter_bytes()).startswith(b"\xff\xf3")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_a_transcription_in_every_form(client: openai.OpenAI) -> None:
    sound = ("said.wav", spoken("word " * 60, "wav"), "audio/wav")
    whole = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound)
    assert whole.text
    assert whole.usage
    assert whole.usage.type == "tokens"
    assert whole.usage.input_tokens == 200
    verbose = client.audio.transcriptions.create(
        model="whisper-1", file=sound, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert verbose.duration == 20
    assert verbose.words
    assert verbose.segments
    assert verbose.segments[-1].end == 20
    subtitles = client.audio.transcriptions.create(model="whisper-1", file=sound, response_format="srt")
    assert str(subtitles).startswith("1\n00:00:00,000 --> 00:00:")
    translated = client.audio.translations.create(model="whisper-1", file=sound)  # pyright: ignore[reportDeprecated]
    assert translated.text


def test_a_streamed_transcription(client: openai.OpenAI) -> None:
    sound = ("said.wav", spoken("word " * 60, "wav"), "audio/wav")
    events = list(client.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=sound, stream=True))
    assert {event.type for event in events[:-1]} == {"transcript.text.delta"}
    last = events[-1]
    assert last.type == "transcript.text.done"
    assert last.text == "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert last.usage
    assert last.usage.total_tokens == last.usage.input_tokens + last.usage.output_tokens


def test_speech_as_events(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello!", stream_format="sse", response_format="pcm"
    ) as reply:
        events = [json.loads(line.removeprefix("data: ")) for line in reply.iter_lines() if line]
    assert [event["type"] for event in events] == ["speech.audio.delta", "speech.audio.delta", "speech.audio.done"]
    assert sum(len(b64decode(event["audio"])) for event in events[:-1]) == 2 * 24_000 * 0.4


def test_what_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Unsupported file format bin"):
        client.audio.transcriptions.create(model="whisper-1", file=("x.bin", b"x"))
    with pytest.raises(openai.NotFoundError, match="No batch found with id 'batch_x'"):
        client.batches.retrieve("batch_x")
