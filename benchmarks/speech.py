"""Real speech for the load: the bundled recitations, whole, in windows, and looped without an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import edits
from cli.sample_files import Sample, load_samples
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import to_float
from shared.hearing import Hearing, Phone
from shared.recitation.live.follower import Follower
from shared.recitation.live.transcript import Transcript
from shared.recitation.reference.normalise import bones, skeleton, spoken_words
from shared.recitation.reference.passage import VerseRange, load_passage

WINDOW_S = 2.5
OVERLAP_S = 0.5
MAX_WORDS = 500

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """One window of one session, float32 mono; `start` in samples from the session's start."""

    session: str
    seq: int
    start: int
    pcm: Floats


class Heard(NamedTuple):
    """What a way of decoding gives for one window; phone times in ms from the window's start."""

    text: str
    phones: tuple[Phone, ...] | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recitation without mistakes: PCM16 bytes and the words that are said in it."""

    sample: Sample
    pcm: bytes
    words: tuple[str, ...]


@lru_cache(maxsize=1)
def recordings() -> Mapping[str, Recording]:
    """The recitations without mistakes: only there the reference text is what is said."""
    return {
        name: Recording(sample, decode_file(sample.path), _reference(sample))
        for name, sample in load_samples().items()
        if not sample.expected
    }


def recording_of(name: str, path: Path, verses: str) -> Recording:
    """A recitation from elsewhere. Raises `BadAudio`."""
    sample = Sample(name, str(path.resolve()), verses)
    return Recording(sample, decode_file(path), _reference(sample))


def windows(recording: Recording, window_s: float = WINDOW_S, overlap_s: float = OVERLAP_S) -> list[Window]:
    """The windows a gateway would cut of this recording, in order; the last one may be short."""
    pcm = to_float(recording.pcm)
    length, step = round(window_s * SAMPLE_RATE), round((window_s - overlap_s) * SAMPLE_RATE)
    starts = range(0, max(1, pcm.size - round(overlap_s * SAMPLE_RATE)), step)
    return [
        Window(recording.sample.name, seq, start, pcm[start : start + length])
        for seq, start in enumerate(starts)
    ]


def text_errors(
    heard: Mapping[tuple[str, int], Heard],
    wanted: Sequence[Window],
    among: Mapping[str, Recording] | None = None,
) -> float:
    """Word error rate of the decoder's text, joined over the windows as the product joins it.

    `heard` maps (session, seq) to what was heard; every window of a session must be there. `among`: the
    recordings by session, the bundled ones if not given.
    """
    wrong = total = 0
    for name, recording in (among or recordings()).items():
        mine = [window for window in wanted if window.session == name]
        if not mine:
            continue
        transcript = Transcript(MAX_WORDS)
        for window in sorted(mine, key=lambda one: one.seq):
            transcript.add(_hearing(window, heard[name, window.seq]))
        said = [bones(skeleton(word)) for word in spoken_words(transcript.text)]
        wrong += edits(recording.words, said)
        total += len(recording.words)
    return wrong / max(1, total)


def judged_errors(
    heard: Mapping[tuple[str, int], Heard],
    wanted: Sequence[Window],
    among: Mapping[str, Recording] | None = None,
) -> float:
    """Share of words that the product's own alignment does not find correct, extra words included.

    The recordings are without mistakes. It judges by phones where there are any, else by text.
    """
    wrong = total = 0
    for name, recording in (among or recordings()).items():
        mine = sorted((window for window in wanted if window.session == name), key=lambda one: one.seq)
        if not mine:
            continue
        follower = Follower(load_passage(VerseRange.parse(recording.sample.verses)))
        for window in mine:
            follower.hear(_hearing(window, heard[name, window.seq]))
        feedback = follower.finish()
        wrong += sum(word.status != "correct" for word in feedback.words) + len(feedback.extra_words)
        total += len(feedback.words)
    return wrong / max(1, total)


def _hearing(window: Window, heard: Heard) -> Hearing:
    """What was heard, at its place in the session."""
    start_ms = window.start * 1000 // SAMPLE_RATE
    end_ms = (window.start + window.pcm.size) * 1000 // SAMPLE_RATE
    phones = None
    if heard.phones is not None:
        phones = tuple(
            msgspec.structs.replace(one, start_ms=one.start_ms + start_ms, end_ms=one.end_ms + start_ms)
            for one in heard.phones
        )
    return Hearing(start_ms, end_ms, heard.text, phones=phones, script="imlai")


def looped(recording: Recording, from_sample: int, samples: int) -> bytes:
    """PCM16 of a reciter who starts over without an end, from any sample of the recording on."""
    size = len(recording.pcm) // 2
    start = from_sample % size
    turns = -(-(start + samples) // size)
    return (recording.pcm * turns)[2 * start : 2 * (start + samples)]


def _reference(sample: Sample) -> tuple[str, ...]:
    passage = load_passage(VerseRange.parse(sample.verses))
    return tuple(bones(word.skeleton) for word in passage.words)
