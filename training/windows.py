"""Random windows cut from the recordings: what a stream of live audio looks like to the model.

A window starts anywhere (in a verse, in a word, in a silence), may run on into the next verse of
the same voice, and may end in digital silence, which is how the worker pads its segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.augment import LONG_FRAMES, augment
from training.cache import FEATURES
from training.corpus import Recording
from training.noise import NoiseTable, coloured
from training.sampling import chances
from training.tokens import Target, target

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Rng = np.random.Generator

FRAME_S = FEATURES.hop_length / FEATURES.sample_rate
DIGITAL_SILENCE = -10.0
"""log10 of the power floor: what zero samples give."""
SOUND_SHARE = 0.5
WORD_SHARE = 0.6
"""How much of a sound or word must be inside a window to belong to its label."""
LENGTHS = (
    (0.06, 0.8, 1.5),
    (0.55, 1.5, 3.5),
    (0.21, 3.5, 6.0),
    (0.14, 6.0, 10.0),
    (0.025, 10.0, 30.0),
    (0.015, 50.0, 60.0),
)
"""Chance of a batch to have windows between two lengths in seconds."""
MOSTLY_PADDING_SHARE = 0.5
"""Of the windows longer than 10 s, how many are mostly padding, as stock callers send them (all
that are longer than 30 s)."""
NOISE_SHARE = 0.04
"""Windows in which nobody speaks."""
LONGEST_LIVE_FRAMES = round(30.0 / FRAME_S)
SYNTHETIC_SHARE = 0.22
"""Share of the windows that synthetic voices begin."""
TIMESTAMP_SHARE = 0.08


@dataclass(slots=True)
class Window:
    """Features (log10 powers) and labels of one window; ``live`` frames are not padding."""

    logs: Floats
    labels: Ints
    sounds: list[int]
    texts: list[str] | None
    end_s: float
    live: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one length: ``features [batch, n_mels, frames]`` and their targets."""

    features: Floats
    labels: Ints
    sounds: list[list[int]]
    targets: list[Target]


class Cutter:
    """Cuts random windows out of a set of recordings."""

    def __init__(self, recordings: Sequence[Recording], seed: int) -> None:
        self._recordings = list(recordings)
        self._rng = np.random.default_rng(seed)
        self._noise = NoiseTable(FEATURES.n_mels, seed)
        voices: dict[str, list[int]] = {}
        for index, item in enumerate(self._recordings):
            voices.setdefault(item.voice, []).append(index)
        self._after = dict[int, int]()
        for members in voices.values():
            self._after.update(zip(members, members[1:] + members[:1], strict=True))
        lengths, names = zip(*((len(item.labels), item.voice) for item in self._recordings), strict=True)
        self._chances = chances(lengths, names, SYNTHETIC_SHARE)

    def batch(self, seconds: float) -> Batch:
        """Random windows of one random length that add up to about ``seconds``."""
        rng = self._rng
        kind = rng.choice(len(LENGTHS), p=[chance for chance, _, _ in LENGTHS])
        length = rng.uniform(*LENGTHS[kind][1:])
        frames = round(length / FRAME_S) // 2 * 2
        count = max(2, round(seconds / length))
        firsts = rng.choice(len(self._recordings), size=count, p=self._chances)
        windows = [self._window(int(first), frames) for first in firsts]
        logs = np.stack([window.logs for window in windows])
        features = augment(logs, np.array([window.live for window in windows]), self._noise, rng)
        return Batch(
            features,
            np.stack([window.labels[::2] for window in windows]),
            [window.sounds for window in windows],
            [self._target(window) for window in windows],
        )

    def _target(self, window: Window) -> Target:
        text = None if window.texts is None else " ".join(window.texts)
        return target(text, window.end_s, bool(self._rng.random() < TIMESTAMP_SHARE))

    def _window(self, index: int, frames: int) -> Window:
        rng = self._rng
        live = self._live(frames)
        logs = np.full((frames, FEATURES.n_mels), DIGITAL_SILENCE, dtype=np.float32)
        window = Window(logs, np.zeros(frames, dtype=np.int64), [], [], 0.0, live)
        if rng.random() < NOISE_SHARE:
            logs[:live] = coloured(self._noise, live, FEATURES.n_mels, rng)
            return window
        tempo = float(np.clip(np.exp(rng.normal(0.0, 0.13)), 0.7, 1.45))
        filled = 0
        begin = rng.uniform(0.0, 0.95) if rng.random() < 0.7 else 0.0
        if begin == 0.0 and rng.random() < 0.5:
            filled = self._gap(window, index, 0)
        while filled < live:
            filled = self._piece(window, index, filled, begin, tempo)
            if rng.random() < 0.1:
                break
            filled = self._gap(window, index, filled)
            index, begin = self._after[index], 0.0
        if filled < live:
            self._quiet(window, index, filled, live)
        return window

    def _live(self, frames: int) -> int:
        """Frames before the padding: mostly the worker's, up to half a second."""
        rng = self._rng
        too_long = frames > LONGEST_LIVE_FRAMES
        if too_long or (frames > LONG_FRAMES and rng.random() < MOSTLY_PADDING_SHARE):
            return int(rng.integers(100, min(frames, LONGEST_LIVE_FRAMES) // 2))
        padded = int(rng.integers(0, 26)) if rng.random() < 0.5 else 0
        return max(frames - padded, frames // 2)

    def _gap(self, window: Window, index: int, filled: int) -> int:
        """A pause of up to 0.7 s with the voice's own background, or none."""
        if self._rng.random() < 0.4:
            return filled
        until = min(window.live, filled + int(self._rng.integers(1, 36)))
        self._quiet(window, index, filled, until)
        return until

    def _quiet(self, window: Window, index: int, low: int, high: int) -> None:
        """Background noise of the recording, taken from its quietest frames."""
        if high <= low or self._rng.random() < 0.3:
            return
        rows = self._recordings[index].copies[0][0]
        level = rows[:: max(1, len(rows) // 64)].astype(np.float32)
        floor = level[np.argsort(level.mean(axis=1))[: max(1, len(level) // 16)]].mean(axis=0)
        window.logs[low:high] = floor + self._noise.frames(high - low, self._rng)

    def _piece(self, window: Window, index: int, filled: int, begin: float, tempo: float) -> int:
        """Copy a recording into the window from share ``begin`` on; returns the frames filled."""
        item = self._recordings[index]
        rows, rate = item.copies[int(self._rng.integers(len(item.copies)))]
        first = begin * (len(rows) - 1)
        count = min(window.live - filled, max(1, int((len(rows) - 1 - first) / tempo)))
        at = first + tempo * np.arange(count)
        low = np.minimum(at.astype(np.int64), len(rows) - 2)
        share = np.clip(at - low, 0.0, 1.0).astype(np.float32)[:, None]
        below = rows[low].astype(np.float32)
        window.logs[filled : filled + count] = below + share * (rows[low + 1] - below)
        clean = np.minimum((at * rate).astype(np.int64), len(item.labels) - 1)
        window.labels[filled : filled + count] = item.labels[clean]
        low_clean, high_clean = first * rate, (at[-1] + tempo) * rate
        window.sounds += item.sounds.ids[item.sounds.within(low_clean, high_clean, SOUND_SHARE)].tolist()
        inside = item.words.within(low_clean, high_clean, WORD_SHARE)
        if item.texts is None:
            window.texts = None
        elif window.texts is not None and inside.stop > inside.start:
            window.texts += [item.texts[word] for word in item.words.ids[inside]]
            last = float(item.words.ends[inside][-1])
            window.end_s = (filled + (min(last, high_clean) / rate - first) / tempo) * FRAME_S
        return filled + count
