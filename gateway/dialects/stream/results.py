"""From what a window brought to `result`, `violation` and `correction`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from gateway.dialects.recite.messages import latency_info
from gateway.dialects.recite.word_entries import word_entry
from gateway.dialects.seconds import seconds
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
    feedback = states.feedback
    code = feedback.notice
    return ResultData(
        seq=event.seq,
        final=states.last_look,
        start_time=seconds(states.start_ms),
        end_time=seconds(states.end_ms),
        transcript=feedback.transcript,
        phonemes=tuple(map(_phoneme, states.phones or ())),
        words=tuple(map(_word, changes.words)),
        pointer=feedback.pointer,
        server_busy=event.server_busy,
        latency_ms=latency_info(event.latency),
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
    return seconds(start_ms)


def _word(word: WordFeedback) -> Word:
    entry = msgspec.structs.asdict(word_entry(word))
    return Word(**entry, expected=word.expected)


def _phoneme(phone: Phone) -> Phoneme:
    return Phoneme(phone.symbol, seconds(phone.start_ms), seconds(phone.end_ms), round(phone.confidence, 3))
