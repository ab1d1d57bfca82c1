"""Scores and reports: only what was recited counts, and nothing is claimed that was not assessed."""

from __future__ import annotations

import msgspec
import pytest

from shared.recitation.live.feedback import Feedback
from shared.recitation.report.report import CAUTION, VerifyReport, build_report
from shared.recitation.report.review import review
from shared.recitation.report.scoring import Counts, score
from tests.unit.recitation.reciter import Engine, Said, passage, recite

ENGINES: list[Engine] = ["sounds", "words"]


def reviewed(said: list[Said], engine: Engine = "sounds") -> Feedback:
    return review(passage("1:1-7"), recite(said, engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_clean_recitation_is_perfect(engine: Engine) -> None:
    result = score(reviewed(["1:1-7"], engine))
    assert (result.accuracy, result.coverage, result.wer, result.cer) == (100.0, 1.0, 0.0, 0.0)
    assert result.counts == Counts(correct=29)


@pytest.mark.parametrize("engine", ENGINES)
def test_mistakes_cost_and_the_unsaid_tail_does_not(engine: Engine) -> None:
    result = score(reviewed(["1:1", "1:2:1", "1:2:3-1:5:4"], engine))
    assert result.counts == Counts(correct=16, missing=1, pending=12)
    assert result.accuracy == pytest.approx(100 * 16 / 17, abs=0.1)
    assert result.coverage == pytest.approx(17 / 29, abs=0.001)
    assert result.wer == pytest.approx(1 / 17, abs=0.001)
    assert result.cer is not None
    assert 0 < result.cer < 0.2


def test_extra_words_cost_little() -> None:
    result = score(reviewed(["1:1", {"word": "2:255:9"}, "1:2-7"]))
    assert result.counts.extra == 1
    assert result.accuracy == 99.0


def test_repetitions_cost_nothing() -> None:
    assert score(reviewed(["1:1-3", "1:2-7"])).accuracy == 100.0


def test_silence_is_no_score_rather_than_zero() -> None:
    feedback = reviewed([{"pause_ms": 3000}])
    result = score(feedback)
    assert (result.accuracy, result.wer, result.cer, result.coverage) == (None, None, None, 0.0)
    report = build_report(passage("1:1-7"), feedback, {})
    assert (report.confidence_level, report.accuracy_score) == ("low", None)
    assert "could not hear" in report.teacher_feedback_text


def test_the_report_has_the_fields_clients_know() -> None:
    report = build_report(passage("1:1-7"), reviewed(["1:1-7"]), {"decode_ms": 12})
    fields = set(msgspec.structs.asdict(report))
    assert fields >= {
        "transcribed_text",
        "accuracy_score",
        "word_analysis",
        "extra_words",
        "tajweed_score",
        "tajweed_feedback",
        "confidence_level",
        "confidence_score",
        "teacher_feedback_text",
        "timing_data",
        "timing_ms",
        "wer",
        "cer",
    }
    first = msgspec.structs.asdict(report.word_analysis[0])
    assert {"word", "status", "confidence", "feedback", "start_time", "end_time"} <= set(first)
    assert (first["start_time"], first["end_time"]) == (0.3, 0.78)
    assert msgspec.json.decode(msgspec.json.encode(report), type=VerifyReport) == report
    assert report.verse_range == "1:1-7"
    assert len(report.timing_data) == 29


def test_what_is_not_assessed_is_null_and_said() -> None:
    report = build_report(passage("1:1-7"), reviewed(["1:1-7"]), {})
    assert report.tajweed_score is None
    assert "not assessed" in report.tajweed_feedback
    assert CAUTION in report.teacher_feedback_text
    assert "Well done" in report.teacher_feedback_text


def test_the_teacher_names_the_words() -> None:
    report = build_report(
        passage("1:1-7"), reviewed(["1:1", "1:2:1", "1:2:3-1:5:2", {"word": "2:3:5"}, "1:5:4"]), {}
    )
    words = [word.display for word in passage("1:1-7").words]
    assert f"You left out {words[5]} (1:2)." in report.teacher_feedback_text
    assert f"Please review {words[15]} (1:5)." in report.teacher_feedback_text
    assert "12 words of the passage were not recited." in report.teacher_feedback_text


def test_many_mistakes_are_counted_not_listed() -> None:
    report = build_report(passage("1:1-7"), reviewed(["1:1", "1:5-7"]), {})
    assert "and 4 more" in report.teacher_feedback_text


def test_an_engine_may_state_its_own_confidence() -> None:
    report = build_report(passage("1:1-7"), reviewed(["1:1-7"]), {}, confidence=0.5)
    assert (report.confidence_score, report.confidence_level) == (0.5, "low")
