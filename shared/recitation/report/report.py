"""The verdict on a whole recording: what `POST /verify` and `final_result` return.

Honest by construction: what is not assessed is null, and the text says that a machine may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from shared.recitation.live.audio_quality import GOOD, AudioQuality, QualityReason
from shared.recitation.live.feedback import Feedback, NoticeCode, WordFeedback, WordStatus
from shared.recitation.reference.passage import Passage
from shared.recitation.report.scoring import Counts, Score, score

ConfidenceLevel = Literal["high", "medium", "low"]

TAJWEED_NOT_ASSESSED: Final = (
    "Tajweed rules are not assessed automatically yet; please ask a teacher to listen to them."
)
CAUTION: Final = "Automatic feedback can be wrong and does not replace a teacher."
INCOMPLETE: Final = "Part of the recitation was lost and is not judged."
QUALITY_TEXT: Final[dict[QualityReason, str]] = {
    "noise": "There was too much noise to judge by; recite where it is quieter.",
    "clipping": "The sound was cut off because it was too loud; move away from the microphone a little.",
    "quiet": "The voice was too quiet to be judged; come closer to the microphone or turn it up.",
    "unclear": "The sound was not clear enough to judge by; check the microphone, "
    "its distance, and that the audio is sent as 16 kHz.",
}
"""For the reciter, by what was wrong with the sound."""
_NAMED_WORDS: Final = 5
"""So many words are named in the teacher's sentence; the rest are counted."""
_HIGH: Final = 0.85
_MEDIUM: Final = 0.6
_SETTLED_BY: Final[dict[WordStatus, str | None]] = {
    "correct": None,
    "minor_mistake": "Almost right: listen to this word once more.",
    "wrong": "This sounded like a different word.",
    "missing": "This word was left out.",
    "pending": "Not recited.",
    "not_judged": "Not judged: the audio of this word was lost, too poor or too slow.",
}


class WordAnalysis(msgspec.Struct, frozen=True):
    """One word of the passage. Times in seconds from the start of the recording, if known."""

    word: str
    status: WordStatus
    confidence: float
    feedback: str | None
    start_time: float | None
    end_time: float | None
    index: int
    verse_key: str
    heard: str | None = None
    expected: str | None = None


class WordTiming(msgspec.Struct, frozen=True):
    """When a word was recited, seconds."""

    index: int
    word: str
    start_time: float
    end_time: float


class LostAudio(msgspec.Struct, frozen=True):
    """Audio of the recitation that was lost, seconds from its start."""

    start_time: float
    end_time: float


class ReportNotice(msgspec.Struct, frozen=True):
    """Why hardly anything is judged: a code, and a sentence for the reciter."""

    code: NoticeCode
    message: str


class VerifyReport(msgspec.Struct, frozen=True):
    """`accuracy_score` and `wer`/`cer` as in `Score`; `timing_ms` is processing time by stage.

    `complete`: all of the recitation was heard; else `gaps` says what was not. `judged`: the whole
    recording once more, or only what was judged live. `model`: which one judged, with its version; empty
    where it is not known. `audio_quality`: whether the sound was good enough.
    """

    transcribed_text: str
    accuracy_score: float | None
    word_analysis: tuple[WordAnalysis, ...]
    extra_words: tuple[str, ...]
    tajweed_score: float | None
    tajweed_feedback: str
    confidence_level: ConfidenceLevel
    confidence_score: float
    teacher_feedback_text: str
    timing_data: tuple[WordTiming, ...]
    timing_ms: dict[str, int]
    wer: float | None
    cer: float | None
    counts: Counts
    coverage: float
    verse_range: str
    complete: bool = True
    gaps: tuple[LostAudio, ...] = ()
    notices: tuple[ReportNotice, ...] = ()
    judged: Literal["whole", "live"] = "whole"
    model: str = ""
    audio_quality: AudioQuality = GOOD


def build_report(
    passage: Passage,
    feedback: Feedback,
    timing_ms: Mapping[str, int],
    confidence: float | None = None,
    judged: Literal["whole", "live"] = "whole",
    model: str = "",
) -> VerifyReport:
    """The report of a finished recitation.

    `timing_ms` names the stages of its processing; `confidence` (0-1) replaces the mean word
    confidence where the engine knows better.
    """
    notices = (
        ()
        if feedback.notice is None
        else (ReportNotice(feedback.notice, notice_text(passage, feedback.notice)),)
    )
    result = score(feedback)
    confidence = _confidence(feedback.words) if confidence is None else confidence
    return VerifyReport(
        transcribed_text=feedback.transcript,
        accuracy_score=result.accuracy,
        word_analysis=tuple(_analysis(word) for word in feedback.words),
        extra_words=feedback.extra_words,
        tajweed_score=None,
        tajweed_feedback=TAJWEED_NOT_ASSESSED,
        confidence_level="high" if confidence >= _HIGH else "medium" if confidence >= _MEDIUM else "low",
        confidence_score=confidence,
        teacher_feedback_text=teacher_text(
            feedback.words, result, notices, bool(feedback.gaps), feedback.quality
        ),
        timing_data=tuple(_timings(feedback.words)),
        timing_ms=dict(timing_ms),
        wer=result.wer,
        cer=result.cer,
        counts=result.counts,
        coverage=result.coverage,
        verse_range=str(passage.range),
        complete=not feedback.gaps,
        gaps=tuple(LostAudio(gap.start_ms / 1000, gap.end_ms / 1000) for gap in feedback.gaps),
        notices=notices,
        judged=judged,
        model=model,
        audio_quality=feedback.quality,
    )


def notice_text(passage: Passage, code: NoticeCode) -> str:
    """The sentence of a notice for the reciter."""
    if code == "too_quiet":
        return "The voice is too quiet to be judged; come closer to the microphone or turn it up."
    return (
        f"This does not sound like {passage.range}. Check the verses that were chosen; "
        "if they are right, check the microphone and that the audio is sent as 16 kHz."
    )


def _confidence(words: Sequence[WordFeedback]) -> float:
    """Mean confidence of the words heard; 0 when nothing was."""
    heard = [word.confidence for word in words if word.heard is not None]
    return round(sum(heard) / len(heard), 3) if heard else 0.0


def settled_text(status: WordStatus) -> str | None:
    """What a reciter is told of a word that stands so; None where there is nothing to say."""
    return _SETTLED_BY[status]


def _analysis(word: WordFeedback) -> WordAnalysis:
    return WordAnalysis(
        word=word.word,
        status=word.status,
        confidence=round(word.confidence, 3),
        feedback=settled_text(word.status),
        start_time=_seconds(word.start_ms),
        end_time=_seconds(word.end_ms),
        index=word.index,
        verse_key=word.verse_key,
        heard=word.heard,
        expected=word.expected,
    )


def _seconds(time_ms: int | None) -> float | None:
    return None if time_ms is None else round(time_ms / 1000, 3)


def _timings(words: Sequence[WordFeedback]) -> list[WordTiming]:
    return [
        WordTiming(word.index, word.word, word.start_ms / 1000, word.end_ms / 1000)
        for word in words
        if word.start_ms is not None and word.end_ms is not None
    ]


def teacher_text(
    words: Sequence[WordFeedback],
    result: Score,
    notices: Sequence[ReportNotice] = (),
    incomplete: bool = False,
    quality: AudioQuality = GOOD,
) -> str:
    """A friendly, specific sentence: what went well, which words to look at, how far it can be trusted."""
    lost = [INCOMPLETE] if incomplete else []
    if quality.reason is not None:
        lost.insert(0, QUALITY_TEXT[quality.reason])
    if notices:
        return " ".join([*(notice.message for notice in notices), *lost, CAUTION])
    if result.accuracy is None and lost:
        return " ".join([*lost, CAUTION])
    if result.accuracy is None:
        return (
            f"I could not hear any word of this passage; please try again closer to the microphone. {CAUTION}"
        )
    advice = [
        sentence
        for status, lead in (
            ("wrong", "Please review"),
            ("missing", "You left out"),
            ("minor_mistake", "Listen again to"),
        )
        if (sentence := _named(lead, [word for word in words if word.status == status]))
    ]
    counts = result.counts
    recited = counts.correct + counts.minor_mistake + counts.wrong + counts.missing
    praise = (
        "Well done: every word was right."
        if not advice
        else f"{counts.correct} of {recited} words were right."
    )
    if counts.pending and not advice:
        praise = f"Well done: all {recited} words you recited were right."
    if counts.not_judged and not advice:
        praise = f"All {recited} words that could be judged were right."
    rest = [f"{counts.pending} words of the passage were not recited."] if counts.pending else []
    return " ".join([praise, *advice, *lost, *rest, CAUTION])


def _named(lead: str, words: Sequence[WordFeedback]) -> str:
    if not words:
        return ""
    named = ", ".join(f"{word.word} ({word.verse_key})" for word in words[:_NAMED_WORDS])
    more = len(words) - _NAMED_WORDS
    return f"{lead} {named}{f' and {more} more' if more > 0 else ''}."
