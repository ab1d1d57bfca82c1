"""What recordings there are: rows of the data folder's manifests as typed clips."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HELD_OUT = ("ajmy", "tunaiji")
"""Reciters kept out of training altogether: an echoing mosque and a fast voice."""

USERS = "users"
"""Reciter name given to recordings of ordinary people (evaluation only)."""

SAME_VOICE = {
    "alafasy_everyayah": "alafasy",
    "husary_everyayah": "husary",
    "minshawi_octave_up": "minshawi_muallim",
}
"""Rows that are another edition of a voice: always on the same side of a split."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recorded passage: ``sura:first`` to ``sura:last``, in a file of ``seconds``."""

    reciter: str
    path: Path
    sura: int
    first: int
    last: int
    seconds: float

    @property
    def ref(self) -> str:
        """The passage as ``s:a`` or ``s:a-b``."""
        verse = f"{self.sura}:{self.first}"
        return verse if self.first == self.last else f"{verse}-{self.last}"

    @property
    def held_out(self) -> bool:
        """Whether this voice must never be trained on."""
        return self.reciter == USERS or SAME_VOICE.get(self.reciter, self.reciter) in HELD_OUT


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t")


def recited(data: Path) -> list[Clip]:
    """Verse recordings of professional reciters whose cut and text were checked (flag ``ok``)."""
    clips = []
    for table in ("manifest.tsv", "manifest_synth.tsv"):
        for row in _rows(data / table):
            if row["flag"] != "ok" or row["reciter"] == "reciter":
                continue
            aya = int(row["aya"])
            clips.append(
                Clip(
                    row["reciter"],
                    data / row["file"],
                    int(row["sura"]),
                    aya,
                    aya,
                    float(row["seconds"]),
                )
            )
    return clips


def spoken_by_users(data: Path) -> list[Clip]:
    """Phone recordings of ordinary people; labels unverified, evaluation only."""
    clips = []
    for row in _rows(data / "manifest_users.tsv"):
        aya = int(row["aya"])
        last = int(row["aya_end"] or aya)
        clips.append(Clip(USERS, data / row["file"], int(row["sura"]), aya, last, float(row["seconds"])))
    return clips


def fingerprint(clips: Iterable[Clip]) -> str:
    """Short hash of which recordings went in (names and lengths, no content)."""
    digest = hashlib.sha256()
    for clip in sorted(clips, key=lambda clip: (clip.reciter, clip.sura, clip.first)):
        digest.update(f"{clip.reciter} {clip.ref} {clip.seconds:.2f}\n".encode())
    return digest.hexdigest()[:16]
