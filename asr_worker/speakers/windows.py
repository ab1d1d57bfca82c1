"""The windows of speech that are compared, and what the voice encoder is given of them. Pure.

Its front end is that of GE2E speaker encoders (Wan et al., 2018): 40 mel powers, not logarithms, of 25 ms
every 10 ms, windows of 1.6 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_worker.offline.chunking import Chunk
from shared.audio.features import FeatureConfig, log_power
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples, as_float

Floats = NDArray[np.float32]

BANDS: Final = 40
WINDOW_FRAMES: Final = 160
STEP_FRAMES: Final = 40
"""0.4 s: a change of the speaker is found to about that."""
FRAME_SAMPLES: Final = SAMPLE_RATE // 100
LEAST_FRAMES: Final = 30
"""Shorter speech, below 0.3 s, says nothing about a voice: it belongs to whoever speaks around it."""
QUIETEST_RMS: Final = 10 ** (-30 / 20)
"""Quieter speech is made as loud as this; the encoder has heard nothing quieter."""
_FEATURES: Final = FeatureConfig(n_mels=BANDS, hop_length=FRAME_SAMPLES)


class Window(NamedTuple):
    """Where it is, ms of the recording; `span`: the number of the stretch of speech that it is in."""

    start_ms: int
    end_ms: int
    span: int


def cut(pcm: Samples, speech: Sequence[Chunk]) -> Iterator[tuple[Window, Floats]]:
    """Every window, in order, and its powers [WINDOW_FRAMES, BANDS]; a shorter one begins with silence."""
    for number, span in enumerate(speech):
        frames = powers(as_float(pcm[span.start : span.end]))
        if len(frames) < LEAST_FRAMES:
            continue
        for first in range(0, max(1, len(frames) - WINDOW_FRAMES + 1), STEP_FRAMES):
            part = frames[first : first + WINDOW_FRAMES]
            begin_ms = span.start * 1000 // SAMPLE_RATE + first * 10
            window = Window(begin_ms, begin_ms + len(part) * 10, number)
            yield window, np.pad(part, ((WINDOW_FRAMES - len(part), 0), (0, 0)))


def powers(samples: Floats) -> Floats:
    """Mel powers of one stretch of speech, [frames, BANDS]."""
    if not samples.size:
        return np.zeros((0, BANDS), np.float32)
    rms = float(np.sqrt(np.mean(np.square(samples))))
    gain = QUIETEST_RMS / rms if 0.0 < rms < QUIETEST_RMS else 1.0
    found: Floats = (10.0 ** log_power(samples * np.float32(gain), _FEATURES)).astype(np.float32)
    return found
