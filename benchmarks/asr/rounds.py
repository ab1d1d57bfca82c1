"""One configuration (threads, cores) in a process of its own: `python -m benchmarks.asr.rounds`.

Rounds are interleaved: in each, every way decodes once, so that whatever else the machine does hits
all of them alike; the medians of the rounds are compared. The slow ways take a share of the windows per
round. Afterwards, not timed, every way hears all windows once for its error rates.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from asr_worker.engines.model_parts import ComputeOptions
from benchmarks.asr.paths import DecodingPath, open_paths
from benchmarks.asr.stages import StageSplit, StageWatch, split
from benchmarks.speech import (
    Floats,
    Heard,
    Recording,
    Window,
    judged_errors,
    recording_of,
    recordings,
    text_errors,
    windows,
)

WARM_UP_WINDOWS = 2
FAST_REPEATS = 4
"""Rattil's rounds decode everything so many times, as if four reciters recited each recording: its rounds
would be too short to time otherwise."""


COMPARED_WINDOW_S, COMPARED_BATCH = 3.0, 8
"""The window and batch of the headline's milliseconds per segment."""


class Voice(msgspec.Struct, frozen=True):
    """A recording for the error rates; `verses` as in "1:1-7"."""

    path: str
    verses: str


class RoundsOrder(msgspec.Struct, frozen=True):
    """What to measure; a slow way sees every window once over all `rounds`.

    Speed is always measured on the bundled `samples`, error rates on the `voices` if there are any.
    """

    model: str
    threads: int
    batches: tuple[int, ...]
    rounds: int
    samples: tuple[str, ...]
    voices: tuple[Voice, ...] = ()


class PathFigures(msgspec.Struct, frozen=True):
    """One way's rounds, in segments per second, and its error rates.

    `wer`: words that the product's alignment does not find correct; `text_wer`: of the decoder's text.
    """

    name: str
    batch: int
    segments_per_s: list[float]
    wer: float
    text_wer: float


class RoundsFigures(msgspec.Struct, frozen=True):
    """What one process measured. `compared_ms`: per segment of `COMPARED_WINDOW_S`, `COMPARED_BATCH` at a
    time, by round; `judged`: recordings behind the error rates."""

    threads: int
    windows: int
    audio_s: float
    compared_ms: list[float]
    judged: int
    paths: list[PathFigures]
    stages: list[StageSplit]


def measure(order: RoundsOrder) -> RoundsFigures:
    """Run all rounds. Slow: tens of seconds."""
    directory = Path(order.model)
    material = [window for name in order.samples for window in windows(recordings()[name])]
    # Sorted by length, so that batches have one shape as the worker's batcher makes them.
    material.sort(key=lambda window: (-window.pcm.size, window.session, window.seq))
    by_length = [w for _, same in groupby(material, lambda w: w.pcm.size) for w in list(same) * FAST_REPEATS]
    paths = open_paths(directory, order.threads, order.batches)
    rates: dict[str, list[float]] = {path.name: [] for path in paths}
    for path in paths:
        path.decode([window.pcm for window in material[:WARM_UP_WINDOWS]])
    engine = StageWatch(directory, ComputeOptions("cpu", "int8", order.threads))
    long = _long_windows(order.samples)
    compared: list[StageSplit] = []
    for number in range(order.rounds):
        for path in paths:
            fast = path.name.startswith("rattil")
            share = by_length if fast else material[number :: order.rounds]
            rates[path.name].append(_round(path, share))
        compared.append(split(engine, long, COMPARED_BATCH))
    pcm = [window.pcm for window in by_length]
    voices = _voices(order)
    return RoundsFigures(
        threads=order.threads,
        windows=len(material),
        audio_s=round(sum(window.pcm.size for window in material) / 16_000, 1),
        compared_ms=[round(one.total_ms, 3) for one in compared],
        judged=len(voices),
        paths=[_path_figures(path, rates[path.name], voices) for path in paths],
        stages=[*(split(engine, pcm, batch) for batch in order.batches), _middle(compared)],
    )


def _long_windows(samples: Sequence[str]) -> list[Floats]:
    """Whole windows of `COMPARED_WINDOW_S` from the bundled recordings, a multiple of the batch."""
    every = [w.pcm for name in samples for w in windows(recordings()[name], COMPARED_WINDOW_S)]
    whole = [pcm for pcm in every if pcm.size == every[0].size]
    return (whole * COMPARED_BATCH)[: 4 * COMPARED_BATCH]


def _middle(splits: Sequence[StageSplit]) -> StageSplit:
    """The round with the median total."""
    return sorted(splits, key=lambda one: one.total_ms)[len(splits) // 2]


def _voices(order: RoundsOrder) -> dict[str, Recording]:
    if not order.voices:
        return {name: recordings()[name] for name in order.samples}
    names = [f"{number}-{Path(voice.path).stem}" for number, voice in enumerate(order.voices)]
    return {
        name: recording_of(name, Path(voice.path), voice.verses)
        for name, voice in zip(names, order.voices, strict=True)
    }


def _path_figures(path: DecodingPath, rates: list[float], voices: Mapping[str, Recording]) -> PathFigures:
    material = [window for recording in voices.values() for window in windows(recording)]
    material.sort(key=lambda window: -window.pcm.size)
    heard: dict[tuple[str, int], Heard] = {}
    for start in range(0, len(material), path.batch):
        batch = material[start : start + path.batch]
        sounds = path.sounds([window.pcm for window in batch])
        heard.update(((window.session, window.seq), one) for window, one in zip(batch, sounds, strict=True))
    wer, text_wer = judged_errors(heard, material, voices), text_errors(heard, material, voices)
    return PathFigures(path.name, path.batch, rates, wer, text_wer)


def _round(path: DecodingPath, share: list[Window]) -> float:
    """Decode a share of the windows; segments per second."""
    began_s = time.perf_counter()
    for start in range(0, len(share), path.batch):
        path.decode([window.pcm for window in share[start : start + path.batch]])
    return len(share) / (time.perf_counter() - began_s)


def main() -> None:
    """Order as JSON on standard input, figures as JSON on standard output."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=RoundsOrder)
    sys.stdout.buffer.write(msgspec.json.encode(measure(order)))


if __name__ == "__main__":
    main()
