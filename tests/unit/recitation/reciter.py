"""Speaks golden cases: turns "what was said" into the windows an engine would have delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.hearing import HeardWord, Hearing, Phone
from shared.recitation.reference.formulas import BASMALA, ISTIADHA, SADAQA, FormulaWord
from shared.recitation.reference.passage import Passage, ReferenceWord, VerseRange, load_passage

Engine = Literal["sounds", "words", "timed words"]
SOUND_MS = 100
WINDOW_MS = 2500
OVERLAP_MS = 500
FORMULAS = {"istiadha": ISTIADHA, "basmala": BASMALA, "sadaqa": SADAQA}
Said = str | dict[str, str | int]


@dataclass(frozen=True)
class Spoken:
    """One utterance: its sounds and its spelling (empty where an engine kind would not hear it)."""

    sounds: tuple[str, ...]
    text: str
    script: str = "uthmani"
    pause_ms: int = 0


def words_at(reference: str) -> Sequence[ReferenceWord]:
    """Words by "s:a:w", "s:a:w-s:a:w", or any verse range."""
    first, _, last = reference.partition("-")
    if first.count(":") < 2:
        return load_passage(VerseRange.parse(reference)).words
    surah, ayah, position = (int(part) for part in first.split(":"))
    to_surah, to_ayah, to_position = (int(part) for part in (last or first).split(":"))
    verses = VerseRange.parse(f"{surah}:{ayah}-{to_surah}:{to_ayah}")
    span = ((surah, ayah, position), (to_surah, to_ayah, to_position))
    return [word for word in load_passage(verses).words if span[0] <= (*word.verse, word.position) <= span[1]]


def speak(said: Iterable[Said]) -> list[Spoken]:
    spoken: list[Spoken] = []
    for item in said:
        if isinstance(item, str):
            spoken.extend(_formula(FORMULAS[item]) if item in FORMULAS else _words(words_at(item)))
        elif "word" in item:
            spoken.extend(_words(words_at(str(item["word"]))))
        elif "start_of" in item:
            word = words_at(str(item["start_of"]))[0]
            spoken.append(Spoken(word.phones[: int(item["sounds"])], ""))
        elif "pause_ms" in item:
            spoken.append(Spoken((), "", pause_ms=int(item["pause_ms"])))
        elif "sounds" in item:
            spoken.append(Spoken(tuple(str(item["sounds"]).split()), ""))
        else:
            spoken.extend(Spoken(("a",) * 5, word, "imlai") for word in str(item["text"]).split())
    return spoken


def _words(words: Iterable[ReferenceWord]) -> list[Spoken]:
    return [Spoken(word.phones, word.spelling) for word in words]


def _formula(words: Iterable[FormulaWord]) -> list[Spoken]:
    return [Spoken(word.phones, word.skeleton) for word in words]


@dataclass(frozen=True)
class Timeline:
    """Everything said, placed in time."""

    phones: tuple[Phone, ...]
    words: tuple[HeardWord, ...]
    end_ms: int
    script: str


def place(spoken: Iterable[Spoken], start_ms: int = 300) -> Timeline:
    """One sound every 100 ms."""
    phones: list[Phone] = []
    words: list[HeardWord] = []
    now = start_ms
    script = "uthmani"
    for item in spoken:
        began = now
        for symbol in item.sounds:
            phones.append(Phone(symbol, now, now + SOUND_MS - 20))
            now += SOUND_MS
        if item.text:
            words.append(HeardWord(item.text, began, now - 20))
            script = item.script
        now += item.pause_ms
    return Timeline(tuple(phones), tuple(words), now + 300, script)


def windows(
    timeline: Timeline, engine: Engine, window_ms: int = WINDOW_MS, overlap_ms: int = OVERLAP_MS
) -> list[Hearing]:
    """Cut the timeline as the gateway cuts audio: overlapping windows in session time."""
    hearings = []
    start = 0
    while True:
        end = min(start + window_ms, timeline.end_ms)
        hearings.append(_window(timeline, engine, start, end))
        if end >= timeline.end_ms:
            return hearings
        start += window_ms - overlap_ms


def _window(timeline: Timeline, engine: Engine, start: int, end: int) -> Hearing:
    inside = _inside(start, end)
    words = tuple(word for word in timeline.words if inside(word.start_ms or 0, word.end_ms or 0))
    text = " ".join(word.text for word in words)
    if engine == "sounds":
        phones = tuple(phone for phone in timeline.phones if inside(phone.start_ms, phone.end_ms))
        return Hearing(start, end, text=text, phones=phones, script=timeline.script)
    timed = words if engine == "timed words" else ()
    return Hearing(start, end, text=text, words=timed, script=timeline.script)


def _inside(start: int, end: int) -> Callable[[int, int], bool]:
    return lambda first, last: start <= (first + last) / 2 < end


def recite(said: Iterable[Said], engine: Engine = "sounds") -> list[Hearing]:
    """Windows of a recitation described as in the golden files."""
    return windows(place(speak(said)), engine)


def passage(verses: str) -> Passage:
    return load_passage(VerseRange.parse(verses))
