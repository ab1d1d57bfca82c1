"""From how probably each frame is speech to where utterances begin and end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.session.segmenter import SpeechChange
from shared.audio.formats import SAMPLE_RATE

FRAME = 512
"""Samples of one frame of the speech detector (Silero's own at 16 kHz): 32 ms."""

_HYSTERESIS = 0.15
"""Speech ends below the threshold minus this, as in Silero's own reference code: levels flicker."""


class EndpointPolicy(NamedTuple):
    """`threshold`: probability above which a frame is speech. `silence`: samples without speech that end an
    utterance. `onset`: frames of speech in a row that begin one (a click is shorter)."""

    threshold: float = 0.5
    silence: int = SAMPLE_RATE * 7 // 10
    onset: int = 2


class Endpointer:
    """Follows one session's frames. `covered`: samples that have been judged."""

    def __init__(self, policy: EndpointPolicy, start: int = 0, *, speaking: bool = False) -> None:
        """`start`: the sample of the first frame; `speaking`: it lies within an utterance (a resume)."""
        self._policy = policy
        self._covered = start
        self._speaking = speaking
        self._run = 0
        self._last_speech = start

    @property
    def covered(self) -> int:
        return self._covered

    @property
    def speaking(self) -> bool:
        return self._speaking

    def judge(self, probabilities: Sequence[float]) -> list[SpeechChange]:
        """The next frames, in order."""
        changes: list[SpeechChange] = []
        for probability in probabilities:
            self._covered += FRAME
            change = self._within(probability) if self._speaking else self._outside(probability)
            if change is not None:
                self._speaking = change.speaking
                changes.append(change)
        return changes

    def _outside(self, probability: float) -> SpeechChange | None:
        self._run = self._run + 1 if probability >= self._policy.threshold else 0
        if self._run < self._policy.onset:
            return None
        begin = self._covered - self._run * FRAME
        self._last_speech, self._run = self._covered, 0
        return SpeechChange(True, begin)

    def _within(self, probability: float) -> SpeechChange | None:
        if probability >= self._policy.threshold - _HYSTERESIS:
            self._last_speech = self._covered
        if self._covered - self._last_speech < self._policy.silence:
            return None
        return SpeechChange(False, self._last_speech)
