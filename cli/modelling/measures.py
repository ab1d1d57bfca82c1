"""What a model got right and wrong on recordings without mistakes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from rapidfuzz.distance import Levenshtein

from shared.hearing import Hearing
from shared.recitation.alignment.sound_units import HeardSound, heard_sound
from shared.recitation.grading.policy import DEFAULT
from shared.recitation.grading.sound_grader import join_sounds
from shared.recitation.live.feedback import Feedback
from shared.recitation.live.transcript import Transcript
from shared.recitation.reference.normalise import skeleton, spoken_words
from shared.recitation.reference.orthography import spells
from shared.recitation.reference.passage import Passage


class Rates(msgspec.Struct, frozen=True):
    """Figures of a group of recordings, shares 0-1.

    `wer`, `cer`: edits per word and letter of the decoder's text over whole recordings. `per`: edits
    per sound of the phoneme head, whole, and `live_per` in live windows; `None` without a head.
    `correct` to `pending`: how the words of the passage stand at the end of a live session.
    `false_alarms`: `wrong` and `missing` together, if nobody made a mistake. `extra`: remarks per word.
    """

    recordings: int
    words: int
    seconds: float
    wer: float
    cer: float
    per: float | None
    live_per: float | None
    correct: float
    minor_mistake: float
    wrong: float
    missing: float
    pending: float
    false_alarms: float
    extra: float


class Tally:
    """Adds recordings up."""

    def __init__(self) -> None:
        self._edits: Counter[str] = Counter()
        self._lengths: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._recordings = self._extras = 0
        self._seconds = 0.0

    def add(
        self, passage: Passage, seconds: float, whole: Sequence[Hearing], live: Sequence[Hearing]
    ) -> None:
        """The edits of one recording heard both ways."""
        self._recordings += 1
        self._seconds += seconds
        said = [word.skeleton for word in passage.words]
        written = as_reference(_text(whole), passage)
        self._count("wer", said, written)
        self._count("cer", list(" ".join(said)), list(" ".join(written)))
        sounds = [sound for word in passage.words for sound in word.phones]
        for measure, hearings in (("per", whole), ("live_per", live)):
            if any(hearing.phones is not None for hearing in hearings):
                self._count(measure, sounds, joined_sounds(hearings))

    def judge(self, feedback: Feedback) -> None:
        """How the words of one recording stood at the end of its live session."""
        self._statuses.update(word.status for word in feedback.words)
        self._extras += len(feedback.extra_words)

    def merge(self, other: Tally) -> None:
        """Add everything of another tally."""
        self._edits.update(other._edits)
        self._lengths.update(other._lengths)
        self._statuses.update(other._statuses)
        self._recordings += other._recordings
        self._extras += other._extras
        self._seconds += other._seconds

    def rates(self) -> Rates:
        """The figures so far, four digits."""
        words = max(1, self._statuses.total())
        status = {name: round(self._statuses[name] / words, 4) for name in _STATUSES}
        alarms = (self._statuses["wrong"] + self._statuses["missing"]) / words
        return Rates(
            recordings=self._recordings,
            words=self._statuses.total(),
            seconds=round(self._seconds, 1),
            wer=self._rate("wer") or 0.0,
            cer=self._rate("cer") or 0.0,
            per=self._rate("per"),
            live_per=self._rate("live_per"),
            false_alarms=round(alarms, 4),
            extra=round(self._extras / words, 4),
            **status,
        )

    def _count(self, measure: str, said: Sequence[str], heard: Sequence[str]) -> None:
        self._edits[measure] += Levenshtein.distance(said, heard)
        self._lengths[measure] += len(said)

    def _rate(self, measure: str) -> float | None:
        length = self._lengths[measure]
        return round(self._edits[measure] / length, 4) if length else None


_STATUSES = ("correct", "minor_mistake", "wrong", "missing", "pending")


def as_reference(text: str, passage: Passage) -> list[str]:
    """Skeletons of a decoder's words; a word that spells one of the passage, in either script, alone or
    with the next one (as in "ya ayyuha"), becomes that word's own skeleton."""
    words = [skeleton(word) for word in spoken_words(text)]
    spelled: list[str] = []
    at = 0
    while at < len(words):
        alone = _spelled(words[at], passage)
        joined = None if alone or at + 1 == len(words) else _spelled(words[at] + words[at + 1], passage)
        spelled.append(alone or joined or words[at])
        at += 2 if joined else 1
    return spelled


def _spelled(heard: str, passage: Passage) -> str | None:
    return next((word.skeleton for word in passage.words if spells(heard, word.spelling)), None)


def joined_sounds(hearings: Iterable[Hearing]) -> list[str]:
    """The sounds of overlapping windows, each once."""
    sounds: list[HeardSound] = []
    fresh = end_ms = 0
    for hearing in hearings:
        new = [heard_sound(phone) for phone in hearing.phones or ()]
        keep, follows = join_sounds(sounds[fresh:], new, (hearing.start_ms, end_ms))
        fresh += keep
        sounds[fresh:] = follows
        end_ms = max(end_ms, hearing.end_ms)
    return [sound.symbol for sound in sounds]


def _text(hearings: Iterable[Hearing]) -> str:
    transcript = Transcript(DEFAULT.transcript_words)
    for hearing in hearings:
        transcript.add(hearing)
    return transcript.text
