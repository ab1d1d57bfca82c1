"""Several channels become one: their mean, or the loudest channel where they cancel one another out. Or they
stay apart."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.audio.formats import MIX_BLOCK, MIX_MEMORY_BLOCKS, SAMPLE_RATE

Floats = NDArray[np.float32]

BLOCK = MIX_BLOCK
"""The choice is made anew for every block of 100 ms."""
SETTLE_SAMPLES = MIX_MEMORY_BLOCKS * BLOCK
"""It depends on the power of the last second, so that a short pause does not change it. So after one second
of sound (and the fade that follows) nothing depends any longer on what came before."""
FADE = SAMPLE_RATE // 100
"""A change of the choice is a fade of 10 ms, which cannot be heard."""
CANCELLED = 1 / 8
"""The mean is not used where its power is below this part of the loudest channel's (9 dB). A voice in one of
two channels loses 6 dB; opposite phases lose everything, a voice in one of six channels loses 15 dB."""
_MEAN = -1


class Mixer(Protocol):
    """What becomes of several channels."""

    def push(self, sound: Floats) -> Floats:
        """What is complete with this. `sound`: a row per sample, a column per channel."""
        ...

    def finish(self) -> Floats:
        """The rest. The mixer cannot be used afterwards."""
        ...


class KeptApart:
    """No mixer: a column per channel goes in and comes out."""

    def __init__(self, channels: int) -> None:
        self._none = np.zeros((0, channels), np.float32)

    def push(self, sound: Floats) -> Floats:
        return sound

    def finish(self) -> Floats:
        return self._none


class MonoMixer:
    """Takes 16 kHz sound of several channels in pieces; the result does not depend on their sizes."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._waiting: list[Floats] = []
        self._waiting_samples = 0
        self._powers: deque[NDArray[np.float64]] = deque(maxlen=MIX_MEMORY_BLOCKS)
        self._chosen = _MEAN

    def push(self, sound: Floats) -> Floats:
        """Mono sound of the blocks that are now complete. `sound`: a row per sample, a column per channel."""
        if self._channels == 1:
            return sound[:, 0]
        self._waiting.append(sound)
        self._waiting_samples += len(sound)
        if self._waiting_samples < BLOCK:
            return np.zeros(0, np.float32)
        joined = np.concatenate(self._waiting)
        whole = len(joined) // BLOCK * BLOCK
        self._waiting, self._waiting_samples = [joined[whole:]], len(joined) - whole
        return np.concatenate([self._mix(joined[at : at + BLOCK]) for at in range(0, whole, BLOCK)])

    def finish(self) -> Floats:
        """Mono sound of the last, shorter block. The mixer cannot be used afterwards."""
        if not self._waiting_samples:
            return np.zeros(0, np.float32)
        return self._mix(np.concatenate(self._waiting))

    def _mix(self, block: Floats) -> Floats:
        mean = block.mean(axis=1)
        powers = [np.square(block, dtype=np.float64).sum(axis=0), [np.square(mean, dtype=np.float64).sum()]]
        self._powers.append(np.concatenate(powers))
        *channels, mixed = np.sum(self._powers, axis=0)
        before, self._chosen = self._chosen, _choice(channels, mixed)
        heard = _take(block, mean, self._chosen)
        if before != self._chosen:
            fade = np.linspace(0, 1, FADE, dtype=np.float32)[: len(block)]
            heard = heard.copy()
            heard[:FADE] = fade * heard[:FADE] + (1 - fade) * _take(block, mean, before)[:FADE]
        return heard


def _choice(channels: list[float], mixed: float) -> int:
    """The mean, or the first channel that is at least half as strong as the loudest."""
    loudest = max(channels)
    if mixed >= CANCELLED * loudest:
        return _MEAN
    return next(index for index, power in enumerate(channels) if power >= loudest / 2)


def _take(block: Floats, mean: Floats, choice: int) -> Floats:
    return mean if choice == _MEAN else block[:, choice]
