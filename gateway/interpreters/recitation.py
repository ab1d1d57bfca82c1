"""From results to events: what was heard, placed in the session's time and judged against the passage."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.session.events import Heard, Latency, SegmentFailed
from shared.hearing import HeardWord, Hearing, Phone
from shared.protocol.segments import SAMPLE_RATE, SegmentResult
from shared.recitation.live.feedback import Feedback

_SAMPLES_PER_MS = SAMPLE_RATE // 1000


class Walk(Protocol):
    """The part of `shared.recitation.live.follower.Follower` that a live session uses."""

    def hear(self, hearing: Hearing) -> Feedback: ...

    def finish(self) -> Feedback: ...

    def snapshot(self) -> bytes: ...


class RecitationInterpreter:
    """State = f(results in seq order). Deterministic: a replay produces the same events."""

    def __init__(self, walk: Walk, heard_until: int = 0) -> None:
        """`heard_until`: end of the audio that has been answered so far, samples."""
        self._walk = walk
        self._heard_until = heard_until

    @property
    def heard_until(self) -> int:
        return self._heard_until

    def snapshot(self) -> bytes:
        return self._walk.snapshot()

    def apply(
        self, result: SegmentResult, *, final: bool, latency: Latency, server_busy: bool
    ) -> Heard | SegmentFailed:
        """Judge the next result. `final`: it ends the recitation, nothing more will be heard."""
        self._heard_until = max(self._heard_until, result.start_sample + result.samples)
        if result.outcome != "result":
            return SegmentFailed(result.seq, result.outcome, result.code, result.message)
        feedback = self._walk.hear(hearing_of(result))
        if final:
            feedback = self._walk.finish()
        return Heard(result.seq, feedback, result.text, latency, server_busy)


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
    )


def _moved(phone: Phone, by_ms: int) -> Phone:
    start_ms, end_ms = phone.start_ms + by_ms, phone.end_ms + by_ms
    return Phone(phone.symbol, start_ms, end_ms, phone.confidence, phone.alternatives)


def _moved_word(word: HeardWord, by_ms: int) -> HeardWord:
    if word.start_ms is None or word.end_ms is None:
        return word
    return msgspec.structs.replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)
