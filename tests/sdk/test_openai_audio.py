"""Audio: speech in every form, and transcripts in every spelling."""

from __future__ import annotations

import json
import re
from base64 import b64decode

import pytest
from desks import desk
from multiform import asked, data_of, message, reply, sent, whole
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionStreamEvent,
    TranscriptionVerbose,
    Translation,
    TranslationVerbose,
)
from pydantic import BaseModel, TypeAdapter
from strictness import unknown

from llm_simulator import dialects
from llm_simulator.dialects.sounds import lasts, spoken
from llm_simulator.simulator.engine import Engine
from llm_simulator.types import JSON, Call, Reply, header

SPEECH, WRITTEN, TRANSLATED = "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"
SOUND = spoken("word " * 60, "wav")  # 20 s


def say(text: str = "Hello, world.", **more: JSON) -> Call:
    return asked(SPEECH, {"model": "tts-1", "voice": "alloy", "input": text, **more})


def heard(path: str, model: str, *fields: tuple[str, str], host: str = "api.openai.com", sound: bytes = SOUND) -> Reply:
    call = sent(path, [("model", model), *fields], [("file", "a.wav", sound)], host)
    dialect = dialects.of(call)
    assert dialect.check(call) is None
    return dialect.write(Engine(7).complete(call, dialect, b"call"), call)


def text_of(found: Reply) -> str:
    body = found.body if isinstance(found.body, bytes) else b"".join(frame.data for frame in found.body)
    return body.decode()


def strictly(model: type[BaseModel], found: Reply) -> JSON:
    value = json.loads(text_of(found))
    assert [name for name in unknown(model.model_validate(value, strict=True)) if not name.endswith(".task")] == []
    return value


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("mp3", "audio/mpeg"),
        ("opus", "audio/opus"),
        ("aac", "audio/aac"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("pcm", "audio/pcm"),
    ],
)
def test_speech(form: str, kind: str) -> None:
    call = say(response_format=form)
    assert header(reply(call, desk()).headers, "content-type") == kind
    assert whole(call, desk()) == spoken("Hello, world.", form)


def test_speech_is_mp3_unless_asked_and_as_fast_as_asked() -> None:
    assert whole(say(), desk()) == spoken("Hello, world.", "mp3")
    assert lasts(whole(say(speed=0.5), desk())) > 1.9 * lasts(whole(say(), desk()))


def test_long_speech_comes_in_pieces() -> None:
    body = reply(say("word " * 200), desk()).body
    assert not isinstance(body, bytes)
    assert len(list(body)) > 10
    assert list(body) == list(body)  # may be sent again


def test_speech_as_events() -> None:
    events = data_of(whole(say(stream_format="sse", response_format="pcm"), desk()))
    assert [event["type"] for event in events] == ["speech.audio.delta"] * 3 + ["speech.audio.done"]
    assert b"".join(b64decode(event["audio"]) for event in events[:-1]) == spoken("Hello, world.", "pcm")
    assert events[-1]["usage"] == {"input_tokens": 4, "output_tokens": 17, "total_tokens": 21}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": "x", "voice": "alloy"}, "you must provide a model parameter"),
        ({"model": "tts-1", "voice": "alloy"}, "Missing required parameter: 'input'."),
        ({"model": "tts-1", "input": "x"}, "Missing required parameter: 'voice'."),
        ({"model": "tts-1", "input": "", "voice": "alloy"}, "Invalid 'input': empty string."),
        ({"model": "tts-1", "input": "x", "voice": "a", "response_format": "ogg"}, "Invalid value: 'ogg'."),
        (
            {"model": "tts-1", "input": "x", "voice": "a", "speed": 5},
            "Invalid 'speed': expected a value from 0.25 to 4",
        ),
    ],
)
def test_speech_that_is_refused(body: JSON, words: str) -> None:
    status, text = message(asked(SPEECH, body))
    assert (status, text[: len(words)]) == (400, words)


# Transcripts


def test_json_billed_by_tokens() -> None:
    value = strictly(Transcription, heard(WRITTEN, "gpt-4o-transcribe", ("prompt", "two words")))
    usage = value["usage"]
    assert usage["input_token_details"] == {"text_tokens": 2, "audio_tokens": 200}
    assert usage["total_tokens"] == 202 + usage["output_tokens"]
    assert 0 < usage["output_tokens"] <= 60
    assert not set("`|#*\n") & set(value["text"])


def test_json_billed_by_the_second() -> None:
    assert strictly(Transcription, heard(WRITTEN, "whisper-1"))["usage"] == {"type": "duration", "seconds": 20}


def test_doubts() -> None:
    value = strictly(Transcription, heard(WRITTEN, "gpt-4o-transcribe", ("include[]", "logprobs")))
    assert "".join(item["token"] for item in value["logprobs"]).split() == value["text"].split()
    assert all(item["logprob"] <= 0 and bytes(item["bytes"]).decode() == item["token"] for item in value["logprobs"])


@pytest.mark.parametrize(
    ("granularities", "names"),
    [
        ((), ["task", "language", "duration", "text", "segments", "usage"]),
        (("word",), ["task", "language", "duration", "text", "words", "usage"]),
        (("word", "segment"), ["task", "language", "duration", "text", "words", "segments", "usage"]),
    ],
)
def test_verbose_json(granularities: tuple[str, ...], names: list[str]) -> None:
    fields = [("timestamp_granularities[]", name) for name in granularities]
    found = heard(WRITTEN, "whisper-1", ("response_format", "verbose_json"), ("language", "de"), *fields)
    value = strictly(TranscriptionVerbose, found)
    assert list(value) == names
    assert (value["language"], value["duration"]) == ("german", 20.0)
    for spans in (value.get("words"), value.get("segments")):
        if spans is not None:
            ends = [0.0, *(span["end"] for span in spans)]
            assert [span["start"] for span in spans] == ends[:-1]
            assert ends[-1] == 20.0
    if "segments" in value:
        assert " ".join(segment["text"].strip() for segment in value["segments"]) == value["text"]


def test_speakers() -> None:
    found = heard(WRITTEN, "gpt-4o-transcribe-diarize", ("response_format", "diarized_json"))
    value = strictly(TranscriptionDiarized, found)
    assert [segment["speaker"] for segment in value["segments"][:2]] == ["A", "B"][: len(value["segments"])]


_CUE = r"\d\d:\d\d:\d\d{0}\d\d\d --> \d\d:\d\d:\d\d{0}\d\d\d\n.+\n\n"


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("text", r".+\n"),
        ("srt", r"(\d+\n" + _CUE.format(",") + r")+\n"),
        ("vtt", r"WEBVTT\n\n(" + _CUE.format(r"\.") + r")+"),
    ],
)
@pytest.mark.parametrize("path", [WRITTEN, TRANSLATED])
def test_plain_forms(form: str, pattern: str, path: str) -> None:
    found = heard(path, "whisper-1", ("response_format", form))
    assert header(found.headers, "content-type") == "text/plain; charset=utf-8"
    assert re.fullmatch(pattern, text_of(found)), text_of(found)


def test_translations() -> None:
    assert list(strictly(Translation, heard(TRANSLATED, "whisper-1"))) == ["text"]
    value = strictly(TranslationVerbose, heard(TRANSLATED, "whisper-1", ("response_format", "verbose_json")))
    assert (value["task"], value["language"]) == ("translate", "english")


@pytest.mark.parametrize("more", [(), (("include[]", "logprobs"),), (("response_format", "diarized_json"),)])
def test_a_stream(more: tuple[tuple[str, str], ...]) -> None:
    found = heard(WRITTEN, "gpt-4o-transcribe", ("stream", "true"), *more)
    body = text_of(found)
    assert body.endswith("}\n\ndata: [DONE]\n\n")
    events = data_of(body.encode())
    adapter: TypeAdapter[object] = TypeAdapter(TranscriptionStreamEvent)
    assert all(not list(unknown(adapter.validate_python(event, strict=True))) for event in events)
    said = "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta")
    assert events[-1]["text"] == said
    assert ("logprobs" in events[-1]) is (("include[]", "logprobs") in more)
    assert any(event["type"] == "transcript.text.segment" for event in events) is ("diarized_json" in str(more))


def test_whisper_does_not_stream() -> None:
    assert isinstance(heard(WRITTEN, "whisper-1", ("stream", "true")).body, bytes)


def test_mistrals_form() -> None:
    found = heard(
        WRITTEN, "voxtral-mini-latest", ("timestamp_granularities", "segment"), host="api.mistral.ai", sound=SOUND
    )
    value = json.loads(text_of(found))
    assert list(value) == ["model", "text", "language", "segments", "usage"]
    assert value["usage"]["prompt_audio_seconds"] == 20
    assert " ".join(segment["text"] for segment in value["segments"]) == value["text"]


def test_groqs_form() -> None:
    value = json.loads(text_of(heard("/openai/v1/audio/transcriptions", "whisper-large-v3", host="api.groq.com")))
    assert list(value) == ["text", "x_groq"]


@pytest.mark.parametrize(
    ("fields", "files", "words"),
    [
        ([("model", "whisper-1")], [], "Missing required parameter: 'file'."),
        ([], [("file", "a.wav", SOUND)], "you must provide a model parameter"),
        ([("model", "whisper-1")], [("file", "a.bin", SOUND)], "Unsupported file format bin"),
        ([("model", "whisper-1"), ("response_format", "xml")], [("file", "a.wav", b"")], "Invalid value: 'xml'."),
    ],
)
def test_uploads_that_are_refused(
    fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]], words: str
) -> None:
    status, text = message(sent(WRITTEN, fields, files))
    assert (status, text[: len(words)]) == (400, words)


def test_a_deployment_is_the_model() -> None:
    call = sent(
        "/openai/deployments/whisper/audio/transcriptions", [], [("file", "a.wav", SOUND)], "r.openai.azure.com"
    )
    assert (call.provider, call.model, call.operation) == ("azure", "whisper", "audio.transcriptions")
    spoken_by = asked(
        "/openai/deployments/tts/audio/speech", {"input": "x", "voice": "alloy"}, host="r.openai.azure.com"
    )
    assert len(whole(spoken_by, desk())) > 100


def test_mistrals_speech_is_not_ours() -> None:
    assert asked(SPEECH, {"model": "voxtral-mini-tts-3"}, host="api.mistral.ai").family == "opaque"
