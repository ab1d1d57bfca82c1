"""Following: determinism, restoring, what is shown when, and the bounds of the state."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.hearing import Hearing, Phone
from shared.recitation.live.feedback import Feedback
from shared.recitation.live.follower import DEFAULT, FeedbackPolicy, Follower
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import Engine, Said, passage, place, recite, speak, windows

STORIES: dict[str, list[Said]] = {
    "clean": ["1:1-7"],
    "repeat, skip and swap": [
        "istiadha",
        "1:1-3",
        "1:2",
        "1:4:1",
        "1:4:3",
        "1:5:1",
        {"word": "2:3:5"},
        "1:5:3-1:7:9",
    ],
    "restart from the top": ["1:1-5", "1:1-7"],
    "lost": ["1:1-2", "2:255", "1:3-7"],
}
ENGINES: tuple[Engine, ...] = ("sounds", "words", "timed words")


def noisy(hearings: list[Hearing], seed: int, share: float = 0.15) -> list[Hearing]:
    """Hearings as a recogniser in trouble would deliver them: wrong, lost, doubtful sounds."""
    chance = random.Random(seed)
    out = []
    for hearing in hearings:
        phones: list[Phone] = []
        for phone in hearing.phones or ():
            kind = chance.random()
            if kind > share:
                phones.append(phone)
            elif kind > share / 3:
                others = ((phone.symbol, round(chance.random() / 2, 2)),)
                symbol = chance.choice(["a", "s", "m", "ʔ", "u:", "Q", "nobody knows this"])
                confidence = round(chance.random(), 2)
                phones.append(Phone(symbol, phone.start_ms, phone.end_ms, confidence, others))
        out.append(Hearing(hearing.start_ms, hearing.end_ms, hearing.text, hearing.words, tuple(phones)))
    return out


def statuses(feedback: Feedback) -> list[str]:
    return [word.status for word in feedback.words]


@settings(max_examples=40)
@given(
    story=st.sampled_from(sorted(STORIES)),
    engine=st.sampled_from(ENGINES),
    seed=st.integers(0, 1000),
    moves=st.sets(st.integers(0, 30), max_size=4),
)
def test_restoring_changes_nothing(story: str, engine: Engine, seed: int, moves: set[int]) -> None:
    reference = passage("1:1-7")
    hearings = recite(STORIES[story], engine)
    if engine == "sounds":
        hearings = noisy(hearings, seed)
    steady, moved = Follower(reference), Follower(reference)
    for at, hearing in enumerate(hearings):
        if at in moves:
            saved = moved.snapshot()
            moved = Follower.restore(reference, DEFAULT, saved)
            assert moved.snapshot() == saved
            assert moved.feedback() == steady.feedback()
        assert moved.hear(hearing) == steady.hear(hearing)
    assert moved.finish() == steady.finish()


def test_a_snapshot_of_something_else_is_refused() -> None:
    saved = Follower(passage("112")).snapshot()
    with pytest.raises(BadRequest, match="112:1-4"):
        Follower.restore(passage("113"), DEFAULT, saved)
    with pytest.raises(BadRequest, match="cannot be read"):
        Follower.restore(passage("112"), DEFAULT, saved[:-3])
    with pytest.raises(BadRequest, match="cannot be read"):
        Follower.restore(passage("112"), DEFAULT, b"nonsense")


def test_words_appear_while_they_are_recited() -> None:
    follower = Follower(passage("1:1-7"))
    shown = [follower.hear(hearing) for hearing in recite(["1:1-7"])]
    done = [statuses(feedback).count("correct") for feedback in shown]
    assert done[0] >= 3
    assert done == sorted(done)
    assert shown[0].pointer == done[0]


def test_an_error_waits_until_windows_agree_or_the_reciter_has_gone_on() -> None:
    follower = Follower(passage("112"))
    story: list[Said] = ["112:1:1-112:1:3", {"word": "2:3:5"}, "112:2-4"]
    first, *later = recite(story)
    shown = follower.hear(first)
    assert shown.words[3].status == "pending", "said within the first window, so nothing agrees yet"
    shown = follower.hear(later[0])
    assert (shown.words[3].status, shown.words[3].final) == ("wrong", True)


def test_missing_waits_until_the_reciter_is_two_words_past() -> None:
    follower = Follower(passage("1:1-7"))
    spoken = place(speak(["1:1:1", "1:1:3", "1:1:4", "1:2"]))
    when: dict[str, int] = {}
    for hearing in windows(spoken, "sounds", window_ms=600, overlap_ms=200):
        feedback = follower.hear(hearing)
        when.setdefault(feedback.words[1].status, feedback.pointer)
        if feedback.words[1].status == "missing":
            assert feedback.words[1].final
    assert when["missing"] >= 4
    assert set(when) == {"pending", "missing"}


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 0.5))
def test_a_final_state_never_gets_worse(seed: int, share: float) -> None:
    rank = {"correct": 0, "minor_mistake": 1, "wrong": 2, "missing": 3}
    follower = Follower(passage("1:1-7"))
    finals: dict[int, str] = {}
    story = STORIES["repeat, skip and swap"]
    for feedback in [*(follower.hear(h) for h in noisy(recite(story), seed, share)), follower.finish()]:
        for word in feedback.words:
            if word.index in finals:
                assert word.final
                assert rank[word.status] <= rank[finals[word.index]]
            if word.final:
                finals[word.index] = word.status


@settings(max_examples=25)
@given(stop=st.integers(1, 29), window_ms=st.integers(900, 5000), overlap_ms=st.integers(300, 700))
def test_a_clean_prefix_is_all_correct_and_the_rest_untouched(
    stop: int, window_ms: int, overlap_ms: int
) -> None:
    reference = passage("1:1-7")
    said = [word for word in reference.words[:stop]]
    timeline = place(speak([f"{word.verse.key}:{word.position}" for word in said]))
    feedback = review(reference, windows(timeline, "sounds", window_ms, overlap_ms))
    assert statuses(feedback) == ["correct"] * stop + ["pending"] * (29 - stop)
    assert feedback.pointer == stop
    assert feedback.completed is (stop == 29)
    assert not feedback.repeats
    assert not feedback.extra_words


@settings(max_examples=25)
@given(at=st.integers(2, 28), back=st.integers(1, 28), engine=st.sampled_from(ENGINES))
def test_a_restart_of_any_length_raises_no_flag(at: int, back: int, engine: Engine) -> None:
    reference = passage("1:1-7")
    keys = [f"{word.verse.key}:{word.position}" for word in reference.words]
    feedback = review(reference, recite([*keys[:at], *keys[max(0, at - back) :]], engine))
    assert statuses(feedback) == ["correct"] * 29


def test_times_and_sounds_are_reported() -> None:
    feedback = review(passage("112"), recite(["112"]))
    first = feedback.words[0]
    assert (first.word, first.verse_key, first.heard, first.expected) == ("قُلْ", "112:1", "q u l", "q u l")
    assert (first.start_ms, first.end_ms) == (300, 580)
    untimed = review(passage("112"), recite(["112"], "words")).words[0]
    assert (untimed.start_ms, untimed.end_ms, untimed.heard) == (None, None, "قُلْ")


def test_empty_windows_and_repeated_phones_from_silence_do_no_harm() -> None:
    follower = Follower(passage("112"))
    for hearing in recite(["112:1", {"pause_ms": 9000}, "112:2-4"]):
        follower.hear(hearing)
    assert statuses(follower.finish()) == ["correct"] * 15


def test_long_nonsense_stays_bounded() -> None:
    """Ten minutes of something else entirely: state and remarks stay within their bounds."""
    policy = FeedbackPolicy(transcript_words=50, remarks=5)
    follower = Follower(passage("112"), policy)
    for hearing in recite(["2:255-260"]):
        feedback = follower.hear(hearing)
    assert len(feedback.extra_words) <= 5
    assert len(feedback.transcript.split()) <= 50 + 20
    assert len(follower.snapshot()) < 8_000
    assert len(feedback.words) == 15


def test_a_snapshot_is_small() -> None:
    follower = Follower(passage("1:1-7"))
    for hearing in recite(["1:1-7"]):
        follower.hear(hearing)
        assert len(follower.snapshot()) < 4_000


def test_a_far_restart_is_found_again() -> None:
    """Back to the top of a long passage, far beyond the usual look-back."""
    feedback = review(passage("2:1-20"), recite(["2:1-16", "2:1-20"]))
    assert set(statuses(feedback)) == {"correct"}
