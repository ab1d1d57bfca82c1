"""Windows become turns; a transcript is split where the speaker changes, and keeps every letter."""

from __future__ import annotations

from asr_worker.speakers.turns import Turn, told_apart, turns_of
from asr_worker.speakers.windows import Window
from shared.hearing import HeardWord
from shared.transcription.recording import Stretch, whole_text

WORDS = (
    HeardWord("Good", 0, 300),
    HeardWord("morning.", 300, 900),
    HeardWord("Hello,", 1100, 1500),
    HeardWord("you.", 1500, 1900),
)
TALK = Stretch(0, 2000, "Good morning. Hello, you.", WORDS, "en")
TURNS = [Turn(0, 1000, 0), Turn(1000, 2000, 1)]


def windows(*starts_ms: int, span: int = 0) -> list[Window]:
    return [Window(start_ms, start_ms + 1600, span) for start_ms in starts_ms]


def test_the_border_of_two_windows_lies_between_their_middles() -> None:
    assert turns_of(windows(0, 400, 800), [0, 0, 1]) == [Turn(0, 1400, 0), Turn(1400, 2400, 1)]


def test_a_turn_ends_with_its_speech() -> None:
    found = turns_of(windows(0, 400) + windows(5000, span=1), [0, 0, 1])
    assert found == [Turn(0, 2000, 0), Turn(5000, 6600, 1)]


def test_a_speaker_who_goes_on_after_a_pause_has_one_turn() -> None:
    assert turns_of(windows(0) + windows(5000, span=1), [0, 0]) == [Turn(0, 6600, 0)]


def test_a_stretch_is_split_where_the_speaker_changes() -> None:
    first, second = told_apart([TALK], TURNS)
    assert (first.speaker, first.text, first.words) == (0, "Good morning.", WORDS[:2])
    assert (second.speaker, second.text, second.words) == (1, "Hello, you.", WORDS[2:])
    assert (first.start_ms, first.end_ms, second.start_ms, second.end_ms) == (0, 900, 1100, 2000)
    assert whole_text([first, second]) == TALK.text


def test_a_stretch_of_one_speaker_stays_as_it_is() -> None:
    (same,) = told_apart([TALK], [Turn(0, 5000, 3)])
    assert (same.speaker, same.text, same.words, same.start_ms, same.end_ms) == (3, TALK.text, WORDS, 0, 2000)


def test_words_without_times_go_with_the_words_around_them() -> None:
    words = (HeardWord("Well"), *WORDS[:2], HeardWord("there"), *WORDS[2:])
    talk = Stretch(0, 2000, "Well Good morning. there Hello, you.", words, "en")
    first, second = told_apart([talk], TURNS)
    assert (first.text, second.text) == ("Well Good morning. there", "Hello, you.")


def test_without_times_of_words_a_stretch_has_who_is_heard_longest() -> None:
    silent = (HeardWord("Good"), HeardWord("morning."))
    (whole,) = told_apart([Stretch(800, 2000, "Good morning.", silent)], TURNS)
    assert whole.speaker == 1


def test_a_word_in_a_pause_belongs_to_the_nearest_speaker() -> None:
    late = Stretch(2300, 2600, "Bye.", (HeardWord("Bye.", 2300, 2600),))
    (bye,) = told_apart([late], TURNS)
    assert bye.speaker == 1


def test_where_no_voice_was_found_nobody_is_named() -> None:
    assert told_apart([TALK], []) == [TALK]
