"""The recitation interpreter: what was heard, placed in the session's time and judged against the passage."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from gateway.session.interpreter import NOTHING_SAID, Finding, Said
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import HeardWord, Hearing, Phone
from shared.protocol.segments import SegmentResult
from shared.recitation.live.feedback import Feedback, WordFeedback

_SAMPLES_PER_MS = SAMPLE_RATE // 1000


class Follower(Protocol):
    """The part of `shared.recitation.live.follower.Follower` that a live session uses."""

    def hear(self, hearing: Hearing) -> Feedback: ...

    def miss(self, start_ms: int, end_ms: int) -> Feedback: ...

    def finish(self) -> Feedback: ...

    def feedback(self) -> Feedback: ...

    def snapshot(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class WordStates(Finding):
    """The state of every word of the passage after one more result. `text`: what the decoder wrote.
    `news`: which of the states are new. `before`: the words as they stood before the result.
    `phones`: the sounds of its window, times in ms of the session; None where the engine hears words only.
    `start_ms`, `end_ms`: where that window begins and ends. `last_look`: nothing that comes later hears the
    same audio again."""

    feedback: Feedback
    text: str
    news: Said = NOTHING_SAID
    before: Sequence[WordFeedback] = ()
    phones: tuple[Phone, ...] | None = None
    start_ms: int = 0
    end_ms: int = 0
    last_look: bool = False

    @property
    def said(self) -> Said:
        return self.news


class RecitationInterpreter:
    """An `Interpreter` over a follower of the passage."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        words = follower.feedback().words
        self._seen = SeenWords(words)
        self._newest = WordStates(Feedback(words), "", before=words)

    @property
    def confirmed(self) -> int:
        """Windows of a recitation follow the audio alone."""
        return 0

    def hear(self, result: SegmentResult) -> WordStates:
        hearing = hearing_of(result)
        before = self._newest.feedback.words
        feedback = self._follower.hear(hearing)
        self._newest = WordStates(
            feedback,
            result.text,
            self._seen.look(feedback.words),
            before,
            hearing.phones,
            hearing.start_ms,
            hearing.end_ms,
            result.priority == "final",
        )
        return self._newest

    def miss(self, result: SegmentResult) -> None:
        """Words in what no other window hears are not judged."""
        self.lose(result.start_sample, result.start_sample + result.samples)

    def lose(self, start: int, end: int) -> None:
        self._follower.miss(start // _SAMPLES_PER_MS, end // _SAMPLES_PER_MS)

    def finish(self) -> WordStates:
        heard, end = self._newest, self.close()
        news = Said(heard.news.shown + end.news.shown, heard.news.settled + end.news.settled)
        self._newest = dataclasses.replace(heard, feedback=end.feedback, news=news)
        return self._newest

    def close(self) -> WordStates:
        """What the end alone brings, where no result was known to be the last one."""
        before = self._newest.feedback.words
        feedback = self._follower.finish()
        self._newest = WordStates(feedback, "", self._seen.look(feedback.words), before, last_look=True)
        return self._newest

    def snapshot(self) -> bytes:
        return self._follower.snapshot()


_NOT_SAID = frozenset({"pending", "missing"})
_SHOWN, _SETTLED = 1, 2


class SeenWords:
    """Which words have had a state, and a final one, so that the first time of each can be told."""

    def __init__(self, words: Sequence[WordFeedback]) -> None:
        self._words: Sequence[WordFeedback] = words
        self._seen = bytearray(map(_state_of, words))

    def look(self, words: Sequence[WordFeedback]) -> Said:
        """The words as they stand now: which of them are new."""
        shown, settled = [], []
        for index, (before, now) in enumerate(zip(self._words, words, strict=True)):
            if now is before or now.end_ms is None:
                continue
            new = _state_of(now) & ~self._seen[index]
            if new & _SHOWN:
                shown.append(now.end_ms * _SAMPLES_PER_MS)
            if new & _SETTLED:
                settled.append(now.end_ms * _SAMPLES_PER_MS)
            self._seen[index] |= new
        self._words = words
        return Said(tuple(shown), tuple(settled))


def _state_of(word: WordFeedback) -> int:
    if word.status in _NOT_SAID:
        return 0
    return _SHOWN | _SETTLED if word.final else _SHOWN


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
