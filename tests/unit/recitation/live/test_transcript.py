"""Assembly of overlapping windows: nothing lost, nothing doubled, genuine repetitions kept."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.hearing import HeardWord, Hearing, Phone
from shared.recitation.alignment.phoneme_costs import sound_id
from shared.recitation.alignment.sound_units import HeardSound, heard_sound
from shared.recitation.grading.sound_grader import join_sounds
from shared.recitation.live.transcript import Transcript
from tests.unit.recitation.reciter import Engine, passage, place, recite, speak, windows

FATIHA = [word.display for word in passage("1:1-7").words]


def assembled(hearings: list[Hearing]) -> list[str]:
    transcript = Transcript(limit=1000)
    for hearing in hearings:
        transcript.add(hearing)
    return transcript.text.split()


@pytest.mark.parametrize("engine", ["sounds", "words", "timed words"])
@pytest.mark.parametrize("story", [["1:1-7"], ["1:1-3", "1:3", "1:4-7"], ["109"], ["23:36"], ["55:13-20"]])
def test_words_come_out_once_each(engine: Engine, story: list[str]) -> None:
    spoken = [item.text for item in speak(story)]
    assert assembled(recite(story, engine)) == spoken


@settings(max_examples=60)
@given(
    words=st.lists(st.sampled_from(FATIHA), min_size=1, max_size=40),
    window_ms=st.integers(1500, 5000),
    overlap_ms=st.integers(200, 1000),
)
def test_timed_words_survive_any_cutting(words: list[str], window_ms: int, overlap_ms: int) -> None:
    timed, now = [], 100
    for word in words:
        timed.append(HeardWord(word, now, now + 80 * len(word)))
        now += 80 * len(word) + 40
    hearings, start = [], 0
    while start < now:
        end = start + window_ms
        inside = tuple(w for w in timed if start <= ((w.start_ms or 0) + (w.end_ms or 0)) / 2 < end)
        hearings.append(Hearing(start, end, words=inside))
        start += window_ms - overlap_ms
    assert assembled(hearings) == words


def untimed(*texts: str, overlap_ms: int = 500) -> list[str]:
    step = 2500 - overlap_ms
    return assembled([Hearing(at * step, at * step + 2500, text=text) for at, text in enumerate(texts)])


def test_a_word_cut_at_the_border_is_kept_whole() -> None:
    assert untimed("الحمد لله رب العا", "العالمين الرحمن") == ["الحمد", "لله", "رب", "العالمين", "الرحمن"]
    assert untimed("الحمد لله رب العالمين", "لمين الرحمن") == ["الحمد", "لله", "رب", "العالمين", "الرحمن"]
    assert untimed("اهدنا الصراط المستق", "ستقيم صراط") == ["اهدنا", "الصراط", "المستقيم", "صراط"]


def test_no_overlap_keeps_everything() -> None:
    assert untimed("قل هو", "هو الله", overlap_ms=0) == ["قل", "هو", "هو", "الله"]


def test_a_phrase_said_again_is_not_an_overlap() -> None:
    phrase = "الرحمن الرحيم مالك يوم الدين"
    said = untimed(phrase, phrase)
    assert said == [*phrase.split(), *phrase.split()]


def test_two_readings_of_one_word_count_once() -> None:
    assert untimed("الحمد لله رب العالمين", "العلمين الرحمن") == ["الحمد", "لله", "رب", "العالمين", "الرحمن"]


def sounds(symbols: str, start_ms: int, step_ms: int = 100) -> list[HeardSound]:
    return [
        HeardSound(sound_id(symbol), start_ms + at * step_ms, start_ms + at * step_ms + 80)
        for at, symbol in enumerate(symbols.split())
    ]


def joined(old: list[HeardSound], new: list[HeardSound], overlap: tuple[int, int]) -> list[str]:
    keep, follows = join_sounds(old, new, overlap)
    return [unit.symbol for unit in (*old[:keep], *follows)]


def test_a_sound_both_windows_place_across_the_cut_is_neither_lost_nor_doubled() -> None:
    old = sounds("a b d", 2000)
    late, early = sounds("b d k", 2160), sounds("b d k", 2040)
    assert joined(old, late, (2000, 2300)) == ["a", "b", "d", "k"]
    assert joined(old, early, (2000, 2300)) == ["a", "b", "d", "k"]


def test_without_a_shared_sound_the_clock_decides() -> None:
    assert joined(sounds("a b d m", 2000), sounds("s f k l", 2020), (2000, 2400)) == ["a", "b", "k", "l"]


def test_what_only_one_window_heard_stands() -> None:
    assert joined(sounds("a b d m", 2000), [], (2000, 2400)) == ["a", "b", "d", "m"]
    assert joined([], sounds("a b", 2000), (2000, 2400)) == ["a", "b"]


@settings(max_examples=60)
@given(
    verse=st.sampled_from(["1:1-7", "112", "114", "2:255", "67:1-3", "23:36"]),
    window_ms=st.integers(800, 5000),
    overlap_ms=st.integers(250, 700),
    jitter=st.lists(st.integers(-25, 25), min_size=8, max_size=8),
)
@example(verse="1:1-7", window_ms=3374, overlap_ms=250, jitter=[0, 20, -25, 0, 0, 0, 0, 0])
def test_sounds_survive_any_cutting(verse: str, window_ms: int, overlap_ms: int, jitter: list[int]) -> None:
    timeline = place(speak([verse]))
    kept: list[HeardSound] = []
    fresh, heard_to = 0, 0
    for at, hearing in enumerate(windows(timeline, "sounds", window_ms, overlap_ms)):
        shift = jitter[at % len(jitter)]
        new = [
            heard_sound(Phone(p.symbol, p.start_ms + shift, p.end_ms + shift)) for p in hearing.phones or ()
        ]
        keep, follows = join_sounds(kept[fresh:], new, (hearing.start_ms, heard_to))
        fresh += keep
        kept[fresh:] = follows
        heard_to = hearing.end_ms
    assert [unit.symbol for unit in kept] == [phone.symbol for phone in timeline.phones]
