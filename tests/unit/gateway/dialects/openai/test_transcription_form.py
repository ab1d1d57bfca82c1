"""What a form asks for, and what it may not ask for; each refusal names its parameter."""

from __future__ import annotations

import pytest

from gateway.dialects.openai.errors import BadParameter, ModelNotFound
from gateway.dialects.openai.transcription_form import MAX_PROMPT, TranscriptionForm, read_form
from gateway.http.upload import Form

SERVED = ("whisper-1", "default")


def asked(*fields: tuple[str, str], model: str = "whisper-1") -> TranscriptionForm:
    return read_form(Form(b"", (("model", model), *fields)), SERVED)


def test_a_model_alone_is_enough() -> None:
    form = asked()
    assert form == TranscriptionForm("whisper-1")
    assert (form.task.language, form.task.prompt, form.task.word_timestamps) == ("", None, False)


def test_everything_that_can_be_asked_for() -> None:
    form = asked(
        ("response_format", "verbose_json"),
        ("language", "en-US"),
        ("prompt", "A talk on Rattil."),
        ("keywords[]", "Redis"),
        ("keywords[]", "Whisper"),
        ("temperature", "0.2"),
        ("timestamp_granularities[]", "word"),
        ("chunking_strategy", "auto"),
        ("stream", "false"),
    )
    assert (form.language, form.words, form.segments) == ("en", True, False)
    assert form.task.prompt == "Redis, Whisper A talk on Rattil."
    assert form.task.word_timestamps


@pytest.mark.parametrize("response_format", ["srt", "vtt", "verbose_json"])
def test_subtitles_need_times_of_words(response_format: str) -> None:
    assert asked(("response_format", response_format)).task.word_timestamps


def test_both_granularities_may_be_asked_for() -> None:
    both = [("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")]
    form = asked(("response_format", "verbose_json"), *both)
    assert form.words
    assert form.segments


def test_of_several_languages_the_model_finds_out_which() -> None:
    assert asked(("languages[]", "ar"), ("languages[]", "en")).language == ""
    assert asked(("languages[]", "ar")).language == "ar"


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("response_format", "docx", "response_format"),
        ("response_format", "diarized_json", "response_format"),
        ("language", "klingon", "language"),
        ("languages[]", "xx", "language"),
        ("temperature", "hot", "temperature"),
        ("temperature", "1.5", "temperature"),
        ("temperature", "nan", "temperature"),
        ("temperature", "-0.1", "temperature"),
        ("stream", "maybe", "stream"),
        ("prompt", "x" * (MAX_PROMPT + 1), "prompt"),
        ("timestamp_granularities[]", "word", "timestamp_granularities"),
        ("include[]", "logprobs", "include"),
        ("known_speaker_names[]", "Aisha", "known_speaker_names"),
        ("known_speaker_references[]", "data:", "known_speaker_references"),
    ],
)
def test_what_cannot_be_is_named(name: str, value: str, param: str) -> None:
    with pytest.raises(BadParameter) as raised:
        asked((name, value))
    assert raised.value.param == param
    assert param in raised.value.message or "logprobs" in raised.value.message


def test_unknown_granularities_are_named() -> None:
    with pytest.raises(BadParameter, match="letter"):
        asked(("response_format", "verbose_json"), ("timestamp_granularities[]", "letter"))


@pytest.mark.parametrize("response_format", ["srt", "vtt", "verbose_json"])
def test_a_stream_has_text_only(response_format: str) -> None:
    with pytest.raises(BadParameter) as raised:
        asked(("stream", "true"), ("response_format", response_format))
    assert raised.value.param == "stream"


def test_the_model_must_be_one_that_is_served() -> None:
    with pytest.raises(ModelNotFound, match="whisper-1"):
        asked(model="gpt-9")
    with pytest.raises(BadParameter) as raised:
        asked(model="")
    assert raised.value.param == "model"


def test_voices_are_told_apart_only_where_there_is_a_model_for_it() -> None:
    fields = (("model", "whisper-1"), ("response_format", "diarized_json"))
    form = read_form(Form(b"", fields), SERVED, tells_apart=True)
    assert form.task.speakers
    assert form.task.word_timestamps
    with pytest.raises(BadParameter, match="SPEAKER_MODEL"):
        read_form(Form(b"", fields), SERVED)
    assert not asked(("response_format", "verbose_json")).task.speakers
