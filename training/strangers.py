"""How a model hears what it was never trained on: ``python -m training.strangers MODEL --data DIR``.

Held-out reciters saying suras that were trained on with other voices, and suras that never were; phone
recordings by length of passage; the held-out reciters with pitch and formants raised, for want of women
and children; and how many words are called correct when another sura is recited than
the one that is followed (a share that should be near zero: nobody said those words).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener
from shared.audio.pcm import to_pcm16
from shared.hearing import Hearing
from shared.recitation.alignment.sound_units import HeardSound, heard_sound
from shared.recitation.grading.policy import DEFAULT, FeedbackPolicy
from shared.recitation.grading.sound_grader import join_sounds
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.review import review
from training import audio, manifest
from training.audio import Floats
from training.manifest import Clip
from training.mistakes import joined as in_a_row
from training.passages import verse
from training.stretch import raised
from training.unheard import UNHEARD_SURAS

ACCUSED = ("wrong", "missing")
LENGTHS_S = (3.0, 6.0, 12.0, 30.0)
"""Borders between the groups of phone recordings."""
OTHER_SURAS = ((78, 1, 10), (83, 1, 10), (89, 1, 8), (97, 1, 5), (112, 1, 4), (2, 255, 257))
"""Passages that are followed while another sura is recited."""
RAISED = (("voice 20 % higher, about a woman's", 1.2), ("voice 40 % higher, about a child's", 1.4))
LONGEST_STRANGER_S = 40.0
"""So much of another sura is recited against a passage, verse after verse."""


@dataclass(slots=True)
class Tally:
    """Counts of one group."""

    clips: int = 0
    edits: int = 0
    sounds: int = 0
    words: int = 0
    correct: int = 0
    accused: int = 0

    def rates(self) -> dict[str, float]:
        """Sound error rate of live windows, words called correct, words accused."""
        return {
            "clips": self.clips,
            "per": round(self.edits / max(1, self.sounds), 3),
            "words": self.words,
            "correct": round(self.correct / max(1, self.words), 3),
            "false_alarms": round(self.accused / max(1, self.words), 3),
        }


def joined(hearings: Iterable[Hearing]) -> list[str]:
    """The sounds of overlapping windows as one row, joined as the grading joins them."""
    row: list[HeardSound] = []
    end_ms = 0
    for hearing in hearings:
        new = [heard_sound(phone) for phone in hearing.phones or ()]
        keep, added = join_sounds(row, new, (hearing.start_ms, end_ms))
        row = row[:keep] + added
        end_ms = hearing.end_ms
    return [unit.symbol for unit in row]


def hear(listener: Listener, clip: Clip, samples: Floats, tally: Tally, policy: FeedbackPolicy) -> None:
    """Follow one recording live and count."""
    hearings = listener.live(to_pcm16(samples))
    said = [
        sound
        for aya in range(clip.first, clip.last + 1)
        for word in verse(clip.sura, aya)
        for sound in word.sounds
    ]
    tally.clips += 1
    tally.edits += Levenshtein.distance(said, joined(hearings))
    tally.sounds += len(said)
    passage = load_passage(VerseRange.of(clip.sura, clip.first, clip.last))
    for judged in review(passage, hearings, policy).words:
        tally.words += 1
        tally.correct += judged.status == "correct"
        tally.accused += judged.status in ACCUSED


def groups(data: Path, limit: int) -> Iterator[tuple[str, Clip]]:
    """Held-out reciters by whether the sura was trained on, phone recordings by length."""
    held_out = [clip for clip in manifest.recited(data) if clip.held_out]
    for reciter in manifest.HELD_OUT:
        for name, unheard in (("trained suras", False), ("unheard suras", True)):
            clips = [
                clip
                for clip in held_out
                if clip.reciter == reciter and (clip.sura in UNHEARD_SURAS) == unheard
            ]
            for clip in clips[:: max(1, -(-len(clips) // limit))]:
                yield f"{reciter}: {name}", clip
    for clip in manifest.spoken_by_users(data):
        longest = next((f"up to {border:g} s" for border in LENGTHS_S if clip.seconds <= border), "longer")
        yield f"phones: {longest}", clip


def _evenly(data: Path, limit: int) -> Iterator[Clip]:
    """At most ``limit`` verses of each held-out reciter."""
    for reciter in manifest.HELD_OUT:
        clips = [clip for clip in manifest.recited(data) if clip.reciter == reciter]
        yield from clips[:: max(1, -(-len(clips) // limit))]


def strangers(data: Path, reciter: str) -> Iterator[tuple[VerseRange, Floats]]:
    """A passage to follow, and what is recited instead: verses of another sura."""
    by_sura: dict[int, list[Clip]] = {}
    for clip in manifest.recited(data):
        if clip.reciter == reciter:
            by_sura.setdefault(clip.sura, []).append(clip)
    recited = sorted(by_sura)
    for number, (sura, first, last) in enumerate(OTHER_SURAS):
        others = [other for other in recited if other != sura]
        for step in range(2):
            clips = by_sura[others[(number * 5 + step * 11) % len(others)]]
            pieces: list[Floats] = []
            seconds = 0.0
            for clip in clips:
                if seconds < LONGEST_STRANGER_S:
                    pieces.append(audio.read(clip.path))
                    seconds += clip.seconds
            yield VerseRange.of(sura, first, last), in_a_row(*pieces)


def measure(
    model: Path, data: Path, limit: int, policy: FeedbackPolicy = DEFAULT
) -> dict[str, dict[str, float]]:
    """All figures of a model, by group."""
    listener = Listener(CTranslate2Engine(model, ComputeOptions("cpu", "int8", threads=1)))
    tallies: dict[str, Tally] = {}
    for group, clip in groups(data, limit):
        hear(listener, clip, audio.read(clip.path), tallies.setdefault(group, Tally()), policy)
    for name, ratio in RAISED:
        for clip in _evenly(data, limit // 2):
            tally = tallies.setdefault(f"{clip.reciter}: {name}", Tally())
            hear(listener, clip, raised(audio.read(clip.path), ratio), tally, policy)
    figures = {group: tally.rates() for group, tally in tallies.items()}
    for reciter in manifest.HELD_OUT:
        words = correct = 0
        for verses, samples in strangers(data, reciter):
            feedback = review(load_passage(verses), listener.live(to_pcm16(samples)), policy)
            words += len(feedback.words)
            correct += sum(word.status == "correct" for word in feedback.words)
        figures[f"{reciter}: another sura"] = {"words": words, "correct": round(correct / max(1, words), 3)}
    return figures


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m training.strangers", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=60, help="verses of each reciter in each group")
    options = parser.parse_args()
    for group, rates in measure(options.model, options.data, options.limit).items():
        print(f"{group:<28}{json.dumps(rates)}", flush=True)


if __name__ == "__main__":
    main()
