"""A whole recording to turns of speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_worker.offline.chunking import Chunk
from asr_worker.speakers.clustering import speakers
from asr_worker.speakers.encoder import VoiceEncoder
from asr_worker.speakers.turns import Turn, turns_of
from asr_worker.speakers.windows import Floats, Window, cut
from shared.audio.pcm import Samples

_AT_ONCE = 256
"""Windows whose powers are held at a time: 26 MB."""


class Diarizer:
    """Tells voices in one channel apart. Knows nobody: speakers are numbers, anew for each recording."""

    def __init__(self, encoder: VoiceEncoder) -> None:
        self._encoder = encoder

    def turns(self, pcm: Samples, speech: Sequence[Chunk]) -> list[Turn]:
        """Who speaks when in the stretches of `speech`. Blocking: an hour takes about half a minute."""
        windows: list[Window] = []
        vectors: list[Floats] = []
        held: list[Floats] = []
        for window, powers in cut(pcm, speech):
            windows.append(window)
            held.append(powers)
            if len(held) == _AT_ONCE:
                vectors.append(self._encoder.voices(held))
                held = []
        if held:
            vectors.append(self._encoder.voices(held))
        if not vectors:
            return []
        labels = speakers(np.concatenate(vectors), [window.span for window in windows])
        return turns_of(windows, labels.tolist())
