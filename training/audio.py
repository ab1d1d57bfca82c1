"""Reading recordings into 16 kHz mono float samples."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from shared.audio.formats import SAMPLE_RATE as SAMPLE_RATE

Floats = NDArray[np.float32]


def read(path: Path) -> Floats:
    """Samples of any container FFmpeg knows, in [-1, 1]."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    chunks: list[Floats] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            chunks.extend(part.to_ndarray()[0] for part in resampler.resample(frame))
    chunks.extend(part.to_ndarray()[0] for part in resampler.resample(None))
    if not chunks:
        return np.zeros(0, dtype=np.float32)
    return np.concatenate(chunks).astype(np.float32, copy=False)
