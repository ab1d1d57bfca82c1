"""The demo's recitations: ``python -m training.samples [--out cli/samples]``.

Synthesised voices only, so that they may be shipped; what each one says, mistakes included, is
written beside them in ``samples.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np

from training.audio import SAMPLE_RATE, Floats
from training.passages import WordRef, refs
from training.synth import Voice, recite

PEAK = 0.5
BIT_RATE = 40_000


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the listener should say of one word of the passage."""

    verse: str
    word: int
    status: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One recitation to synthesise."""

    name: str
    passage: str
    about: str
    phrases: Sequence[Sequence[WordRef]]
    mistakes: tuple[Mistake, ...]
    voice: Voice


def _verses(sura: int, first: int, last: int) -> list[list[WordRef]]:
    return [refs(sura, aya) for aya in range(first, last + 1)]


def _fatiha_with_mistakes() -> list[list[WordRef]]:
    foreign = WordRef(105, 4, 1)
    return [
        refs(1, 1),
        refs(1, 2, 1, 2),
        *_verses(1, 2, 3),
        [*refs(1, 4, 1, 1), *refs(1, 4, 3)],
        *_verses(1, 5, 6),
        [*refs(1, 7, 1, 5), foreign, *refs(1, 7, 7)],
    ]


def samples() -> list[Sample]:
    """The samples that the demo and the tests use."""
    calm, bright = Voice("m3", 118, 42), Voice("m1", 112, 50)
    return [
        Sample("fatiha_clean", "1:1-7", "al-Fatiha without a mistake", _verses(1, 1, 7), (), calm),
        Sample(
            "fatiha_mistakes",
            "1:1-7",
            "al-Fatiha: the first two words of 1:2 said twice (no mistake), the second word of "
            "1:4 left out, the sixth word of 1:7 replaced by the first of 105:4",
            _fatiha_with_mistakes(),
            (Mistake("1:4", 2, "missing"), Mistake("1:7", 6, "wrong")),
            calm,
        ),
        Sample("ikhlas_clean", "112:1-4", "al-Ikhlas, clean", _verses(112, 1, 4), (), bright),
    ]


def write_opus(path: Path, samples_: Floats) -> None:
    """Mono Ogg Opus made from 16 kHz samples, scaled to half of full scale."""
    level = PEAK / max(1e-6, float(np.abs(samples_).max()))
    pcm = np.round(samples_ * level * 32767).astype(np.int16)
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    """Write every sample and their description."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("cli/samples"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    described = []
    for sample in samples():
        audio = recite(sample.phrases, sample.voice)
        write_opus(out / f"{sample.name}.opus", audio)
        described.append(
            {
                "name": sample.name,
                "file": f"{sample.name}.opus",
                "verses": sample.passage,
                "about": sample.about,
                "seconds": round(audio.size / SAMPLE_RATE, 2),
                "expected": [asdict(mistake) for mistake in sample.mistakes],
                "voice": {"program": "espeak-ng", "language": "ar", **asdict(sample.voice)},
            }
        )
    text = json.dumps(described, ensure_ascii=False, indent=2)
    (out / "samples.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
