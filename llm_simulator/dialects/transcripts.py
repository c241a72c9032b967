"""How a transcript is spelled: JSON in three forms, plain text, subtitles (SRT, WebVTT), or a stream of events.

Times of words and segments are shared out by the length of their text. Source: OpenAI API reference (audio), docs.mistral.ai.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from llm_simulator import tokens
from llm_simulator.dialects import jsonstyle, openai_rest
from llm_simulator.dialects.fields import Object, as_list, as_object, as_text, dump
from llm_simulator.dialects.ids import digest
from llm_simulator.dialects.sse import DONE
from llm_simulator.types import JSON, Call, Completion, Frame, Reply, Text

FORMS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_TEXT = "text/plain; charset=utf-8"
_SSE = "text/event-stream; charset=utf-8"
_SENTENCE = re.compile(r"\S.*?(?:[.!?…。！？]+(?=\s|$)|$)", re.DOTALL)
_LONG = 90  # letters that a subtitle has at most
_WORD = re.compile(r"\S+")
_WHISPER_START = 50_364  # the token of the time 0.00, one more for each 0.02 s
_UNSAID = str.maketrans({"\n": " ", **dict.fromkeys("`|#*_>", "")})  # line breaks and Markdown
_LANGUAGES = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "pl": "polish",
    "ru": "russian",
    "ja": "japanese",
    "ko": "korean",
    "zh": "chinese",
    "ar": "arabic",
    "hi": "hindi",
    "tr": "turkish",
}


@dataclass(frozen=True, slots=True)
class _Span:
    """A piece of the text and the seconds that it is heard between."""

    text: str
    start: float
    end: float


def write(completion: Completion, call: Call, seconds: float) -> Reply:
    """The transcript of a recording of that many seconds, as the call asked for it."""
    body, seed = as_object(call.body), completion.id
    if call.stream and not _by_duration(call):
        return Reply(200, openai_rest.success(call, seed, _SSE), tuple(_events(completion, call, seconds)))
    text = _said(completion)
    match body.get("response_format") or "json":
        case "text":
            spelled, kind = text + "\n", _TEXT
        case "srt":
            spelled, kind = _srt(text, seconds), _TEXT
        case "vtt":
            spelled, kind = _vtt(text, seconds), _TEXT
        case form:
            value = _json(as_text(form), text, completion, call, seconds)
            return Reply(200, openai_rest.success(call, seed), jsonstyle.compact(value))
    return Reply(200, openai_rest.success(call, seed, kind), spelled.encode("utf-8", "replace"))


def _pieces(completion: Completion) -> list[str]:
    """The text token by token, without what nobody says aloud."""
    parts = completion.choices[0].parts if completion.choices else ()
    found = (token.translate(_UNSAID) for part in parts if isinstance(part, Text) for token in part.tokens)
    return [token for token in found if token]


def _said(completion: Completion) -> str:
    return " ".join("".join(_pieces(completion)).split())


def _by_duration(call: Call) -> bool:
    """Whether the model is billed by the second, and answers only at the end."""
    return "whisper" in call.model


# Usage


def _usage(completion: Completion, call: Call, seconds: float) -> Object:
    if _by_duration(call):
        return {"type": "duration", "seconds": ceil(seconds)}
    heard = min(round(10 * seconds), completion.usage.prompt)
    return {
        "type": "tokens",
        "total_tokens": completion.usage.total,
        "input_tokens": completion.usage.prompt,
        "input_token_details": {"text_tokens": completion.usage.prompt - heard, "audio_tokens": heard},
        "output_tokens": completion.usage.completion,
    }


# JSON


def _json(form: str, text: str, completion: Completion, call: Call, seconds: float) -> Object:
    if call.provider == "mistral":
        return _mistral(text, completion, call, seconds)
    if form == "verbose_json":
        return _verbose(text, call, seconds)
    usage = _usage(completion, call, seconds)
    if form == "diarized_json":
        return {
            "task": "transcribe",
            "duration": _rounded(seconds),
            "text": text,
            "segments": _speakers(text, seconds),
            "usage": usage,
        }
    value: Object = {"text": text}
    if _asks(call, "include", "logprobs"):
        value["logprobs"] = [_logprob(token) for token in _pieces(completion)]
    if call.provider == "groq":
        return {**value, "x_groq": {"id": "req_" + digest(completion.id, "groq", 13).hex()}}
    return value if call.operation == "audio.translations" else {**value, "usage": usage}


def _verbose(text: str, call: Call, seconds: float) -> Object:
    translates = call.operation == "audio.translations"
    language = as_text(as_object(call.body).get("language")).lower()
    value: Object = {
        "task": "translate" if translates else "transcribe",
        "language": "english" if translates else _LANGUAGES.get(language, language or "english"),
        "duration": _rounded(seconds),
        "text": text,
    }
    words = _asks(call, "timestamp_granularities", "word")
    if words:
        value["words"] = [
            {"word": span.text.strip(".,;:!?"), "start": span.start, "end": span.end}
            for span in _timed([match[0] for match in _WORD.finditer(text)], seconds)
        ]
    if not words or _asks(call, "timestamp_granularities", "segment"):
        value["segments"] = [_segment(place, span) for place, span in enumerate(_timed(_sentences(text), seconds))]
    return value if translates else {**value, "usage": {"type": "duration", "seconds": ceil(seconds)}}


def _segment(place: int, span: _Span) -> Object:
    """As Whisper describes what it heard; its doubts are drawn from the text."""
    drawn = digest(span.text, "segment", 4)
    starts, ends = (_WHISPER_START + round(at / 0.02) for at in (span.start, span.end))
    return {
        "id": place,
        "seek": int(span.start // 30) * 3000,
        "start": span.start,
        "end": span.end,
        "text": f" {span.text}",
        "tokens": [starts, *tokens.encode(f" {span.text}", "gpt2"), ends],
        "temperature": 0.0,
        "avg_logprob": -0.15 - drawn[0] / 1000,
        "compression_ratio": 1 + drawn[2] / 512,
        "no_speech_prob": drawn[1] / 10_000,
    }


def _speakers(text: str, seconds: float) -> list[Object]:
    """Two who take turns."""
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{place:03}",
            "start": span.start,
            "end": span.end,
            "text": span.text,
            "speaker": "AB"[place % 2],
        }
        for place, span in enumerate(_timed(_sentences(text), seconds))
    ]


def _mistral(text: str, completion: Completion, call: Call, seconds: float) -> Object:
    timed = _timed(_sentences(text), seconds) if "timestamp_granularities" in as_object(call.body) else ()
    return {
        "model": call.model,
        "text": text,
        "language": as_object(call.body).get("language"),
        "segments": [
            {"text": span.text, "start": span.start, "end": span.end, "type": "transcription_segment"} for span in timed
        ],
        "usage": {
            "prompt_audio_seconds": ceil(seconds),
            "prompt_tokens": completion.usage.prompt,
            "total_tokens": completion.usage.total,
            "completion_tokens": completion.usage.completion,
        },
    }


def _asks(call: Call, field: str, value: str) -> bool:
    given = as_object(call.body).get(field)
    return value in (as_list(given) or [given])


def _logprob(token: str) -> Object:
    drawn = digest(token, "logprob", 2)
    return {"token": token, "logprob": -int.from_bytes(drawn, "big") / 100_000, "bytes": list(token.encode())}


# Subtitles


def _srt(text: str, seconds: float) -> str:
    cues = (
        f"{place}\n{_clock(span.start, ',')} --> {_clock(span.end, ',')}\n{span.text}\n\n"
        for place, span in enumerate(_timed(_sentences(text), seconds), 1)
    )
    return "".join(cues) + "\n"


def _vtt(text: str, seconds: float) -> str:
    cues = (
        f"{_clock(span.start, '.')} --> {_clock(span.end, '.')}\n{span.text}\n\n"
        for span in _timed(_sentences(text), seconds)
    )
    return "WEBVTT\n\n" + "".join(cues)


def _clock(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}{point}{milliseconds:03}"


def _sentences(text: str) -> list[str]:
    """Sentences, long ones in lines."""
    found: list[str] = []
    for match in _SENTENCE.finditer(text):
        line = ""
        for word in match[0].split():
            if line and len(line) + len(word) >= _LONG:
                found.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        found.append(line)
    return [line for line in found if line]


def _timed(pieces: list[str], seconds: float) -> Iterator[_Span]:
    """Each piece for as long as it is, one after the other."""
    whole, passed = sum(map(len, pieces)) or 1, 0
    for piece in pieces:
        start, passed = passed, passed + len(piece)
        yield _Span(piece, _rounded(seconds * start / whole), _rounded(seconds * passed / whole))


def _rounded(seconds: float) -> float:
    return round(seconds, 2)


# Streams


def _events(completion: Completion, call: Call, seconds: float) -> Iterator[Frame]:
    pieces, doubts = _pieces(completion), _asks(call, "include", "logprobs")
    for place, piece in enumerate(pieces):
        delta: Object = {"type": "transcript.text.delta", "delta": piece}
        yield _event(place, {**delta, "logprobs": [_logprob(piece)]} if doubts else delta)
    last = max(len(pieces) - 1, 0)
    if as_object(call.body).get("response_format") == "diarized_json":
        for segment in _speakers("".join(pieces).strip(), seconds):
            yield _event(last, segment)
    done: Object = {"type": "transcript.text.done", "text": "".join(pieces)}
    if doubts:
        done["logprobs"] = [_logprob(piece) for piece in pieces]
    yield _event(last, {**done, "usage": _usage(completion, call, seconds)})
    yield Frame(last, DONE)


def _event(token: int, event: JSON) -> Frame:
    return Frame(token, b"data: %s\n\n" % dump(event))
