"""The transcription interpreter: looks at growing windows become words that stand, and utterances."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.session.interpreter import Finding
from shared.audio.formats import SAMPLE_RATE
from shared.hearing import HeardWord
from shared.protocol.segments import SegmentResult
from shared.transcription.utterances import Utterance, UtteranceAssembler

_SAMPLES_PER_MS = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True)
class UtteranceHeard(Finding):
    """An utterance after one more look. `language`: what it was decoded as."""

    utterance: Utterance
    language: str


class TranscriptionInterpreter:
    """An `Interpreter` for speech of any kind. A result with priority "final" ends an utterance."""

    def __init__(self, assembler: UtteranceAssembler | None = None) -> None:
        self._utterances = assembler or UtteranceAssembler()
        self._last: UtteranceHeard | None = None

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
        self._last = UtteranceHeard(utterance, result.language)
        return self._last

    def miss(self, result: SegmentResult) -> UtteranceHeard | None:
        """A look that did not come changes nothing, unless the utterance ended with it."""
        if result.priority != "final":
            return None
        self._last = UtteranceHeard(self._utterances.give_up(*_extent_ms(result)), result.language)
        return self._last

    def lose(self, start: int, end: int) -> None:
        """The client is told of the gap; the transcript goes on after it."""

    def finish(self) -> UtteranceHeard:
        """The session's last segment ends an utterance, so nothing is open."""
        assert self._last is not None
        return self._last

    def snapshot(self) -> bytes:
        return self._utterances.save()


def _extent_ms(result: SegmentResult) -> tuple[int, int]:
    start, end = result.start_sample, result.start_sample + result.samples
    return start // _SAMPLES_PER_MS, end // _SAMPLES_PER_MS


def _placed(word: HeardWord, by_ms: int) -> HeardWord:
    """With times of the session, not of the window."""
    if word.start_ms is None or word.end_ms is None:
        return word
    return msgspec.structs.replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)
