"""The transcription interpreter: looks at growing windows become words that stand, and utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway.session.interpreter import NOTHING_SAID, Finding, Said
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import HeardWord
from shared.protocol.segments import SegmentResult
from shared.transcription.utterances import Utterance, UtteranceAssembler

_SAMPLES_PER_MS = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True)
class UtteranceHeard(Finding):
    """An utterance after one more look. `language`: what it was decoded as. `news`: which words are new."""

    utterance: Utterance
    language: str
    news: Said = NOTHING_SAID

    @property
    def said(self) -> Said:
        return self.news


class TranscriptionInterpreter:
    """An `Interpreter` for speech of any kind. A result with priority "final" ends an utterance."""

    def __init__(self, assembler: UtteranceAssembler | None = None) -> None:
        self._utterances = assembler or UtteranceAssembler()
        self._last: UtteranceHeard | None = None
        self._number, self._settled, self._shown = self._utterances.standing

    @property
    def transcript(self) -> str:
        """Everything that stands so far."""
        return self._utterances.transcript

    @property
    def confirmed(self) -> int:
        return self._utterances.confirmed_ms * _SAMPLES_PER_MS

    def hear(self, result: SegmentResult) -> UtteranceHeard:
        start_ms, end_ms = _extent_ms(result)
        words = [_placed(word, start_ms) for word in result.words]
        utterance = self._utterances.look(words, start_ms, end_ms, last=result.priority == "final")
        self._last = UtteranceHeard(utterance, result.language, self._news(utterance))
        return self._last

    def miss(self, result: SegmentResult) -> UtteranceHeard | None:
        """A look that did not come changes nothing, unless the utterance ended with it."""
        if result.priority != "final":
            return None
        utterance = self._utterances.give_up(*_extent_ms(result))
        self._last = UtteranceHeard(utterance, result.language, self._news(utterance))
        return self._last

    def lose(self, start: int, end: int) -> None:
        """The client is told of the gap; the transcript goes on after it."""

    def finish(self) -> UtteranceHeard:
        """The session's last segment ends an utterance, so nothing is open."""
        assert self._last is not None
        return self._last

    def snapshot(self) -> bytes:
        return self._utterances.save()

    def _news(self, utterance: Utterance) -> Said:
        """Words are counted: one that changes while it does not stand was shown before."""
        if utterance.number != self._number:
            self._number, self._settled, self._shown = utterance.number, 0, 0
        words = (*utterance.words, *utterance.pending)
        shown, settled = words[self._shown :], utterance.words[self._settled :]
        self._shown, self._settled = max(self._shown, len(words)), len(utterance.words)
        if utterance.ended:
            self._shown = self._settled = 0
            self._number += bool(utterance.words)
        return Said(_ends(shown), _ends(settled))


def _extent_ms(result: SegmentResult) -> tuple[int, int]:
    start, end = result.start_sample, result.start_sample + result.samples
    return start // _SAMPLES_PER_MS, end // _SAMPLES_PER_MS


def _ends(words: Sequence[HeardWord]) -> tuple[int, ...]:
    return tuple(word.end_ms * _SAMPLES_PER_MS for word in words if word.end_ms is not None)


def _placed(word: HeardWord, by_ms: int) -> HeardWord:
    """With times of the session, not of the window."""
    if word.start_ms is None or word.end_ms is None:
        return word
    return msgspec.structs.replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)
