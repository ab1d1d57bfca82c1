"""Words of the decoder's text, timed by the sounds of the phoneme head."""

from __future__ import annotations

from asr_worker.engines.sounded_words import timed_by_sounds
from shared.hearing import Phone

STEP_MS = 100


def heard(sounds: str) -> list[Phone]:
    """Sounds of 100 ms one after another, written with spaces."""
    return [
        Phone(symbol, at * STEP_MS, (at + 1) * STEP_MS) for at, symbol in enumerate(sounds.split(), start=1)
    ]


IKHLAS = heard("q u l h u w a lˤlˤ aˤ: h u ʔ a ħ a d Q")


def times(words: str, phones: list[Phone]) -> list[tuple[str, int | None, int | None]]:
    return [(word.text, word.start_ms, word.end_ms) for word in timed_by_sounds(words.split(), phones, 0.9)]


def test_a_word_lasts_from_its_first_sound_to_its_last() -> None:
    assert times("قل هو الله أحد", IKHLAS) == [
        ("قل", 100, 400),
        ("هو", 400, 700),
        ("الله", 800, 1100),
        ("أحد", 1200, 1700),
    ]


def test_words_nobody_said_are_left_out() -> None:
    said = [word for word, _, _ in times("قل هو الله أحد المسكين سباتا", IKHLAS)]
    assert said == ["قل", "هو", "الله", "أحد"]


def test_a_word_misheard_in_part_stays() -> None:
    said = [word for word, _, _ in times("قل هو الله أهد", IKHLAS)]
    assert said[-1] == "أهد"


def test_a_word_said_twice_is_two_words() -> None:
    twice = heard("q u l q u l")
    assert times("قل قل", twice) == [("قل", 100, 400), ("قل", 400, 700)]


def test_emphatic_doubled_and_nasal_sounds_belong_to_their_letters() -> None:
    phones = heard("sˤ i rˤ aˤ: tˤ a ll a ð i: n a ʔ a ŋ θ a: n i:")
    assert [word for word, _, _ in times("صراط الذين أنثاني", phones)] == ["صراط", "الذين", "أنثاني"]


def test_where_nothing_was_heard_nothing_was_said() -> None:
    assert times("قل هو", []) == []
    assert times("", IKHLAS) == []


def test_words_come_in_order_and_within_what_was_heard() -> None:
    words = timed_by_sounds(["قل", "هو", "الله", "أحد"], IKHLAS, 0.5)
    starts = [word.start_ms or 0 for word in words]
    assert starts == sorted(starts)
    assert all(word.confidence == 0.5 for word in words)
