"""A transcript in each of OpenAI's formats."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import PlainTextResponse, Response

from gateway.dialects.openai.transcription_form import TranscriptionForm
from gateway.http.answers import json_response
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import HeardWord
from shared.transcription.languages import NAMES
from shared.transcription.recording import Stretch, spoken_language, whole_text
from shared.transcription.subtitles import Cue, as_srt, as_vtt, cues

_LEAST_PROBABILITY = 1e-10


class Usage(msgspec.Struct, frozen=True, tag="duration"):
    """What is billed: the length of the audio, in whole seconds begun."""

    seconds: int

    @classmethod
    def of(cls, samples: int) -> Usage:
        return cls(math.ceil(samples / SAMPLE_RATE))


class Transcription(msgspec.Struct, frozen=True):
    """`json`."""

    text: str
    usage: Usage


class TimedWord(msgspec.Struct, frozen=True):
    """A word with its times, seconds."""

    word: str
    start: float
    end: float


class TimedSegment(msgspec.Struct, frozen=True):
    """A sentence, or as much of one as fits on a screen; times in seconds. `tokens` is always empty."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(msgspec.Struct, frozen=True):
    """`verbose_json`. `words` and `segments` as they were asked for."""

    language: str
    duration: float
    text: str
    usage: Usage
    task: str = "transcribe"
    segments: tuple[TimedSegment, ...] | UnsetType = UNSET
    words: tuple[TimedWord, ...] | UnsetType = UNSET


class SpokenSegment(msgspec.Struct, frozen=True, tag="transcript.text.segment"):
    """What one speaker says without a break; times in seconds. `speaker`: A, B, … in the order in which they
    are first heard."""

    id: str
    start: float
    end: float
    text: str
    speaker: str


class DiarizedTranscription(msgspec.Struct, frozen=True):
    """`diarized_json`."""

    duration: float
    text: str
    segments: tuple[SpokenSegment, ...]
    usage: Usage
    task: str = "transcribe"


def answer(form: TranscriptionForm, heard: Sequence[Stretch], samples: int) -> Response:
    """The transcript of a recording of so many samples (16 kHz) as the form asks for it."""
    if form.response_format == "json":
        return json_response(Transcription(whole_text(heard), Usage.of(samples)))
    if form.response_format == "text":
        return _text(whole_text(heard) + "\n")
    if form.response_format == "diarized_json":
        return json_response(_diarized(heard, samples))
    shown = cues(heard)
    if form.response_format == "srt":
        return _text(as_srt(shown))
    if form.response_format == "vtt":
        return _text(as_vtt(shown))
    return json_response(_verbose(form, heard, shown, samples))


def _text(text: str) -> Response:
    return PlainTextResponse(text, headers={"Cache-Control": "no-store"})


def _verbose(
    form: TranscriptionForm, heard: Sequence[Stretch], shown: Sequence[Cue], samples: int
) -> VerboseTranscription:
    language = spoken_language(heard) or form.language
    segments = tuple(_segment(number, cue) for number, cue in enumerate(shown))
    words = tuple(_word(word) for cue in shown for word in cue.words if word.start_ms is not None)
    return VerboseTranscription(
        language=NAMES.get(language, language),
        duration=round(samples / SAMPLE_RATE, 3),
        text=whole_text(heard),
        usage=Usage.of(samples),
        segments=segments if form.segments else UNSET,
        words=words if form.words else UNSET,
    )


def _diarized(heard: Sequence[Stretch], samples: int) -> DiarizedTranscription:
    segments = tuple(
        SpokenSegment(
            f"seg_{number:03}", one.start_ms / 1000, one.end_ms / 1000, one.text, _letter(one.speaker or 0)
        )
        for number, one in enumerate((one for one in heard if one.text), start=1)
    )
    return DiarizedTranscription(
        round(samples / SAMPLE_RATE, 3), whole_text(heard), segments, Usage.of(samples)
    )


def _letter(speaker: int) -> str:
    """A to Z, then AA, AB, …"""
    before, last = divmod(speaker, 26)
    return (_letter(before - 1) if before else "") + chr(ord("A") + last)


def _segment(number: int, cue: Cue) -> TimedSegment:
    logs = [math.log(max(word.confidence, _LEAST_PROBABILITY)) for word in cue.words]
    written = cue.text.encode()
    return TimedSegment(
        id=number,
        seek=cue.start_ms // 10,  # Whisper counts in frames of 10 ms
        start=cue.start_ms / 1000,
        end=cue.end_ms / 1000,
        text=cue.text,
        tokens=(),
        temperature=0.0,
        avg_logprob=round(sum(logs) / len(logs), 4) if logs else 0.0,
        compression_ratio=round(len(written) / len(zlib.compress(written)), 4),
        no_speech_prob=round(cue.no_speech, 4),
    )


def _word(word: HeardWord) -> TimedWord:
    assert word.start_ms is not None
    assert word.end_ms is not None
    return TimedWord(word.text, word.start_ms / 1000, word.end_ms / 1000)
