"""Every training clip as samples in one file, with what a taught model hears in it.

A store is a folder of numbered parts, so that training can begin before all is there. ``pcm.i16`` holds
the samples of a part's clips, ``states.f16`` the teacher's encoder states on the clean clip (one row
a frame), ``clips.json`` where each clip is in both, and when each of its sounds is heard: the
teacher's posteriors aligned with what is said. Windows are distorted while training, so no two are
alike and no distorted copy takes up disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.ctc_head import CtcHead
from shared.audio.features import FeatureConfig, log_mel
from training import audio, manifest, voices
from training.audio import SAMPLE_RATE, Floats
from training.cache import Source
from training.corpus import symbol_ids
from training.export import HEAD_FILE
from training.passages import Letters, Said, phrase, verse
from training.unheard import UNHEARD_SURAS

TEACHER_WINDOW, TEACHER_MARGIN = round(8.0 * SAMPLE_RATE), round(1.0 * SAMPLE_RATE)
PART_CLIPS = 1000
POOR_FIT = -1.2
"""Mean log posterior of the aligned sounds below which a clip's text or cut is not believed."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One clip: its samples, its teacher's states, and sounds and words by time.

    ``sounds`` are symbol ids and ``moments_s`` when each is heard; ``words`` hold text, first and
    last moment in seconds. ``words`` is ``None`` where the letters are not known.
    """

    key: str
    voice: str
    start: int
    samples: int
    first_state: int
    sounds: list[int]
    moments_s: list[float]
    words: list[tuple[str, float, float]] | None
    fit: float


@dataclass(frozen=True, slots=True)
class Part:
    """The mapped samples and states of one part."""

    pcm: NDArray[np.int16]
    states: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Speech:
    """The opened parts of a store; ``parts[n]`` belongs to ``clips[n]``."""

    clips: list[Spoken]
    parts: list[Part]
    width: int

    @classmethod
    def open(cls, folder: Path) -> Speech:
        """Map all complete parts; clips that do not fit their text are left out."""
        clips: list[Spoken] = []
        parts: list[Part] = []
        width = 0
        for listing in sorted(folder.glob("part*/clips.json")):
            raw = json.loads(listing.read_text(encoding="utf-8"))
            width = raw["d_model"]
            states = np.memmap(listing.with_name("states.f16"), np.float16, "r").reshape(-1, width)
            part = Part(np.memmap(listing.with_name("pcm.i16"), np.int16, "r"), states)
            kept = [clip for entry in raw["clips"] if (clip := Spoken(**entry)).fit > POOR_FIT]
            clips += kept
            parts += [part] * len(kept)
        if not clips:
            raise FileNotFoundError(f"{folder} holds no complete part of a speech store")
        return cls(clips, parts, width)

    def samples(self, index: int, first: int = 0, count: int | None = None) -> Floats:
        """Samples of a clip in [-1, 1], from ``first`` on."""
        clip = self.clips[index]
        last = clip.samples if count is None else min(clip.samples, first + count)
        return self.parts[index].pcm[clip.start + first : clip.start + last].astype(np.float32) / 32768.0


class Teacher:
    """An exported model's encoder and phoneme head on whole clips."""

    def __init__(self, folder: Path) -> None:
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8_float32", intra_threads=1
        )
        self._features = FeatureConfig.load(folder)
        self.head = CtcHead.load(folder / HEAD_FILE)
        self.state_s = self.head.frame_ms / 1000
        """What one of its states stands for."""

    def states(self, samples: Floats) -> Floats:
        """Encoder states ``[frames, d_model]``: windows of 8 s with a second of margin."""
        frame = round(self.state_s * SAMPLE_RATE)
        whole = -(-samples.size // frame) * frame
        padded = np.pad(samples, (0, whole - samples.size))
        rows = []
        for start in range(0, whole, TEACHER_WINDOW):
            low = max(0, start - TEACHER_MARGIN)
            high = min(whole, start + TEACHER_WINDOW + TEACHER_MARGIN)
            features = log_mel(np.pad(padded[low:high], (0, SAMPLE_RATE // 5)), self._features)
            view = ctranslate2.StorageView.from_array(np.ascontiguousarray(features[None]))
            heard = np.array(self._model.encode(view))[0]
            skipped, wanted = (start - low) // frame, min(TEACHER_WINDOW, whole - start) // frame
            rows.append(heard[skipped : skipped + wanted])
        states: Floats = np.concatenate(rows)
        return states


@dataclass(frozen=True, slots=True)
class Job:
    """A clip to be stored."""

    source: Source
    said: Sequence[Said]
    texts: Sequence[str] | None


_teacher: Teacher | None = None


def _start(folder: Path) -> None:
    global _teacher
    _teacher = Teacher(folder)


Heard = tuple[NDArray[np.int16], NDArray[np.float16], Spoken | None]


def _heard(job: Job) -> Heard:
    """Samples, states and (without places yet) the clip; ``None`` where its sounds do not fit in."""
    assert _teacher is not None
    samples = job.source.samples()
    states = _teacher.states(samples)
    log_probs = _teacher.head.log_probs(states)
    by_word = symbol_ids(job.said)
    sounds = [sound for word in by_word for sound in word]
    pcm = np.clip(samples * 32767.0, -32768, 32767).astype(np.int16)
    try:
        spans = _teacher.head.align(log_probs, sounds)
    except ValueError:
        return pcm, states.astype(np.float16), None
    moments = [(span.start_frame + span.end_frame) / 2 * _teacher.state_s for span in spans]
    words: list[tuple[str, float, float]] | None = None
    if job.texts is not None:
        edges = np.cumsum([0, *(len(word) for word in by_word)])
        words = [
            (text, moments[edges[place]], moments[edges[place + 1] - 1])
            for place, text in enumerate(job.texts)
            if edges[place + 1] > edges[place]
        ]
    fit = float(np.mean([span.mean_logprob for span in spans]))
    clip = Spoken(job.source.key, job.source.voice, 0, pcm.size, 0, sounds, moments, words, fit)
    return pcm, states.astype(np.float16), clip


def jobs(data: Path, synthetic: int, seed: int, unheard: Collection[int] = UNHEARD_SURAS) -> Iterator[Job]:
    """Reciters, shuffled, then synthetic voices, without the held-out reciters and suras."""
    texts = Letters(data / "text" / "quran-simple.txt")
    recited = [clip for clip in manifest.recited(data) if not clip.held_out and clip.sura not in unheard]
    for place in np.random.default_rng(seed).permutation(len(recited)):
        clip = recited[place]
        source = Source(clip.ref, clip.reciter, partial(audio.read, clip.path))
        yield Job(source, verse(clip.sura, clip.first), texts.verse(clip.sura, clip.first))
    for source in voices.sources(synthetic, seed):
        words = voices.parsed(source.key)
        if not any(word.sura in unheard for word in words):
            yield Job(source, phrase(words), texts.of(words))


def prepare(folder: Path, listed: Sequence[Job], teacher: Path, processes: int = 2) -> None:
    """Write the parts of a store that are not there yet, or that hold other clips or what another teacher
    heard."""
    ears = hashlib.sha256((teacher / HEAD_FILE).read_bytes()).hexdigest()
    with ProcessPoolExecutor(processes, initializer=_start, initargs=(teacher,)) as pool:
        for number, first in enumerate(range(0, len(listed), PART_CLIPS)):
            part, wanted = folder / f"part{number:03d}", listed[first : first + PART_CLIPS]
            fingerprint = _fingerprint(wanted, ears)
            if _holds(part) != fingerprint:
                part.mkdir(parents=True, exist_ok=True)
                _write(part, fingerprint, pool.map(_heard, wanted, chunksize=8))


def _fingerprint(wanted: Sequence[Job], teacher: str) -> str:
    names = "\n".join([teacher, *(f"{job.source.voice} {job.source.key}" for job in wanted)])
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _holds(part: Path) -> str | None:
    """The fingerprint of a complete part."""
    listing = part / "clips.json"
    if not listing.exists():
        return None
    found: str | None = json.loads(listing.read_text(encoding="utf-8")).get("fingerprint")
    return found


def _write(part: Path, fingerprint: str, heard: Iterable[Heard]) -> None:
    """One part; its list appears only when it is complete."""
    clips: list[dict[str, object]] = []
    samples = rows = width = 0
    with (part / "pcm.i16").open("wb") as pcm_file, (part / "states.f16").open("wb") as states_file:
        for pcm, states, clip in heard:
            if clip is None:
                continue
            pcm_file.write(pcm.tobytes())
            states_file.write(states.tobytes())
            clips.append(asdict(clip) | {"start": samples, "first_state": rows})
            samples, rows, width = samples + pcm.size, rows + len(states), states.shape[1]
    listing = json.dumps({"fingerprint": fingerprint, "d_model": width, "clips": clips}, ensure_ascii=False)
    partial = part / "clips.partial"
    partial.write_text(listing, encoding="utf-8")
    partial.replace(part / "clips.json")
    print(f"speech: {part.name}, {len(clips)} clips, {samples / SAMPLE_RATE / 60:.0f} min", flush=True)
