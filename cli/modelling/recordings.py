"""Recordings to evaluate a model on: a folder of SSSAAA files, a manifest, or the bundled samples."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.sample_files import load_samples
from shared.errors import BadRequest
from shared.recitation.reference.passage import VerseRange

AUDIO_SUFFIXES = frozenset({".opus", ".ogg", ".flac", ".wav", ".mp3", ".m4a", ".webm"})
VERSE_FILE = re.compile(r"(\d{3})(\d{3})")
"""`002255`: sura 2, verse 255, as recitation archives name their files."""
COUNTED_FLAGS = frozenset({"", "ok"})
"""Rows of a manifest with another flag are known to be badly cut."""
BUNDLED_RECITER = "bundled samples"


@dataclass(frozen=True, slots=True)
class Recording:
    """One audio file, what is recited in it, and by whom."""

    path: Path
    verses: VerseRange
    reciter: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which recordings of a source to take: `reciters` (none: all), at most `limit` of each (0: all),
    evenly drawn; `all_flags` also takes manifest rows that are flagged."""

    reciters: tuple[str, ...] = ()
    limit: int = 0
    all_flags: bool = False


def find_recordings(source: Path, choice: Choice | None = None) -> list[Recording]:
    """The recordings of a folder or of a tab-separated manifest, grouped by reciter.

    Raises `BadRequest` when there are none, or when a manifest's row cannot be understood.
    """
    choice = choice or Choice()
    if source.is_dir():
        found = list(_in_folder(source))
    elif source.is_file():
        found = list(_in_manifest(source, choice.all_flags))
    else:
        raise BadRequest(f"{source} is neither a folder of recordings nor a manifest.")
    chosen = _chosen(found, choice)
    if not chosen:
        known = ", ".join(sorted({recording.reciter for recording in found})) or "none"
        raise BadRequest(
            f"No recordings to use in {source} (reciters found: {known}). A folder needs files named "
            "SSSAAA.ext, such as 001005.opus; a manifest needs the columns file, sura and aya."
        )
    return chosen


def bundled_recordings() -> list[Recording]:
    """The demo's recitations that contain no deliberate mistake."""
    return [
        Recording(sample.path, VerseRange.parse(sample.verses), BUNDLED_RECITER)
        for sample in load_samples().values()
        if not sample.expected
    ]


def _in_folder(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.rglob("*")):
        named = VERSE_FILE.fullmatch(path.stem)
        if named is not None and path.suffix.lower() in AUDIO_SUFFIXES:
            yield Recording(path, VerseRange.of(int(named[1]), int(named[2])), path.parent.name)


def _in_manifest(manifest: Path, all_flags: bool) -> Iterator[Recording]:
    with manifest.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t")
        missing = {"file", "sura", "aya"} - set(table.fieldnames or ())
        if missing:
            raise BadRequest(f"{manifest} lacks the column(s) {', '.join(sorted(missing))}; it needs tabs.")
        for row in table:
            if all_flags or (row.get("flag") or "") in COUNTED_FLAGS:
                yield _of_row(row, manifest, table.line_num)


def _of_row(row: dict[str, str], manifest: Path, line: int) -> Recording:
    path = manifest.parent / row["file"]
    try:
        verses = VerseRange.of(int(row["sura"]), int(row["aya"]), int(row.get("aya_end") or row["aya"]))
    except (ValueError, BadRequest) as error:
        raise BadRequest(f"{manifest}, line {line}: {error}") from error
    return Recording(path, verses, row.get("reciter") or path.parent.name)


def _chosen(found: Sequence[Recording], choice: Choice) -> list[Recording]:
    by_reciter: dict[str, list[Recording]] = {}
    for recording in found:
        if not choice.reciters or recording.reciter in choice.reciters:
            by_reciter.setdefault(recording.reciter, []).append(recording)
    return [recording for group in by_reciter.values() for recording in _spread(group, choice.limit)]


def _spread(group: Sequence[Recording], limit: int) -> Iterable[Recording]:
    """At most `limit` of them, evenly over the whole list."""
    if not limit or len(group) <= limit:
        return group
    return [group[place * len(group) // limit] for place in range(limit)]
