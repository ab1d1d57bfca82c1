"""From the data folder to aligned recordings in memory; every stage leaves a file behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import aligner, audio, cache, manifest, voices
from training.corpus import Recording, recording, symbol_ids
from training.passages import SYMBOLS, Letters, Said, phrase, verse

Ints = NDArray[np.int64]

RECITED, SYNTHETIC = "recited", "synthetic"
DISTORTED_COPIES = {RECITED: 7, SYNTHETIC: 1}
SYNTHETIC_CLIPS = 3200
SYNTHETIC_SEED = 100_000
RECITED_SEED = 1


@dataclass(slots=True)
class Clip:
    """One cached recording: what is said in it, its letters (if known), its cached copies."""

    said: Sequence[Said]
    texts: list[str] | None
    entries: list[cache.Entry]

    @property
    def path(self) -> aligner.Chain:
        """The states that its sounds go through."""
        return aligner.chain(symbol_ids(self.said))


def fill_caches(data: Path, work: Path, synthetic: int = SYNTHETIC_CLIPS) -> None:
    """Compute the feature stores that are not there yet."""
    if not cache.exists(work, RECITED):
        clips = [clip for clip in manifest.recited(data) if not clip.held_out]
        sources = [cache.Source(clip.ref, clip.reciter, partial(audio.read, clip.path)) for clip in clips]
        cache.write(work, RECITED, sources, DISTORTED_COPIES[RECITED], RECITED_SEED)
    if not cache.exists(work, SYNTHETIC):
        made = voices.sources(synthetic, SYNTHETIC_SEED)
        cache.write(work, SYNTHETIC, made, DISTORTED_COPIES[SYNTHETIC], SYNTHETIC_SEED)


def _recited(key: str, texts: Letters) -> tuple[Sequence[Said], list[str] | None]:
    sura, aya = (int(part) for part in key.split(":"))
    return verse(sura, aya), texts.verse(sura, aya)


def _synthetic(key: str, texts: Letters) -> tuple[Sequence[Said], list[str] | None]:
    words = voices.parsed(key)
    return phrase(words), texts.of(words)


READERS: dict[str, Callable[[str, Letters], tuple[Sequence[Said], list[str] | None]]] = {
    RECITED: _recited,
    SYNTHETIC: _synthetic,
}


def clips(store: cache.Store, name: str, texts: Letters) -> list[Clip]:
    """The recordings of a store, each with its copies."""
    found: list[Clip] = []
    for entry in store.entries:
        if entry.copy == 0:
            said, written = READERS[name](entry.key, texts)
            found.append(Clip(said, written, []))
        found[-1].entries.append(entry)
    return found


def _flat_start(store: cache.Store, members: Sequence[Clip]) -> list[Ints]:
    utterances = [aligner.Utterance(np.array(store.features(clip.entries[0])), clip.path) for clip in members]
    return aligner.align(utterances, len(SYMBOLS))


def places(work: Path, store: cache.Store, name: str, members: Sequence[Clip]) -> list[Ints]:
    """Alignments of a store's recordings, from their file or from a flat start."""
    file = work / f"{name}.places.npz"
    if not file.exists():
        keep_places(file, _flat_start(store, members))
    with np.load(file) as stored:
        return np.split(stored["places"].astype(np.int64), stored["edges"])


def keep_places(file: Path, found: Sequence[Ints]) -> None:
    """Write alignments in one move."""
    fresh = file.with_suffix(".partial.npz")
    edges = np.cumsum([len(part) for part in found])[:-1]
    np.savez(fresh, places=np.concatenate(found).astype(np.int16), edges=edges)
    fresh.replace(file)


def align_all(data: Path, work: Path) -> None:
    """Align what has not been aligned yet, before several processes ask for it."""
    texts = Letters(data / "text" / "quran-simple.txt")
    for name in (RECITED, SYNTHETIC):
        store = cache.Store.open(work, name)
        places(work, store, name, clips(store, name, texts))


def corpus(data: Path, work: Path) -> list[Recording]:
    """Everything to train on, aligned, with its features in memory."""
    texts = Letters(data / "text" / "quran-simple.txt")
    recordings = []
    for name in (RECITED, SYNTHETIC):
        store = cache.Store.open(work, name)
        members = clips(store, name, texts)
        for clip, place in zip(members, places(work, store, name, members), strict=True):
            first = clip.entries[0]
            item = recording(first.voice, first.key, clip.said, clip.path, place, clip.texts)
            item.copies = [(np.array(store.features(entry)), entry.rate) for entry in clip.entries]
            recordings.append(item)
    return recordings
