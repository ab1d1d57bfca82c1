"""Cuts a whole recording into windows the engine takes, at quiet places. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.engine import EngineCapabilities, EngineOutput
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples, as_float, frame_levels_dbfs
from shared.audio.silence_gate import GateState, pass_gate
from shared.hearing import HeardWord, Hearing, Phone, SoundFacts

Floats = NDArray[np.float32]

FRAME_SAMPLES = 320
"""20 ms: short enough to find the gap between two words."""
BLOCK_SAMPLES = 3000 * FRAME_SAMPLES
"""A minute."""
SMOOTH_FRAMES = 7
"""A quiet place is quiet for 140 ms: longer than the closure of a stop consonant."""
SILENT_DBFS = -60.0
"""What is louder is always decoded; what is not, if it may be speech: models invent text for silence."""


class Chunk(NamedTuple):
    """A stretch of the recording, samples."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CutRules:
    """Seconds: a cut comes `earliest_s` to `latest_s` after the last one, where it is quietest;
    neighbouring windows share `overlap_s`, half of it on either side of the cut."""

    earliest_s: float = 5.0
    latest_s: float = 8.0
    overlap_s: float = 1.0

    @classmethod
    def within(cls, max_window_s: float) -> CutRules:
        """Rules whose windows an engine with this limit takes."""
        usual = cls()
        latest_s = min(usual.latest_s, max(1.0, max_window_s - usual.overlap_s))
        return cls(latest_s * usual.earliest_s / usual.latest_s, latest_s)


def windows(pcm: Floats | Samples, rules: CutRules) -> list[Chunk]:
    """Consecutive, overlapping windows that cover the recording; none longer than
    `latest_s + overlap_s`."""
    if not pcm.size:
        return []
    half = int(rules.overlap_s * SAMPLE_RATE) // 2
    edges = [0, *_cuts(pcm, rules), pcm.size]
    return [
        Chunk(max(0, start - half), min(pcm.size, end + half))
        for start, end in itertools.pairwise(edges)
        if end > start
    ]


class Audible(NamedTuple):
    """The chunks worth decoding; whether there was speech besides that is too quiet to be judged."""

    chunks: list[Chunk]
    too_quiet: bool


def audible(pcm16: bytes, chunks: Sequence[Chunk]) -> Audible:
    """The recording's chunks through the silence gate, as live windows go through it."""
    state, heard, too_quiet = GateState(), [], False
    for chunk in chunks:
        gated = pass_gate(state, pcm16[2 * chunk.start : 2 * chunk.end], SILENT_DBFS)
        state, too_quiet = gated.state, too_quiet or gated.tell
        if gated.sound != "silent":
            heard.append(chunk)
    return Audible(heard, too_quiet)


def hearing(
    window: Chunk,
    output: EngineOutput | None,
    capabilities: EngineCapabilities,
    sound: SoundFacts | None = None,
) -> Hearing:
    """What an engine heard in a window, its times moved to the recording's; None: a silent window."""
    start_ms, end_ms = _ms(window.start), _ms(window.end)
    script, curves = capabilities.script, capabilities.confidence_curves
    if output is None:
        return Hearing(start_ms, end_ms, script=script, confidence_curves=curves)
    return Hearing(
        start_ms,
        end_ms,
        output.text,
        tuple(_moved_word(word, start_ms) for word in output.words),
        None if output.phones is None else tuple(_moved_phone(phone, start_ms) for phone in output.phones),
        script,
        curves,
        sound,
    )


def _levels(pcm: Floats | Samples) -> Floats:
    """Frame by frame, in blocks: an hour as floats would be 230 MB, and as much again to square it."""
    blocks = [
        frame_levels_dbfs(as_float(pcm[start : start + BLOCK_SAMPLES]), FRAME_SAMPLES)
        for start in range(0, pcm.size, BLOCK_SAMPLES)
    ]
    return np.concatenate(blocks)


def _cuts(pcm: Floats | Samples, rules: CutRules) -> list[int]:
    """Sample positions of the cuts."""
    quietness = _smoothed(_levels(pcm))
    earliest, latest = (int(s * SAMPLE_RATE) // FRAME_SAMPLES for s in (rules.earliest_s, rules.latest_s))
    cuts: list[int] = []
    last = 0
    while quietness.size - last > latest:
        last += earliest + int(np.argmin(quietness[last + earliest : last + latest]))
        cuts.append(last * FRAME_SAMPLES)
    return cuts


def _smoothed(levels: Floats) -> Floats:
    """The loudest level around each frame: low only in the middle of a real pause."""
    half = SMOOTH_FRAMES // 2
    padded = np.pad(levels, half, mode="edge")
    loudest: Floats = np.lib.stride_tricks.sliding_window_view(padded, SMOOTH_FRAMES).max(axis=1)
    return loudest


def _moved_word(word: HeardWord, by_ms: int) -> HeardWord:
    start_ms = None if word.start_ms is None else word.start_ms + by_ms
    end_ms = None if word.end_ms is None else word.end_ms + by_ms
    return HeardWord(word.text, start_ms, end_ms, word.confidence)


def _moved_phone(phone: Phone, by_ms: int) -> Phone:
    return Phone(
        phone.symbol, phone.start_ms + by_ms, phone.end_ms + by_ms, phone.confidence, phone.alternatives
    )


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE


def chunks(items: Sequence[Chunk], size: int) -> list[Sequence[Chunk]]:
    """The windows in groups of `size`, the last one shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]
