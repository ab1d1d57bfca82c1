"""The report and what the reciter saw live, brought together: a settled state holds.

The whole recording is heard once more in other windows, so it may be heard a little differently. Of the two
verdicts on a word the better one counts, as with a repetition.
"""

from __future__ import annotations

from typing import Final

import msgspec

from shared.recitation.live.feedback import Feedback, WordFeedback, WordStatus
from shared.recitation.reference.passage import Passage
from shared.recitation.report.report import VerifyReport, WordAnalysis, build_report

_BEST_FIRST: Final[tuple[WordStatus, ...]] = (
    "correct",
    "minor_mistake",
    "wrong",
    "missing",
    "not_judged",
    "pending",
)


def with_live_states(passage: Passage, report: VerifyReport, live: Feedback) -> VerifyReport:
    """The report on the whole recording, in which no settled word is worse than it was live."""
    another = any(notice.code == "not_this_passage" for notice in report.notices)
    words = tuple(
        _better(_feedback(word), seen, only_correct=another)
        for word, seen in zip(report.word_analysis, live.words, strict=True)
    )
    if all(word.status == was.status for word, was in zip(words, report.word_analysis, strict=True)):
        return report
    together = Feedback(
        words=words,
        transcript=report.transcribed_text,
        extra_words=report.extra_words,
        notice=report.notices[0].code if report.notices else None,
        quality=report.audio_quality,
    )
    merged = build_report(passage, together, report.timing_ms)
    return msgspec.structs.replace(merged, complete=report.complete, gaps=report.gaps, model=report.model)


def live_report(passage: Passage, live: Feedback, model: str = "") -> VerifyReport:
    """The report where the whole recording is not to be had: what was judged live, by `model`."""
    return build_report(passage, live, {}, judged="live", model=model)


def _better(word: WordFeedback, seen: WordFeedback, *, only_correct: bool) -> WordFeedback:
    """The whole recording's state, unless the live one is settled and better; no mistake that was settled
    before it was known that another passage is recited."""
    if only_correct and seen.status != "correct":
        return word
    settled = seen.final and _BEST_FIRST.index(seen.status) < _BEST_FIRST.index(word.status)
    return seen if settled else word


def _feedback(word: WordAnalysis) -> WordFeedback:
    return WordFeedback(
        index=word.index,
        word=word.word,
        verse_key=word.verse_key,
        status=word.status,
        final=True,
        confidence=word.confidence,
        heard=word.heard,
        expected=word.expected,
        start_ms=_ms(word.start_time),
        end_ms=_ms(word.end_time),
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
