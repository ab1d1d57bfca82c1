"""From what was heard to subtitles: cues of a readable length, as SubRip and WebVTT. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import msgspec

from shared.hearing import HeardWord
from shared.transcription.recording import Stretch
from shared.transcription.spelling import spelled

MAX_CHARACTERS = 84
"""Two lines of 42, what broadcasters allow on a screen at once."""
MAX_CUE_MS = 7000
"""The longest time that broadcasters leave one subtitle on the screen."""
PAUSE_MS = 800
"""A silence between two words after which another cue begins."""
_SENTENCE_ENDS = frozenset(".?!…؟۔。！？")
_CLOSING = "\"'”’»)]"


class Cue(msgspec.Struct, frozen=True):
    """One subtitle. Times in ms of the recording, never before those of the cue before it. `speaker`: where
    voices were told apart."""

    start_ms: int
    end_ms: int
    text: str
    words: tuple[HeardWord, ...] = ()
    no_speech: float = 0.0
    speaker: int | None = None


def cues(stretches: Sequence[Stretch]) -> list[Cue]:
    """Cues in order. A stretch without times of words is one cue, however long it is."""
    made: list[Cue] = []
    for stretch in stretches:
        for cue in _cues_of(stretch):
            start_ms = max(cue.start_ms, made[-1].end_ms if made else 0)
            made.append(msgspec.structs.replace(cue, start_ms=start_ms, end_ms=max(cue.end_ms, start_ms)))
    return made


def as_srt(shown: Sequence[Cue]) -> str:
    """A SubRip file."""
    return "".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{_one_line(cue.text)}\n\n"
        for number, cue in enumerate(shown, start=1)
    )


def as_vtt(shown: Sequence[Cue]) -> str:
    """A WebVTT file (W3C, WebVTT: its text has &, < and > escaped)."""
    written = "".join(
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
        f"{html.escape(_one_line(cue.text), quote=False)}\n\n"
        for cue in shown
    )
    return f"WEBVTT\n\n{written}"


def _cues_of(stretch: Stretch) -> Iterator[Cue]:
    if not stretch.text:
        return
    words = _timed(stretch)
    if not words:
        yield Cue(
            stretch.start_ms, stretch.end_ms, stretch.text, stretch.words, stretch.no_speech, stretch.speaker
        )
        return
    at = 0
    for group in _groups(words):
        text, at = spelled(stretch.text, at, group)
        start_ms, end_ms = group[0].start_ms, group[-1].end_ms
        assert start_ms is not None
        assert end_ms is not None
        yield Cue(start_ms, end_ms, text, tuple(group), stretch.no_speech, stretch.speaker)


def _timed(stretch: Stretch) -> list[HeardWord]:
    """The words with a time each, in order; one that was not found in the sound lies after the one before
    it. None if no word has a time."""
    if all(word.start_ms is None for word in stretch.words):
        return []
    placed: list[HeardWord] = []
    last_ms = stretch.start_ms
    for word in stretch.words:
        start_ms = max(last_ms, last_ms if word.start_ms is None else word.start_ms)
        last_ms = max(start_ms, start_ms if word.end_ms is None else word.end_ms)
        placed.append(msgspec.structs.replace(word, start_ms=start_ms, end_ms=last_ms))
    return placed


def _groups(words: Sequence[HeardWord]) -> Iterator[list[HeardWord]]:
    """Words of one cue each: to the end of a sentence, a pause, or as much as can be read."""
    group: list[HeardWord] = []
    for word in words:
        if group and _begins_anew(group, word):
            yield group
            group = []
        group.append(word)
    yield group


def _begins_anew(group: Sequence[HeardWord], word: HeardWord) -> bool:
    last_ms, first_ms = group[-1].end_ms, group[0].start_ms
    assert last_ms is not None
    assert first_ms is not None
    assert word.start_ms is not None
    assert word.end_ms is not None
    characters = sum(len(one.text) + 1 for one in group) + len(word.text)
    return (
        _ends_sentence(group[-1].text)
        or word.start_ms - last_ms >= PAUSE_MS
        or word.end_ms - first_ms > MAX_CUE_MS
        or characters > MAX_CHARACTERS
    )


def _ends_sentence(word: str) -> bool:
    return word.rstrip(_CLOSING)[-1:] in _SENTENCE_ENDS


def _one_line(text: str) -> str:
    """An empty line would end the cue."""
    return " ".join(text.split())


def _clock(ms: int, point: str) -> str:
    seconds, rest_ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest_ms:03}"
