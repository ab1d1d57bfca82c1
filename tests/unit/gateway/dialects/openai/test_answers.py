"""A transcript in every response format."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose

from gateway.dialects.openai.answers import answer
from gateway.dialects.openai.transcription_form import ResponseFormat, TranscriptionForm
from shared.hearing import HeardWord
from shared.transcription.recording import Stretch

HEARD = [
    Stretch(
        1000,
        3000,
        "Hello there. You",
        (
            HeardWord("Hello", 1000, 1500, 0.9),
            HeardWord("there.", 1500, 2000, 0.8),
            HeardWord("You", 2100, 2500, 0.5),
        ),
        "en",
        0.01,
    ),
    Stretch(5000, 6000, "", language="en"),
    Stretch(7000, 8000, "Good morning.", (HeardWord("Good"), HeardWord("morning.")), "en"),
]
SAMPLES = 16_000 * 8 + 1
TEXT = "Hello there. You Good morning."


def body(response_format: ResponseFormat, **asked: Any) -> bytes:
    response = answer(TranscriptionForm("whisper-1", response_format, **asked), HEARD, SAMPLES)
    assert response.headers["cache-control"] == "no-store"
    return bytes(response.body)


def test_json() -> None:
    made: dict[str, Any] = msgspec.json.decode(body("json"))
    assert made == {"text": TEXT, "usage": {"type": "duration", "seconds": 9}}
    Transcription.model_validate(made, strict=True)


@pytest.mark.parametrize(
    ("response_format", "text", "kind"),
    [
        ("text", TEXT + "\n", "text/plain"),
        (
            "srt",
            "1\n00:00:01,000 --> 00:00:02,000\nHello there.\n\n2\n00:00:02,100 --> 00:00:02,500\nYou\n\n"
            "3\n00:00:07,000 --> 00:00:08,000\nGood morning.\n\n",
            "text/plain",
        ),
        (
            "vtt",
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello there.\n\n00:00:02.100 --> 00:00:02.500\nYou\n\n"
            "00:00:07.000 --> 00:00:08.000\nGood morning.\n\n",
            "text/plain",
        ),
    ],
)
def test_plain_text_formats(response_format: ResponseFormat, text: str, kind: str) -> None:
    response = answer(TranscriptionForm("whisper-1", response_format), HEARD, SAMPLES)
    assert bytes(response.body).decode() == text
    assert response.headers["content-type"].startswith(kind)


def test_verbose_json_with_words_and_segments() -> None:
    made: dict[str, Any] = msgspec.json.decode(body("verbose_json", words=True, segments=True))
    TranscriptionVerbose.model_validate(made, strict=True)
    assert (made["task"], made["language"], made["duration"]) == ("transcribe", "english", 8.0)
    assert made["text"] == TEXT
    assert made["usage"] == {"type": "duration", "seconds": 9}
    assert made["words"] == [
        {"word": "Hello", "start": 1.0, "end": 1.5},
        {"word": "there.", "start": 1.5, "end": 2.0},
        {"word": "You", "start": 2.1, "end": 2.5},
    ]
    first = made["segments"][0]
    assert first.pop("compression_ratio") > 0
    assert first == {
        "id": 0,
        "seek": 100,
        "start": 1.0,
        "end": 2.0,
        "text": "Hello there.",
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": -0.1643,
        "no_speech_prob": 0.01,
    }
    assert [segment["id"] for segment in made["segments"]] == [0, 1, 2]


def test_verbose_json_has_the_times_that_were_asked_for() -> None:
    words = msgspec.json.decode(body("verbose_json", words=True, segments=False))
    segments = msgspec.json.decode(body("verbose_json"))
    assert "segments" not in words
    assert "words" not in segments


def test_silence_is_an_empty_transcript_in_the_language_that_was_asked_for() -> None:
    form = TranscriptionForm("whisper-1", "verbose_json", language="ar")
    made: dict[str, Any] = msgspec.json.decode(answer(form, [], 16_000).body)
    assert (made["text"], made["language"], made["segments"]) == ("", "arabic", [])


def test_diarized_json_has_a_letter_for_each_speaker() -> None:
    heard = [msgspec.structs.replace(one, speaker=(0, None, 27)[at]) for at, one in enumerate(HEARD)]
    response = answer(TranscriptionForm("whisper-1", "diarized_json"), heard, SAMPLES)
    made = TranscriptionDiarized.model_validate(msgspec.json.decode(response.body), strict=True)
    assert [(one.id, one.start, one.end, one.text, one.speaker) for one in made.segments] == [
        ("seg_001", 1.0, 3.0, "Hello there. You", "A"),
        ("seg_002", 7.0, 8.0, "Good morning.", "AB"),
    ]
    assert (made.text, made.task, made.segments[0].type) == (TEXT, "transcribe", "transcript.text.segment")
