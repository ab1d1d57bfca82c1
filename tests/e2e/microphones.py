"""What the browser's microphone hears in a test: WAV files of 48 kHz, as devices have it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rattil.client.sound_source import read_file

RATE = 48_000
_Samples = npt.NDArray[np.float64]


def voice(seconds: float = 60.0, level: float = 0.15) -> _Samples:
    """Something that goes up and down like speech: a buzz of three syllables a second."""
    at = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * at) / harmonic for harmonic in range(1, 8))
    syllables = np.clip(np.sin(2 * np.pi * 1.5 * at), 0, 1)
    return np.asarray(level * buzz * syllables)


def recording(path: Path) -> _Samples:
    """A recording, preceded by the second that a browser takes to open a microphone."""
    pcm = np.frombuffer(read_file(path), dtype="<i2") / 32768
    wide = np.interp(np.arange(pcm.size * 3) / 3, np.arange(pcm.size), pcm)
    return np.concatenate([np.zeros(RATE), wide])


def write_wav(samples: _Samples, target: Path) -> Path:
    """The samples (-1 to 1; beyond that they are clipped) as a WAV file."""
    pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(pcm.tobytes())
    return target
