"""What a window says: clips of one voice one after another, or some words from here and some from there.

Words in an order that nobody has recited keep a few suras from being known by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.audio import SAMPLE_RATE
from training.sampling import chances
from training.taught.speech import Speech, Spoken
from training.voices import SYNTHETIC_PREFIX

Ints = NDArray[np.int64]
Rng = np.random.Generator

PRE_ROLL_S = 1.0
"""Of a clip before the window's beginning, which still sounds in the room."""
SPARE_S = 0.25
SYNTHETIC_SHARE = 0.2
SPLICED_SHARE = 0.4
"""Windows of a reciter that are made of words from anywhere in what he has recited."""
SPLICED_WORDS = (1, 4)
WORD_EDGE_S = 0.12
"""Kept before the first sound of a clip's first word, and after the last sound of its last one."""


@dataclass(slots=True)
class Piece:
    """A clip (or a pause) on the window's source waveform, seconds from its beginning."""

    index: int | None
    starts_s: float
    clip_s: float
    length_s: float


def _edge(clip: Spoken, words: Sequence[tuple[str, float, float]], word: int, frame_s: float) -> float:
    """The second of a clip between the word before ``word`` and this one, where a teacher's frame begins."""
    if word == 0:
        edge_s = max(0.0, words[0][1] - WORD_EDGE_S)
    elif word == len(words):
        edge_s = min(clip.samples / SAMPLE_RATE - frame_s, words[-1][2] + WORD_EDGE_S)
    else:
        edge_s = (words[word - 1][2] + words[word][1]) / 2
    return round(edge_s / frame_s) * frame_s


class Chooser:
    """Chooses clips, and what of them a window says."""

    def __init__(self, speech: Speech, state_s: float, rng: Rng, spliced_share: float) -> None:
        """``state_s``: what one state of the teacher stands for, seconds; words are cut between two."""
        self._speech = speech
        self._state_s = state_s
        self._rng = rng
        self._spliced_share = spliced_share
        lengths, voices = zip(*((clip.samples, clip.voice) for clip in speech.clips), strict=True)
        self._chances = chances(lengths, voices, SYNTHETIC_SHARE)
        self._worded: dict[str, list[int]] = {}
        """The clips of each reciter of which the words are known."""
        for index, clip in enumerate(speech.clips):
            if clip.words and not clip.voice.startswith(SYNTHETIC_PREFIX):
                self._worded.setdefault(clip.voice, []).append(index)
        after: dict[str, int] = {}
        self._after = [0] * len(speech.clips)
        for index in reversed(range(len(speech.clips))):
            voice = speech.clips[index].voice
            self._after[index] = after.get(voice, index)
            after[voice] = index

    def firsts(self, count: int) -> Ints:
        """The clips in which so many windows begin."""
        return self._rng.choice(len(self._speech.clips), size=count, p=self._chances)

    def said(self, first: int, wanted_s: float) -> tuple[list[Piece], float]:
        """Pieces from clip ``first`` on, or of its voice, and how many of their seconds lie before the
        window. At least ``wanted_s`` seconds follow those.
        """
        worded = self._speech.clips[first].voice in self._worded
        if worded and self._rng.random() < self._spliced_share:
            return self._spliced(first, wanted_s)
        return self._recited(first, wanted_s)

    def _recited(self, first: int, wanted_s: float) -> tuple[list[Piece], float]:
        """Clips and pauses one after another, at least ``wanted_s`` after the second before it."""
        rng = self._rng
        whole_s = self._speech.clips[first].samples / SAMPLE_RATE
        begin_s = rng.uniform(0.0, 0.95) * whole_s if rng.random() < 0.7 else 0.0
        pre_s = min(begin_s, PRE_ROLL_S)
        pieces: list[Piece] = []
        filled_s = 0.0
        if begin_s == 0.0 and rng.random() < 0.5:
            filled_s = self._pause(pieces, filled_s)
        pieces.append(Piece(first, filled_s, begin_s - pre_s, whole_s - begin_s + pre_s))
        filled_s += pieces[-1].length_s
        index = first
        while filled_s < wanted_s + pre_s + SPARE_S:
            if rng.random() < 0.12:
                pieces.append(Piece(None, filled_s, 0.0, wanted_s + pre_s + SPARE_S - filled_s))
                break
            filled_s = self._pause(pieces, filled_s)
            index = self._after[index]
            length_s = self._speech.clips[index].samples / SAMPLE_RATE
            pieces.append(Piece(index, filled_s, 0.0, length_s))
            filled_s += pieces[-1].length_s
        last = pieces[-1]
        last.length_s = min(last.length_s, wanted_s + pre_s + SPARE_S - last.starts_s)
        return pieces, pre_s

    def _spliced(self, first: int, wanted_s: float) -> tuple[list[Piece], float]:
        """A few words from here, a few from there, of the voice of clip ``first``; nothing before them."""
        rng = self._rng
        members = self._worded[self._speech.clips[first].voice]
        pieces: list[Piece] = []
        filled_s = 0.0
        while filled_s < wanted_s + SPARE_S:
            index = members[rng.integers(len(members))]
            clip = self._speech.clips[index]
            words = clip.words or []
            word = int(rng.integers(len(words)))
            stop = min(len(words), word + int(rng.integers(*SPLICED_WORDS)))
            begin_s, end_s = (_edge(clip, words, place, self._state_s) for place in (word, stop))
            if end_s <= begin_s:
                continue
            pieces.append(Piece(index, filled_s, begin_s, end_s - begin_s))
            filled_s += end_s - begin_s
            if rng.random() < 0.2:
                filled_s = self._pause(pieces, filled_s)
        return pieces, 0.0

    def _pause(self, pieces: list[Piece], filled_s: float) -> float:
        length_s = self._rng.uniform(0.02, 0.7) if self._rng.random() < 0.6 else 0.0
        if length_s:
            pieces.append(Piece(None, filled_s, 0.0, length_s))
        return filled_s + length_s
