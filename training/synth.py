"""Synthesised recitation: sounds of the passage spoken by espeak-ng's formant voices.

The demo samples and part of the training mix come from here. A passage is any sequence of words
of the Quran, so mistakes (a skipped word, a foreign word, a repeat) are made by listing them.
Needs the ``espeak-ng`` program; needs no recordings.
"""

from __future__ import annotations

import io
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.audio import SAMPLE_RATE, Floats
from training.passages import VOWELS, Said, WordRef, phrase

ESPEAK_RATE = 22_050
TIMEOUT_S = 30

PLAIN = {
    "a": "a",
    "i": "i",
    "u": "u",
    "a:": "a:",
    "i:": "i:",
    "u:": "u:",
    "aˤ:": "a.:",
    "ʔ": "?",
    "b": "b",
    "t": "t",
    "θ": "T",
    "ʒ": "dZ",
    "ħ": "H",
    "x": "X",
    "d": "d",
    "ð": "D",
    "r": "R",
    "rˤ": "R",
    "z": "z",
    "s": "s",
    "ʃ": "S",
    "sˤ": "s[",
    "dˤ": "dH",
    "tˤ": "t[",
    "ðˤ": "Z",
    "ʕ": "A",
    "ɣ": "Q",
    "f": "f",
    "q": "q",
    "k": "k",
    "l": "l",
    "lˤ": "l",
    "m": "m",
    "n": "n",
    "h": "h",
    "w": "w",
    "j": "j",
    "ŋ": "N",
    "ñ": "nn",
    "m̃": "mm",
    "w̃": "nw",
    "j̃": "nj",
    "Q": "@",
}
"""espeak-ng's Arabic mnemonics of the sounds; doubled sounds are said twice."""

SHORT_PAUSE_S = (0.3, 0.6)


@dataclass(frozen=True, slots=True)
class Voice:
    """An espeak-ng voice: variant name, words a minute, pitch 0-99."""

    variant: str
    speed: int
    pitch: int


def mnemonic(sound: str) -> str:
    """espeak-ng phoneme names of one sound."""
    if sound in PLAIN:
        return PLAIN[sound]
    half = sound[: len(sound) // 2]
    return PLAIN[half] * 2


def mnemonics(words: Sequence[Said]) -> str:
    """A phrase as espeak-ng phoneme input, stressed on each word's last long vowel."""
    spoken = []
    for word in words:
        long = [index for index, sound in enumerate(word.sounds) if sound.endswith(":")]
        short = [index for index, sound in enumerate(word.sounds) if sound in VOWELS]
        stressed = (long or short[:1] or [-1])[-1]
        spoken.append(
            "".join(
                ("'" if index == stressed else "") + mnemonic(sound)
                for index, sound in enumerate(word.sounds)
            )
        )
    return "[[" + " ".join(spoken) + "]]"


def _resampled(samples: Floats) -> Floats:
    wanted = round(samples.size * SAMPLE_RATE / ESPEAK_RATE)
    spectrum = np.fft.rfft(samples)[: wanted // 2 + 1]
    full = np.fft.irfft(spectrum, n=wanted) * (wanted / samples.size)
    return full.astype(np.float32)


def speak(words: Sequence[Said], voice: Voice) -> Floats:
    """One phrase as 16 kHz samples in [-1, 1], without silence around it."""
    command = [
        *("espeak-ng", "-v", f"ar+{voice.variant}", "-s", str(voice.speed), "-p", str(voice.pitch)),
        *("--stdout", mnemonics(words)),
    ]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    with wave.open(io.BytesIO(done.stdout)) as wav:
        # espeak-ng writes an endless length into a piped header: read what is there.
        raw = wav.readframes(len(done.stdout) // 2)
    samples = np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(np.float32) / 32768.0
    samples = _resampled(samples)
    loud = np.flatnonzero(np.abs(samples) > 0.003)
    return samples[loud[0] : loud[-1] + 1] if loud.size else samples


def recite(phrases: Sequence[Sequence[WordRef]], voice: Voice, seed: int = 0) -> Floats:
    """Phrases with short pauses between them, each begun and stopped as a reciter would."""
    rng = np.random.default_rng(seed)
    pieces = [np.zeros(SAMPLE_RATE // 4, dtype=np.float32)]
    for words in phrases:
        pieces.append(speak(phrase(words), voice))
        pause = rng.uniform(*SHORT_PAUSE_S)
        pieces.append(np.zeros(int(pause * SAMPLE_RATE), dtype=np.float32))
    return np.concatenate(pieces)
