"""From what a window brought to `result`, `violation` and `correction`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from gateway.dialects.recite.messages import LatencyInfo
from gateway.dialects.stream.messages import Phoneme, ResultData, ViolationData, Word
from gateway.interpreters.recitation.changes import Changes
from gateway.interpreters.recitation.interpreter import WordStates
from gateway.session.events import Heard
from shared.hearing import Phone
from shared.recitation.live.feedback import WordFeedback
from shared.recitation.reference.passage import Passage
from shared.recitation.report.report import ReportNotice, notice_text, settled_text


def result_of(event: Heard, states: WordStates, changes: Changes, passage: Passage) -> ResultData:
    """The data of `result`."""
    feedback, latency = states.feedback, event.latency
    code = feedback.notice
    return ResultData(
        seq=event.seq,
        final=states.last_look,
        start_time=_seconds(states.start_ms),
        transcript=feedback.transcript,
        phonemes=tuple(map(_phoneme, states.phones or ())),
        words=tuple(map(_word, changes.words)),
        pointer=feedback.pointer,
        server_busy=event.server_busy,
        latency_ms=LatencyInfo(latency.buffer_ms, latency.queued_ms, latency.inference_ms, latency.total_ms),
        audio_quality=feedback.quality,
        notice=UNSET if code is None else ReportNotice(code, notice_text(passage, code)),
    )


def violation_of(word: WordFeedback, words: Sequence[WordFeedback]) -> ViolationData:
    """The data of `violation` and of `correction`. `words`: all words of the passage as they stand."""
    text = settled_text(word.status) or "Now it is right."
    return ViolationData(_word(word), _said_at(word, words), text)


def _said_at(word: WordFeedback, words: Sequence[WordFeedback]) -> float | None:
    """Seconds; for a word that was left out, where the next one that was said begins."""
    known = (one.start_ms for one in words[word.index :] if one.start_ms is not None)
    start_ms = next(known, None)
    return None if start_ms is None else _seconds(start_ms)


def _word(word: WordFeedback) -> Word:
    return Word(
        index=word.index,
        word=word.word,
        verse_key=word.verse_key,
        status=word.status,
        final=word.final,
        confidence=None if word.heard is None else round(word.confidence, 3),
        heard=word.heard,
        expected=word.expected,
        start_time=None if word.start_ms is None else _seconds(word.start_ms),
        end_time=None if word.end_ms is None else _seconds(word.end_ms),
    )


def _phoneme(phone: Phone) -> Phoneme:
    return Phoneme(phone.symbol, _seconds(phone.start_ms), _seconds(phone.end_ms), round(phone.confidence, 3))


def _seconds(time_ms: int) -> float:
    return time_ms / 1000
