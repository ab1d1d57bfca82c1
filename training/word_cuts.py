"""Where each word is in a recording of known words, by the model's own phoneme head."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import ctranslate2
import numpy as np

from asr_worker.engines.ctc_head import CtcHead, Span
from shared.audio.features import FeatureConfig, log_mel
from training.audio import SAMPLE_RATE, Floats

LONGEST_S = 9.5
EARLIER = 1
"""Feature frames by which a cut is moved ahead of the change: a frame looks around itself."""


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
        lasts = np.cumsum([len(word) for word in words]) - 1
        cuts = [self._cut(features, spans[last], spans[last + 1]) for last in lasts[:-1].tolist()]
        if any(after <= before for before, after in pairwise([0, *cuts, samples.size])):
            raise ValueError("two words fall on one place")
        return [0, *cuts, samples.size]

    def _cut(self, features: Floats, last: Span, following: Span) -> int:
        """The sample between a word's last sound and the next one's first.

        Not the quietest place: that lies within a soft first consonant (f, s, t), half of which then
        stays with the word before.
        """
        per_frame = self._head.frame_ms * SAMPLE_RATE / 1000 / self._features.hop_length
        low = round((last.start_frame + last.end_frame) / 2 * per_frame)
        # The head tells a sound once it has begun.
        high = max(low + 2, round(following.start_frame * per_frame))
        change = low + strongest_change(features[:, low:high]) - EARLIER
        return max(0, change * self._features.hop_length - self._features.hop_length // 2)


def strongest_change(features: Floats) -> int:
    """The frame at which ``[bands, frames]`` fall into two halves that are each as even as can be.

    0 where there are not two frames.
    """
    frames = features.shape[1]
    if frames < 2:
        return 0
    counts = np.arange(1, frames)
    sums = np.cumsum(features, axis=1, dtype=np.float64)
    first, rest = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
    # The even-ness of a half is its squares less this; the squares of both halves are always the same.
    explained = (np.square(first) / counts + np.square(rest) / (frames - counts)).sum(axis=0)
    return int(explained.argmax()) + 1
