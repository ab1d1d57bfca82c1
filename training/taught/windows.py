"""Random windows of distorted speech, as a stream sees them, with all that the model learns from.

A window starts anywhere, mostly with a second before it that still sounds in the room, may run on
into the next clip of the same voice, and may end in the digital silence with which a worker pads.
Some are words of one voice in an order that nobody has recited: a few suras are soon known by heart.
Rooms, phones and codecs change the waveform of the whole window; tempo, vocal tract, colour, noise
and masks its features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.ctc_head import CtcHead
from shared.audio.features import FeatureConfig, log_power
from training.audio import SAMPLE_RATE
from training.augment import DIGITAL_SILENCE, augment
from training.cache import FEATURES
from training.distort import shift_pitch, spoil
from training.noise import NoiseTable, coloured
from training.taught.pieces import SPLICED_SHARE, Chooser, Piece
from training.taught.speech import Speech
from training.tokens import Target, target

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rng = np.random.Generator

LENGTHS = ((0.07, 0.8, 1.5), (0.55, 1.5, 3.5), (0.25, 3.5, 6.0), (0.125, 6.0, 10.0), (0.005, 10.0, 20.0))
"""Chance of a batch to have windows between two lengths in seconds."""
NOISE_SHARE = 0.03
CLEAN_SHARE = 0.12
"""Windows of which the waveform is left as it was recorded."""
SEVERITY = (0.15, 0.95)
"""Mostly less than all that can happen to a recording: the network learns more from what can be heard."""
LONGEST_PADDING_S = 0.52
GRAIN = 800
LEAST_DISTANCE_S = 0.03
"""A sound heard closer than this to an edge of the window may or may not be said: it is not asked."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one length.

    ``features [batch, mels, frames]``; ``states [batch, frames / 2, d]`` of the teacher on clean
    sound, valid where ``taught`` is true (repeated, where its frames are longer); sounds; what the
    decoder should write.
    """

    features: Floats
    states: NDArray[np.float16]
    taught: NDArray[np.bool_]
    sounds: list[list[int]]
    targets: list[Target]


@dataclass(slots=True)
class _Window:
    logs: Floats
    live: int
    states: NDArray[np.float16]
    taught: NDArray[np.bool_]
    sounds: list[int] = field(default_factory=list)
    text: list[str] | None = field(default_factory=list)


class Cutter:
    """Cuts windows out of a store, without end."""

    def __init__(
        self,
        speech: Speech,
        head: CtcHead,
        seed: int,
        spliced_share: float = SPLICED_SHARE,
        features: FeatureConfig = FEATURES,
    ) -> None:
        """``head`` is the teacher's: it tells which of its states hear a sound. ``features`` are the
        student's; its frames stand for two of theirs."""
        self._features = features
        self._hop_s = features.hop_length / SAMPLE_RATE
        self._frame_s = 2 * self._hop_s
        self._state_s = head.frame_ms / 1000
        """What a state of the teacher stands for."""
        self._speech = speech
        self._head = head
        self._rng = np.random.default_rng(seed)
        self._noise = NoiseTable(features.n_mels, seed)
        self._chooser = Chooser(speech, self._state_s, self._rng, spliced_share)

    def batch(self, seconds: float) -> Batch:
        """Windows of one random length that add up to about ``seconds``."""
        rng = self._rng
        kind = rng.choice(len(LENGTHS), p=[chance for chance, _, _ in LENGTHS])
        length = rng.uniform(*LENGTHS[kind][1:])
        frames = round(length / self._frame_s) * 2
        count = max(2, round(seconds / length))
        windows = [self._window(int(first), frames) for first in self._chooser.firsts(count)]
        logs = np.stack([window.logs for window in windows])
        live = np.array([window.live for window in windows])
        return Batch(
            augment(logs, live, self._noise, rng, self._hop_s),
            np.stack([window.states for window in windows]),
            np.stack([window.taught for window in windows]),
            [window.sounds for window in windows],
            [target(None if w.text is None else " ".join(w.text), 0.0, False) for w in windows],
        )

    def _window(self, first: int, frames: int) -> _Window:
        rng = self._rng
        padding = int(rng.uniform(0.0, LONGEST_PADDING_S) / self._hop_s) if rng.random() < 0.5 else 0
        live = max(frames - padding, frames // 2)
        width = self._speech.width
        bands = self._features.n_mels
        logs = np.full((frames, bands), DIGITAL_SILENCE, np.float32)
        window = _Window(
            logs, live, np.zeros((frames // 2, width), np.float16), np.zeros(frames // 2, np.bool_)
        )
        if rng.random() < NOISE_SHARE:
            logs[:live] = coloured(self._noise, live, bands, rng)
            return window
        tempo = float(np.clip(np.exp(rng.normal(0.0, 0.1)), 0.75, 1.35))
        rate = float(np.clip(np.exp(rng.normal(0.02, 0.12)), 0.75, 1.4)) if rng.random() < 0.6 else 1.0
        speed = tempo * rate
        live_s = live * self._hop_s
        pieces, skipped_s = self._chooser.said(first, live_s * speed)
        samples = self._waveform(pieces)
        if rate != 1.0:
            # A length without large prime factors: the Fourier transforms take it much faster.
            samples = samples[: samples.size // GRAIN * GRAIN]
            wanted = max(1, round(samples.size / rate / GRAIN)) * GRAIN
            rate = samples.size / wanted
            samples = shift_pitch(samples, rate)
        if rng.random() >= CLEAN_SHARE:
            samples = spoil(samples, rng, float(rng.uniform(*SEVERITY)))
        speed = tempo * rate
        return self._filled(window, pieces, samples, skipped_s, tempo, speed)

    def _waveform(self, pieces: Sequence[Piece]) -> Floats:
        """The pieces' samples; pauses hold noise as loud as the quietest tenth of the first clip."""
        rng = self._rng
        parts: list[Floats] = []
        floor = 0.0
        for piece in pieces:
            if piece.index is None:
                continue
            first = round(piece.clip_s * SAMPLE_RATE)
            heard = self._speech.samples(piece.index, first, round(piece.length_s * SAMPLE_RATE))
            if not floor and heard.size >= 3200:
                blocks = heard[: heard.size // 320 * 320].reshape(-1, 320)
                floor = float(np.quantile(np.sqrt((blocks**2).mean(axis=1)), 0.05)) + 1e-6
            parts.append(heard)
        level = floor * (rng.random() < 0.7)
        joined: list[Floats] = []
        spoken = iter(parts)
        for piece in pieces:
            if piece.index is None:
                noise = rng.standard_normal(max(0, round(piece.length_s * SAMPLE_RATE)))
                joined.append((noise * level).astype(np.float32))
            else:
                joined.append(next(spoken))
        return np.concatenate(joined)

    def _filled(
        self,
        window: _Window,
        pieces: Sequence[Piece],
        samples: Floats,
        skipped_s: float,
        tempo: float,
        speed: float,
    ) -> _Window:
        """Features and labels: window second ``t`` is source second ``skipped_s + t * speed``."""
        rate = speed / tempo
        skip = round(skipped_s / rate * SAMPLE_RATE)
        rows = log_power(samples[skip:], self._features)
        at = np.arange(window.live) * tempo
        low = np.minimum(at.astype(np.int64), len(rows) - 2)
        share = np.clip(at - low, 0.0, 1.0).astype(np.float32)[:, None]
        window.logs[: window.live] = rows[low] + share * (rows[low + 1] - rows[low])
        live_s = window.live * self._hop_s
        frames = np.arange(len(window.taught), dtype=np.float64)
        centres_s: Doubles = skipped_s + (frames + 0.5) * (self._frame_s * speed)
        for piece in pieces:
            if piece.index is not None:
                self._label(window, piece, piece.index, skipped_s, speed, live_s, centres_s)
        return window

    def _label(
        self,
        window: _Window,
        piece: Piece,
        index: int,
        skipped_s: float,
        speed: float,
        live_s: float,
        centres_s: Doubles,
    ) -> None:
        clip = self._speech.clips[index]
        offset_s = piece.starts_s - piece.clip_s - skipped_s
        moments_s = (np.array(clip.moments_s) + offset_s) / speed
        # What of the window this piece is.
        low_s = max(0.0, (piece.starts_s - skipped_s) / speed)
        high_s = min(live_s, (piece.starts_s + piece.length_s - skipped_s) / speed)
        inside = (moments_s > max(low_s, LEAST_DISTANCE_S)) & (
            moments_s < min(high_s, live_s - LEAST_DISTANCE_S)
        )
        window.sounds += [clip.sounds[place] for place in np.flatnonzero(inside)]
        if clip.words is None:
            window.text = None
        elif window.text is not None:
            for text, first_s, last_s in clip.words:
                begin, end = (first_s + offset_s) / speed, (last_s + offset_s) / speed
                covered = min(end, high_s) - max(begin, low_s)
                if covered >= 0.6 * (end - begin) and begin < high_s and end > low_s:
                    window.text.append(text)
        frames = np.flatnonzero(
            (centres_s >= piece.starts_s)
            & (centres_s < piece.starts_s + piece.length_s)
            & (np.arange(len(centres_s)) * 2 < window.live)
        )
        in_clip = (centres_s[frames] - piece.starts_s + piece.clip_s) / self._state_s
        window.states[frames] = self._taught(index, in_clip, speed, piece)
        window.taught[frames] = True

    def _taught(self, index: int, rows: Doubles, speed: float, piece: Piece) -> NDArray[np.float16]:
        """The teacher's states around fractional rows of a clip.

        A sound is heard in one or two rows. Where a window goes faster than the clip, a row would be
        skipped now and then, and the sound with it: of the rows that a frame covers, the one that is
        less silent is taken.
        """
        state_s = self._state_s
        beyond = max(0.0, speed * self._frame_s / state_s - 1.0) / 2
        clip, states = self._speech.clips[index], self._speech.parts[index].states
        last = -(-clip.samples // round(state_s * SAMPLE_RATE)) - 1
        begin = min(last, round(piece.clip_s / state_s))
        last = max(begin, min(last, round((piece.clip_s + piece.length_s) / state_s) - 1))
        first = np.clip((rows - beyond).astype(np.int64), begin, last)
        second = np.clip(np.minimum(first + 1, (rows + beyond).astype(np.int64)), first, last)
        low, high = states[clip.first_state + first], states[clip.first_state + second]
        blank = self._head.blank
        silence_low, silence_high = (
            self._head.log_probs(rows.astype(np.float32))[:, blank] for rows in (low, high)
        )
        chosen: NDArray[np.float16] = np.where((silence_high < silence_low)[:, None], high, low)
        return chosen
