"""The recitation interpreter: what was heard, placed in the session's time and judged against the passage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from gateway.session.interpreter import Finding
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import HeardWord, Hearing, Phone
from shared.protocol.segments import SegmentResult
from shared.recitation.live.feedback import Feedback

_SAMPLES_PER_MS = SAMPLE_RATE // 1000


class Follower(Protocol):
    """The part of `shared.recitation.live.follower.Follower` that a live session uses."""

    def hear(self, hearing: Hearing) -> Feedback: ...

    def miss(self, start_ms: int, end_ms: int) -> Feedback: ...

    def finish(self) -> Feedback: ...

    def snapshot(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class WordStates(Finding):
    """The state of every word of the passage after one more result. `text`: what the decoder wrote."""

    feedback: Feedback
    text: str


class RecitationInterpreter:
    """An `Interpreter` over a follower of the passage."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._text = ""

    @property
    def confirmed(self) -> int:
        """Windows of a recitation follow the audio alone."""
        return 0

    def hear(self, result: SegmentResult) -> WordStates:
        self._text = result.text
        return WordStates(self._follower.hear(hearing_of(result)), result.text)

    def miss(self, result: SegmentResult) -> None:
        """Words in what no other window hears are not judged."""
        self.lose(result.start_sample, result.start_sample + result.samples)

    def lose(self, start: int, end: int) -> None:
        self._follower.miss(start // _SAMPLES_PER_MS, end // _SAMPLES_PER_MS)

    def finish(self) -> WordStates:
        return WordStates(self._follower.finish(), self._text)

    def snapshot(self) -> bytes:
        return self._follower.snapshot()


def hearing_of(result: SegmentResult) -> Hearing:
    """The result with its times moved from the segment's start to the session's start, ms."""
    start_ms = result.start_sample // _SAMPLES_PER_MS
    return Hearing(
        start_ms=start_ms,
        end_ms=(result.start_sample + result.samples) // _SAMPLES_PER_MS,
        text=result.text,
        words=tuple(_moved_word(word, start_ms) for word in result.words),
        phones=None if result.phones is None else tuple([_moved(phone, start_ms) for phone in result.phones]),
        script=result.script,
        confidence_curves=result.confidence_curves,
        sound=result.sound,
    )


def _moved(phone: Phone, by_ms: int) -> Phone:
    start_ms, end_ms = phone.start_ms + by_ms, phone.end_ms + by_ms
    return Phone(phone.symbol, start_ms, end_ms, phone.confidence, phone.alternatives)


def _moved_word(word: HeardWord, by_ms: int) -> HeardWord:
    if word.start_ms is None or word.end_ms is None:
        return word
    return msgspec.structs.replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)
