"""Audio: text said aloud, and recordings written down or translated. OpenAI's, Azure's, Groq's and Mistral's.

What is said is a sound file as long as the text takes (`sounds.py`: tones in WAV and PCM, silence in MP3, Opus, AAC and FLAC).
What is written down is text of the engine, of about the length that the recording lasts: nothing listens to it.
Source: OpenAI API reference (audio), docs.mistral.ai (audio transcriptions).
"""

from __future__ import annotations

import re
from base64 import b64encode

from llm_simulator import tokens
from llm_simulator.dialects import openai_rest, transcripts
from llm_simulator.dialects.base import Ask, Desk, Plain, Route, Turn
from llm_simulator.dialects.fields import Object, as_object, as_text, dump, load
from llm_simulator.dialects.openai_words import refusal
from llm_simulator.dialects.routes_openai import OPENAI_AUDIO
from llm_simulator.dialects.sounds import FORMS, lasts, seconds_of, spoken
from llm_simulator.dialects.structure import Rule
from llm_simulator.types import Call, Completion, Condition, Frame, Headers, RawRequest, Reply, Usage

FAMILY = "openai.audio"
SPEECH, TRANSCRIPTION, TRANSLATION = "audio.speech", "audio.transcriptions", "audio.translations"
_PATH = re.compile(r"(?:/.*)?/audio/(speech|transcriptions|translations)")
_SPEECH_RULES = (
    Rule("input", "string", required=True),
    Rule("voice", "string|object", required=True),
    Rule("response_format", "string"),
    Rule("speed", "number"),
    Rule("instructions", "string"),
)
_TYPES = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}
_PIECE = 16_384  # bytes of sound that are sent at a time
_SSE = "text/event-stream; charset=utf-8"
_EXTENSIONS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_SPEEDS = (0.25, 4.0)
_TOKENS_A_SECOND = 10  # of sound, as the transcribing models bill it
_WORDS_A_SECOND = 3  # tokens of text that a recording may have
_TTS_TOKENS_A_SECOND = 20  # of sound that gpt-4o-mini-tts makes


class OpenAIAudio(Plain):
    """POST .../audio/speech, /transcriptions, /translations."""

    name = "openai_audio"
    provider = "openai"
    api_version = "v1"
    features: frozenset[str] = frozenset(("audio", "streaming"))
    simulates: frozenset[str] = frozenset((SPEECH, TRANSCRIPTION, TRANSLATION))
    generates: frozenset[str] = frozenset((TRANSCRIPTION, TRANSLATION))
    routes: tuple[Route, ...] = OPENAI_AUDIO

    def read(self, raw: RawRequest, provider: str) -> Call | None:
        match = _PATH.fullmatch(raw.path) if "/audio/" in raw.path else None
        if not match or not openai_rest.speaks_openai(provider, raw.path):
            return None
        operation = f"audio.{match[1]}"
        if operation == SPEECH and provider == "mistral":
            return None  # answers with JSON of its own
        read = openai_rest.read_json if operation == SPEECH else openai_rest.read_form
        return read(raw, provider, FAMILY, operation if raw.method == "POST" else "unknown")

    def check(self, call: Call) -> Condition | None:
        rules = _SPEECH_RULES if call.operation == SPEECH else ()
        fault = openai_rest.structure(call, rules)
        if fault:
            return fault
        if not call.model:
            return openai_rest.no_model()
        wrong = _wrong_speech if call.operation == SPEECH else _wrong_upload
        return wrong(as_object(call.body))

    def respond(self, call: Call, desk: Desk) -> Reply:
        body, seed = as_object(call.body), desk.seed.hex()
        form = as_text(body.get("response_format")) or "mp3"
        sound = spoken(as_text(body["input"]), form, openai_rest.number(body.get("speed"), 1.0))
        if body.get("stream_format") == "sse":
            return Reply(200, openai_rest.success(call, seed, _SSE), _events(call, sound))
        pieces = (sound[at : at + _PIECE] for at in range(0, len(sound), _PIECE))
        headers = openai_rest.success(call, seed, _TYPES.get(form, f"audio/{form}"))
        return Reply(200, headers, tuple(Frame(place, piece) for place, piece in enumerate(pieces)))

    def ask(self, call: Call) -> Ask:
        body = as_object(call.body)
        seconds = _seconds(call)
        spent = round(_TOKENS_A_SECOND * seconds) + tokens.count(as_text(body.get("prompt")), call.model)
        turns = (Turn("user", as_text(body.get("prompt"))),)
        return Ask(turns, spent, exact=False, max_tokens=max(1, round(_WORDS_A_SECOND * seconds)))

    def write(self, completion: Completion, call: Call) -> Reply:
        return transcripts.write(completion, call, _seconds(call))

    def refuse(self, condition: Condition, call: Call) -> Reply:
        return openai_rest.refuse(condition, call)

    def usage(self, status: int, headers: Headers, body: bytes, call: Call) -> Usage | None:
        usage = as_object(as_object(load(body)).get("usage")) if status == 200 else {}
        given = usage.get("input_tokens", usage.get("prompt_tokens"))
        made = usage.get("output_tokens", usage.get("completion_tokens"))
        return Usage(given, made, raw=usage) if isinstance(given, int) and isinstance(made, int) else None


def _wrong_speech(body: Object) -> Condition | None:
    form = body.get("response_format") or "mp3"
    if form not in FORMS:
        return openai_rest.invalid_value("response_format", form, FORMS)
    speed = openai_rest.number(body.get("speed"), 1.0)
    if not _SPEEDS[0] <= speed <= _SPEEDS[1]:
        text = f"Invalid 'speed': expected a value from {_SPEEDS[0]} to {_SPEEDS[1]}, but got {speed:g} instead."
        return refusal("invalid_speed", text, "speed", "invalid_value")
    if not body["input"]:
        return refusal("invalid_input", "Invalid 'input': empty string. Expected some text to say.", "input")
    return None


def _wrong_upload(body: Object) -> Condition | None:
    file = as_object(body.get("file"))
    if not file and not body.get("file_url") and not body.get("url"):  # Groq and Mistral fetch one as well
        name = "missing_required_parameter"
        return refusal(name, "Missing required parameter: 'file'.", "file", name)
    extension = as_text(file.get("filename")).rpartition(".")[2].lower()
    if file and extension not in _EXTENSIONS:
        text = f"Unsupported file format {extension}"
        return refusal("audio_format_unsupported", text, "file", "unsupported_value")
    form = body.get("response_format") or "json"
    return None if form in transcripts.FORMS else openai_rest.invalid_value("response_format", form, transcripts.FORMS)


def _seconds(call: Call) -> float:
    """How long the uploaded recording lasts; of one that is only named we cannot know: a minute."""
    parts, _ = openai_rest.uploads(call.raw)
    return next((lasts(part.content) for part in parts if part.name == "file" and part.filename), 60.0)


def _events(call: Call, sound: bytes) -> tuple[Frame, ...]:
    """The sound as server-sent events, and what it cost."""
    made: list[Object] = []
    for at in range(0, len(sound), _PIECE):
        made.append({"type": "speech.audio.delta", "audio": b64encode(sound[at : at + _PIECE]).decode("ascii")})
    body = as_object(call.body)
    text = as_text(body.get("input"))
    given = tokens.count(text, call.model)
    spent = round(_TTS_TOKENS_A_SECOND * seconds_of(text, openai_rest.number(body.get("speed"), 1.0)))
    usage = {"input_tokens": given, "output_tokens": spent, "total_tokens": given + spent}
    made.append({"type": "speech.audio.done", "usage": usage})
    return tuple(Frame(place, b"data: %s\n\n" % dump(event)) for place, event in enumerate(made))


DIALECT = OpenAIAudio()
