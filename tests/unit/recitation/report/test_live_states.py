"""A settled live state holds in the report; where the recording is lost, the live states are the report."""

from __future__ import annotations

import msgspec
import pytest

from shared.recitation.live.feedback import Feedback, Gap, WordStatus
from shared.recitation.report.live_states import live_report, with_live_states
from shared.recitation.report.report import VerifyReport, build_report
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import passage, recite

PASSAGE = passage("112")
RECITED = review(PASSAGE, recite(["112"]))


def judged(status: WordStatus, final: bool = True, index: int = 5) -> Feedback:
    """All words correct but one."""
    words = list(RECITED.words)
    words[index] = msgspec.structs.replace(words[index], status=status, final=final)
    return msgspec.structs.replace(RECITED, words=tuple(words))


def report(status: WordStatus) -> VerifyReport:
    return build_report(PASSAGE, judged(status), {"load_ms": 3})


@pytest.mark.parametrize(
    ("live", "final", "whole", "shown"),
    [
        ("correct", True, "wrong", "correct"),
        ("correct", True, "missing", "correct"),
        ("minor_mistake", True, "wrong", "minor_mistake"),
        ("correct", False, "wrong", "wrong"),
        ("wrong", True, "correct", "correct"),
        ("missing", True, "correct", "correct"),
        ("wrong", True, "pending", "wrong"),
        ("not_judged", False, "correct", "correct"),
        ("correct", True, "not_judged", "correct"),
    ],
)
def test_the_better_state_of_each_word_counts(
    live: WordStatus, final: bool, whole: WordStatus, shown: WordStatus
) -> None:
    made = with_live_states(PASSAGE, report(whole), judged(live, final))
    assert made.word_analysis[5].status == shown
    assert [word.status for word in made.word_analysis].count("correct") == 14 + (shown == "correct")
    assert made.timing_ms == {"load_ms": 3}
    assert made.judged == "whole"
    if shown == "correct":
        assert made.accuracy_score == 100.0


def test_without_a_difference_the_report_is_the_same() -> None:
    made = report("wrong")
    assert with_live_states(PASSAGE, made, judged("wrong")) is made


def test_a_report_on_live_states_says_so() -> None:
    lost = msgspec.structs.replace(judged("not_judged"), gaps=(Gap(2000, 4500),))
    made = live_report(PASSAGE, lost)
    assert (made.judged, made.complete, made.accuracy_score) == ("live", False, 100.0)
    assert (made.gaps[0].start_time, made.gaps[0].end_time) == (2.0, 4.5)
    told = made.word_analysis[5].feedback
    assert told == "Not judged: the audio of this word was lost, too poor or too slow."
