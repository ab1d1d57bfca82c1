"""What is not the passage gets a verdict on a word or two at most by chance, a notice, and no score."""

from __future__ import annotations

import random

import pytest

from shared.hearing import Hearing, Phone
from shared.recitation.alignment.phoneme_costs import INVENTORY
from shared.recitation.grading.passage_fit import Fit
from shared.recitation.grading.policy import SOUND_FIT
from shared.recitation.live.feedback import Feedback
from shared.recitation.live.follower import DEFAULT, Follower
from shared.recitation.report.report import build_report
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import Said, passage, place, recite, speak, windows


def judged(feedback: Feedback) -> list[str]:
    return [word.status for word in feedback.words if word.status != "pending"]


def noise(seconds: int, seed: int, per_second: int = 5) -> list[Hearing]:
    """Sounds by chance, as recognisers hear them in noise or at a wrong sample rate."""
    chance = random.Random(seed)
    count = seconds * per_second
    phones = [
        Phone(chance.choice(INVENTORY[1:40]), at * 1000 // per_second, at * 1000 // per_second + 60, 0.6)
        for at in range(count)
    ]
    return [
        Hearing(start, start + 2500, phones=tuple(p for p in phones if start <= p.start_ms < start + 2500))
        for start in range(0, seconds * 1000, 2000)
    ]


@pytest.mark.parametrize("verses", ["1:1-7", "112", "2:255", "78:1-40"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_is_not_judged(verses: str, seed: int) -> None:
    feedback = review(passage(verses), noise(40, seed))
    assert len(judged(feedback)) <= 2
    assert feedback.notice == "not_this_passage"
    report = build_report(passage(verses), feedback, {})
    assert (report.accuracy_score, report.wer, report.coverage) == (None, None, 0.0)
    assert [notice.code for notice in report.notices] == ["not_this_passage"]
    assert f"does not sound like {passage(verses).range}" in report.teacher_feedback_text


@pytest.mark.parametrize("window_ms", [1000, 2500, 8000])
@pytest.mark.parametrize(
    ("said", "verses"), [("1:1-7", "112"), ("112", "1:1-7"), ("1:1-7", "78:1-40"), ("93", "78:1-40")]
)
def test_another_passage_is_not_judged_live_nor_as_a_whole(said: str, verses: str, window_ms: int) -> None:
    follower = Follower(passage(verses))
    notices = []
    for hearing in windows(place(speak([said])), "sounds", window_ms):
        heard = follower.hear(hearing)
        notices.append(heard.notice)
        assert [word for word in heard.words if word.final and word.status != "correct"] == []
    feedback = follower.finish()
    assert notices[-1] == feedback.notice == "not_this_passage"
    assert len(judged(feedback)) <= (1 if window_ms == 8000 else 3)
    assert "missing" not in judged(feedback)


@pytest.mark.parametrize("window_ms", [1000, 2500, 8000])
@pytest.mark.parametrize(
    ("said", "verses"), [("1:1-7", "6:44-45"), ("1:1-7", "10:9-10"), ("1:1-7", "39:74-75"), ("103", "95")]
)
def test_a_phrase_in_common_makes_no_passage_of_another_one(said: str, verses: str, window_ms: int) -> None:
    """al-Fatiha has a verse in common with 6:45, 10:10 and 39:75, 103:3 half of it with 95:6."""
    follower = Follower(passage(verses))
    for hearing in windows(place(speak([said])), "sounds", window_ms):
        heard = follower.hear(hearing)
        assert heard.notice is None or _mistakes(heard) == set()
    feedback = follower.finish()
    assert feedback.notice == "not_this_passage"
    assert _mistakes(feedback) == set()
    assert build_report(passage(verses), feedback, {}).accuracy_score is None


def _mistakes(feedback: Feedback) -> set[int]:
    """Words that are shown as mistakes for good."""
    return {
        word.index
        for word in feedback.words
        if word.final and word.status in ("minor_mistake", "wrong", "missing")
    }


def test_mistakes_of_before_another_passage_stand() -> None:
    """Only what was settled in the other passage is taken back."""
    follower = Follower(passage("1:1-7"))
    said: list[Said] = ["1:1:1-1:2:2", {"sounds": "t u k u s"}, "1:2:4-1:7:9", "78:1-14"]
    for hearing in windows(place(speak(said)), "sounds"):
        notice = follower.hear(hearing).notice
    assert notice == "not_this_passage"
    assert _mistakes(follower.feedback()) == {6}


def test_text_engines_doubt_as_well() -> None:
    feedback = review(passage("112"), recite(["1:2-7", "93"], "timed words"))
    assert feedback.notice == "not_this_passage"
    assert len(judged(feedback)) <= 2


def test_the_notice_goes_when_the_passage_is_recited() -> None:
    """Something else first, then the passage: its words are judged from the first run on."""
    story: list[Said] = ["2:255", "112"]
    follower = Follower(passage("112"))
    feedbacks = [follower.hear(hearing) for hearing in recite(story)]
    assert "not_this_passage" in {feedback.notice for feedback in feedbacks}
    moved = Follower.restore(passage("112"), DEFAULT, follower.snapshot())
    assert moved.feedback() == feedbacks[-1]
    final = moved.finish()
    assert judged(final) == ["correct"] * 15


@pytest.mark.parametrize("engine", ["sounds", "timed words", "words"])
def test_every_second_word_wrong_is_still_the_passage(engine: str) -> None:
    words = passage("1:1-7").words
    story: list[Said] = [
        {"word": "2:3:5"} if word.index % 3 == 2 else f"{word.verse.key}:{word.position}" for word in words
    ]
    feedback = review(passage("1:1-7"), recite(story, engine))  # type: ignore[arg-type]
    assert feedback.notice is None
    assert judged(feedback).count("correct") >= 18


def test_formulas_say_nothing_of_the_passage() -> None:
    feedback = review(passage("112"), recite(["istiadha", "basmala", "istiadha", "basmala", "112"]))
    assert (feedback.notice, judged(feedback)) == (None, ["correct"] * 15)


def test_poor_sound_is_doubted_sooner_and_only_longer_runs_are_believed() -> None:
    def fit(poor: bool) -> Fit:
        return Fit((), heard=60, fitting=18, lately_heard=60, lately_fitting=18, limits=SOUND_FIT, poor=poor)

    assert [fit(poor).doubtful for poor in (False, True)] == [False, True]
    assert not fit(True).another_passage  # that is said of what was heard, however it sounds
    strict = SOUND_FIT.in_poor_sound()
    assert (strict.run_units, strict.run_words) == (36, 5)
