"""Cues of a readable length, and the two file formats to the letter."""

from __future__ import annotations

import pytest

from shared.hearing import HeardWord
from shared.transcription.recording import Stretch, spoken_language, whole_text
from shared.transcription.subtitles import MAX_CHARACTERS, MAX_CUE_MS, as_srt, as_vtt, cues


def timed(text: str, start_ms: int = 0, word_ms: int = 300) -> Stretch:
    """Words that follow one another without a pause."""
    words = tuple(
        HeardWord(word, start_ms + place * word_ms, start_ms + (place + 1) * word_ms)
        for place, word in enumerate(text.split())
    )
    return Stretch(start_ms, start_ms + len(words) * word_ms, text, words, "en")


def test_a_sentence_ends_a_cue() -> None:
    shown = cues([timed('He said "stop." Why? أين؟ هنا')])
    assert [cue.text for cue in shown] == ['He said "stop."', "Why?", "أين؟", "هنا"]
    assert [(cue.start_ms, cue.end_ms) for cue in shown] == [
        (0, 900),
        (900, 1200),
        (1200, 1500),
        (1500, 1800),
    ]
    assert [len(cue.words) for cue in shown] == [3, 1, 1, 1]


def test_a_pause_ends_a_cue() -> None:
    words = (HeardWord("one", 0, 300), HeardWord("two", 400, 700), HeardWord("three", 1500, 1800))
    shown = cues([Stretch(0, 2000, "one two three", words)])
    assert [cue.text for cue in shown] == ["one two", "three"]


def test_no_cue_is_longer_than_can_be_read() -> None:
    shown = cues([timed("word " * 100, word_ms=100), timed("slow " * 20, 10_000, word_ms=1500)])
    assert all(len(cue.text) <= MAX_CHARACTERS for cue in shown)
    assert all(cue.end_ms - cue.start_ms <= MAX_CUE_MS for cue in shown)
    assert " ".join(cue.text for cue in shown).split() == ["word"] * 100 + ["slow"] * 20


def test_text_is_spelled_as_it_was_written() -> None:
    words = (HeardWord("今日は", 0, 400), HeardWord("晴れ", 400, 900), HeardWord("です。", 900, 1200))
    (cue,) = cues([Stretch(0, 1500, "今日は晴れです。", words)])
    assert cue.text == "今日は晴れです。"


def test_words_that_the_text_does_not_hold_are_joined() -> None:
    words = (HeardWord("one", 0, 400), HeardWord("two", 400, 900))
    (cue,) = cues([Stretch(0, 1000, "1 2", words)])
    assert cue.text == "one two"


def test_without_times_of_words_a_stretch_is_a_cue() -> None:
    stretch = Stretch(1000, 9000, "one two", (HeardWord("one"), HeardWord("two")))
    (cue,) = cues([stretch, Stretch(9000, 9500, "")])
    assert (cue.start_ms, cue.end_ms, cue.text) == (1000, 9000, "one two")


def test_a_word_without_times_lies_after_the_one_before_it() -> None:
    words = (HeardWord("one", 100, 300), HeardWord("two"), HeardWord("three", 500, 700))
    (cue,) = cues([Stretch(0, 1000, "one two three", words)])
    assert [(word.start_ms, word.end_ms) for word in cue.words] == [(100, 300), (300, 300), (500, 700)]


def test_no_cue_begins_before_the_one_before_it_has_ended() -> None:
    overlapping = (HeardWord("early", 500, 700),)
    first, second = cues([timed("one two three.", 0), Stretch(400, 800, "early", overlapping)])
    assert second.start_ms == first.end_ms
    assert second.end_ms >= second.start_ms


SAID = [
    Stretch(3_723_004, 3_724_500, "a < b & c\n\n--> d", language="en"),
    Stretch(3_725_000, 3_726_000, "e"),
]


def test_srt_to_the_letter() -> None:
    assert as_srt(cues(SAID)) == (
        "1\n01:02:03,004 --> 01:02:04,500\na < b & c --> d\n\n2\n01:02:05,000 --> 01:02:06,000\ne\n\n"
    )


def test_vtt_to_the_letter() -> None:
    assert as_vtt(cues(SAID)) == (
        "WEBVTT\n\n01:02:03.004 --> 01:02:04.500\na &lt; b &amp; c --&gt; d\n\n"
        "01:02:05.000 --> 01:02:06.000\ne\n\n"
    )


@pytest.mark.parametrize(("write", "empty"), [(as_srt, ""), (as_vtt, "WEBVTT\n\n")])
def test_a_recording_without_speech_has_no_cues(write: object, empty: str) -> None:
    assert callable(write)
    assert write(cues([Stretch(0, 1000, "")])) == empty


def test_the_text_and_language_of_a_recording() -> None:
    heard = [Stretch(0, 1, "", language="ar"), Stretch(1, 2, "Hello.", language="en"), Stretch(2, 3, "You.")]
    assert whole_text(heard) == "Hello. You."
    assert spoken_language(heard) == "en"
    assert (whole_text([]), spoken_language([])) == ("", "")
