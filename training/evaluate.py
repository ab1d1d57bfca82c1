"""Error rates of an exported model: ``python -m training.evaluate MODEL --data DIR``.

Whole reciters that were never trained on, synthetic voices, and phone recordings of ordinary
people (labels unverified). A sound error rate is edits over reference sounds; ``stream`` hears
windows of 2.5 s with 0.5 s overlap, as the product does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from training import audio, manifest, voices
from training.audio import Floats
from training.hear import Listener
from training.passages import Letters, phrase, verse

WINDOW_S = 2.5
OVERLAP_S = 0.5
SYNTHETIC_CLIPS = 60
SYNTHETIC_SEED = 900_000


@dataclass(frozen=True, slots=True)
class Example:
    """One recording with what is said in it; ``text`` is ``None`` where it is not known."""

    group: str
    samples: Callable[[], Floats]
    sounds: list[str]
    text: str | None


@dataclass(slots=True)
class Tally:
    """Edits and reference lengths, by measure."""

    edits: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    clips: int = 0

    def add(self, measure: str, said: list[str], heard: list[str]) -> None:
        edits = Levenshtein.distance(said, heard)
        self.edits[measure] = self.edits.get(measure, 0) + edits
        self.lengths[measure] = self.lengths.get(measure, 0) + len(said)

    def rates(self) -> dict[str, float]:
        """Error rates, three digits."""
        rates = {
            measure: round(self.edits[measure] / max(1, self.lengths[measure]), 3) for measure in self.edits
        }
        return {"clips": self.clips, **rates}


def _said(sura: int, first: int, last: int) -> list[str]:
    return [sound for aya in range(first, last + 1) for word in verse(sura, aya) for sound in word.sounds]


def recordings(data: Path, limit: int) -> Iterator[Example]:
    """Held-out reciters (at most ``limit`` verses each, evenly drawn) and users."""
    texts = Letters(data / "text" / "quran-simple.txt")
    held_out = [clip for clip in manifest.recited(data) if clip.held_out]
    for reciter in manifest.HELD_OUT:
        clips = [clip for clip in held_out if clip.reciter == reciter]
        yield from _examples(clips[:: max(1, -(-len(clips) // limit))], texts)
    yield from _examples(manifest.spoken_by_users(data), texts)


def _examples(clips: Iterable[manifest.Clip], texts: Letters) -> Iterator[Example]:
    for clip in clips:
        ayat = range(clip.first, clip.last + 1)
        group = f"users-{clip.path.parent.name}" if clip.reciter == manifest.USERS else clip.reciter
        written = [texts.verse(clip.sura, aya) for aya in ayat]
        text = " ".join(" ".join(words or []) for words in written) if None not in written else None
        yield Example(group, partial(audio.read, clip.path), _said(clip.sura, clip.first, clip.last), text)


def synthetic(texts: Letters) -> Iterator[Example]:
    """Synthetic voices saying passages that were not in the training mix (another seed)."""
    for source in voices.sources(SYNTHETIC_CLIPS, SYNTHETIC_SEED):
        words = voices.parsed(source.key)
        said = [sound for word in phrase(words) for sound in word.sounds]
        written = texts.of(words)
        text = " ".join(written) if written is not None else None
        yield Example("synth", source.samples, said, text)


def measure(listener: Listener, examples: Iterable[Example]) -> dict[str, dict[str, float]]:
    """Error rates by group: ``per`` whole windows, ``stream_per``, ``cer`` and ``wer``."""
    tallies: dict[str, Tally] = {}
    for example in examples:
        pcm = example.samples()
        tally = tallies.setdefault(example.group, Tally())
        tally.clips += 1
        tally.add("stream_per", example.sounds, listener.stream(pcm, WINDOW_S, OVERLAP_S))
        if pcm.size > listener.max_samples:
            continue
        tally.add("per", example.sounds, [phone.symbol for phone in listener.sounds(pcm)])
        if example.text is not None:
            written = listener.text(pcm)
            tally.add("cer", list(example.text), list(written))
            tally.add("wer", example.text.split(), written.split())
    return {group: tally.rates() for group, tally in tallies.items()}


def evaluate(folder: Path, data: Path, limit: int = 150) -> dict[str, dict[str, float]]:
    """All groups of recordings, real and synthetic."""
    listener = Listener(folder)
    texts = Letters(data / "text" / "quran-simple.txt")
    results = measure(listener, recordings(data, limit))
    results |= measure(listener, synthetic(texts))
    reciters = [results[name]["stream_per"] for name in manifest.HELD_OUT]
    results["unseen_reciters_mean"] = {"stream_per": round(float(np.mean(reciters)), 3)}
    return results


def main() -> None:
    """Print the error rates as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=150, help="verses for each reciter")
    options = parser.parse_args()
    print(json.dumps(evaluate(options.model, options.data, options.limit), indent=1))


if __name__ == "__main__":
    main()
