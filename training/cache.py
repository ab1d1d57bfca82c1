"""Features on disk: every recording once clean and a few times distorted, as float16.

A store is two files: ``NAME.f16`` holds log10 mel powers ``[all frames, n_mels]`` before clamp and
scaling (so that further changes can be made in the feature domain), ``NAME.json`` says which rows
belong to which recording.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.audio.features import FeatureConfig, log_power
from training.audio import Floats
from training.distort import distort

FEATURES = FeatureConfig(n_mels=80, hop_length=320)
"""20 ms frames: recitation is slow, and half the frames make half the encoder's work."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Rows ``start`` to ``start + frames`` of a store; copy 0 is the clean recording.

    A distorted copy's frame ``t`` shows what the clean one's frame ``t * rate`` shows.
    """

    key: str
    voice: str
    start: int
    frames: int
    copy: int
    rate: float


@dataclass(frozen=True, slots=True)
class Store:
    """A feature store opened for reading."""

    entries: list[Entry]
    rows: NDArray[np.float16]

    @classmethod
    def open(cls, folder: Path, name: str) -> Store:
        """Map a store written by :func:`write`."""
        raw = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        rows = np.memmap(folder / f"{name}.f16", dtype=np.float16, mode="r")
        return cls([Entry(**entry) for entry in raw], rows.reshape(-1, FEATURES.n_mels))

    def features(self, entry: Entry) -> NDArray[np.float16]:
        """Log10 mel powers of one entry, ``[frames, n_mels]``."""
        return self.rows[entry.start : entry.start + entry.frames]


@dataclass(frozen=True, slots=True)
class Source:
    """One recording to cache: a name, a voice, and how to get its samples."""

    key: str
    voice: str
    samples: Callable[[], Floats]


def exists(folder: Path, name: str) -> bool:
    """Whether a complete store of that name was written."""
    return (folder / f"{name}.json").exists()


def _versions(job: tuple[Source, int, int]) -> list[tuple[NDArray[np.float16], float]]:
    source, copies, seed = job
    rng = np.random.default_rng(seed)
    samples = source.samples()
    made = [(log_power(samples, FEATURES).astype(np.float16), 1.0)]
    for _ in range(copies):
        changed = distort(samples, rng)
        made.append((log_power(changed.samples, FEATURES).astype(np.float16), changed.rate))
    return made


def write(
    folder: Path, name: str, sources: Iterable[Source], copies: int, seed: int, processes: int = 2
) -> None:
    """Compute a store; it appears under its name only when it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = list(sources)
    jobs = [(source, copies, seed + index) for index, source in enumerate(listed)]
    entries: list[Entry] = []
    written = 0
    with (
        ProcessPoolExecutor(processes) as pool,
        (folder / f"{name}.f16").open("wb") as rows,
    ):
        for source, versions in zip(listed, pool.map(_versions, jobs, chunksize=8), strict=True):
            for copy, (frames, rate) in enumerate(versions):
                rows.write(frames.tobytes())
                entries.append(Entry(source.key, source.voice, written, len(frames), copy, rate))
                written += len(frames)
            if len(entries) % 1000 < len(versions):
                print(f"cache {name}: {len(entries)} entries, {written} frames", flush=True)
    listing = json.dumps([asdict(entry) for entry in entries])
    (folder / f"{name}.json").write_text(listing, encoding="utf-8")
