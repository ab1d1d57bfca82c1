"""Where each word is in a recording of known words, by the model's own phoneme head."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import ctranslate2
import numpy as np

from asr_worker.ctc import CtcHead
from asr_worker.features import FeatureConfig, log_mel
from training.audio import SAMPLE_RATE, Floats

FRAME = 160
"""10 ms: how finely the quietest place between two words is sought."""
REACH_S = 0.06
"""How far beyond the gap between two words a cut may be moved to a quieter place."""
LONGEST_S = 9.5


class WordCutter:
    """Forced alignment of recordings of at most `LONGEST_S`."""

    def __init__(self, folder: Path) -> None:
        """Load a model directory that has a phoneme head."""
        self._model = ctranslate2.models.Whisper(str(folder), compute_type="int8", intra_threads=1)
        self._head = CtcHead.load(folder / "ctc_head.npz")
        self._features = FeatureConfig.load(folder)
        self._ids = {symbol: index for index, symbol in enumerate(self._head.symbols)}

    def borders(self, samples: Floats, words: Sequence[Sequence[str]]) -> list[int]:
        """Sample positions between the words, and the outer edges: one more than there are words.

        Raises ``ValueError`` where the sounds do not fit into the recording.
        """
        features = log_mel(samples, self._features)
        even = features[:, : features.shape[1] // 2 * 2]
        encoded = self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(even[None])))
        scores = self._head.log_probs(np.array(encoded)[0])
        spans = self._head.align(scores, [self._ids[sound] for word in words for sound in word])
        step = self._head.frame_ms * SAMPLE_RATE / 1000
        lasts = np.cumsum([len(word) for word in words]) - 1
        cuts = [
            _quietest(samples, spans[last].end_frame * step, spans[last + 1].start_frame * step)
            for last in lasts[:-1].tolist()
        ]
        if any(after <= before for before, after in pairwise([0, *cuts, samples.size])):
            raise ValueError("two words fall on one place")
        return [0, *cuts, samples.size]


def _quietest(samples: Floats, after: float, before: float) -> int:
    """The quietest 10 ms around the gap between two words."""
    reach = REACH_S * SAMPLE_RATE
    low = max(0, int(min(after, before) - reach))
    high = min(samples.size, int(max(after, before) + reach))
    frames = samples[low : low + max(1, (high - low) // FRAME) * FRAME]
    if frames.size < FRAME:
        return (low + high) // 2
    levels = np.square(frames[: frames.size // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
    return low + int(levels.argmin()) * FRAME + FRAME // 2
