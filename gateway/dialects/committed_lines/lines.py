"""What an event has to say in committed lines, whatever carries them: words and faults. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.interpreters.transcription.interpreter import UtteranceHeard
from gateway.session.events import Event, FinishFailed, Heard, Notice, SegmentFailed, Trouble
from gateway.session.interpreter import Finding
from shared.hearing import HeardWord
from shared.transcription.utterances import text_of


class Line(NamedTuple):
    """Words that stand and are never taken back; times in ms of the session."""

    begin_ms: int
    end_ms: int
    text: str


class Fault(NamedTuple):
    """What went wrong: its code and a sentence."""

    code: str
    message: str


class CommittedLines:
    """Remembers which words of one session were given out."""

    def __init__(self) -> None:
        self._utterance = 0
        self._written = 0
        self._last_ms = 0

    def of(self, event: Event) -> Sequence[Line | Fault]:
        """What is to be written of this event, in order."""
        if isinstance(event, Heard):
            return self._fresh(event.finding)
        if isinstance(event, SegmentFailed):
            fault = Fault(event.code or event.outcome, event.message)
            return (fault, *self._fresh(event.finding))
        if isinstance(event, Trouble | FinishFailed | Notice):
            return (Fault(event.code, event.message),)
        return ()

    def _fresh(self, finding: Finding | None) -> Sequence[Line]:
        """The line of what stands since the last one, if anything does."""
        if finding is None:
            return ()
        assert isinstance(finding, UtteranceHeard)
        utterance = finding.utterance
        if utterance.number != self._utterance:
            self._utterance, self._written = utterance.number, 0
        fresh = utterance.words[self._written :]
        self._written = 0 if utterance.ended else len(utterance.words)
        self._utterance += utterance.ended and bool(utterance.words)
        if not fresh:
            return ()
        return (Line(*self._extent(fresh, utterance.start_ms, utterance.end_ms), text_of(fresh)),)

    def _extent(self, words: Sequence[HeardWord], start_ms: int, end_ms: int) -> tuple[int, int]:
        """Where these words were said. Lines never go back in time, whatever the model says of words."""
        begin_ms = words[0].start_ms if words[0].start_ms is not None else start_ms
        last_ms = words[-1].end_ms if words[-1].end_ms is not None else end_ms
        begin_ms = max(begin_ms, self._last_ms)
        self._last_ms = max(last_ms, begin_ms)
        return begin_ms, self._last_ms
