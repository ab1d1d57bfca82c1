"""One configuration (threads, cores) in a process of its own: `python -m benchmarks.asr.rounds`.

Rounds are interleaved: in each, every way decodes once, so that whatever else the machine does hits
all of them alike; the medians of the rounds are compared. The slow ways take a share of the windows per
round. Afterwards, not timed, every way hears all windows once for its error rates.
"""

from __future__ import annotations

import sys
import time
from itertools import groupby
from pathlib import Path

import msgspec

from asr_worker.engines.model_parts import ComputeOptions
from benchmarks.asr.paths import DecodingPath, open_paths
from benchmarks.asr.stages import StageSplit, StageWatch, split
from benchmarks.speech import Heard, Window, judged_errors, recordings, text_errors, windows

WARM_UP_WINDOWS = 2
FAST_REPEATS = 4
"""Rattil's rounds decode everything so many times, as if four reciters recited each recording: its rounds
would be too short to time otherwise."""


class RoundsOrder(msgspec.Struct, frozen=True):
    """What to measure; a slow way sees every window once over all `rounds`."""

    model: str
    threads: int
    batches: tuple[int, ...]
    rounds: int
    samples: tuple[str, ...]


class PathFigures(msgspec.Struct, frozen=True):
    """One way's rounds, in segments per second, and its error rates.

    `wer`: words that the product's walk does not find correct; `text_wer`: of the decoder's text.
    """

    name: str
    batch: int
    segments_per_s: list[float]
    wer: float
    text_wer: float


class RoundsFigures(msgspec.Struct, frozen=True):
    """What one process measured."""

    threads: int
    windows: int
    audio_s: float
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
    for number in range(order.rounds):
        for path in paths:
            fast = path.name.startswith("rattil")
            share = by_length if fast else material[number :: order.rounds]
            rates[path.name].append(_round(path, share))
    engine = StageWatch(directory, ComputeOptions("cpu", "int8", order.threads))
    pcm = [window.pcm for window in by_length]
    return RoundsFigures(
        threads=order.threads,
        windows=len(material),
        audio_s=round(sum(window.pcm.size for window in material) / 16_000, 1),
        paths=[_path_figures(path, rates[path.name], material) for path in paths],
        stages=[split(engine, pcm, batch) for batch in order.batches],
    )


def _path_figures(path: DecodingPath, rates: list[float], material: list[Window]) -> PathFigures:
    heard: dict[tuple[str, int], Heard] = {}
    for start in range(0, len(material), path.batch):
        batch = material[start : start + path.batch]
        sounds = path.sounds([window.pcm for window in batch])
        heard.update(((window.session, window.seq), one) for window, one in zip(batch, sounds, strict=True))
    wer, text_wer = judged_errors(heard, material), text_errors(heard, material)
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
