"""Turns of speakers, and a transcript that is split where the speaker changes. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from asr_worker.speakers.windows import Window
from shared.hearing import HeardWord
from shared.transcription.recording import Stretch
from shared.transcription.spelling import spelled


class Turn(NamedTuple):
    """One speaker, from one time to another, ms of the recording."""

    start_ms: int
    end_ms: int
    speaker: int


def turns_of(windows: Sequence[Window], labels: Sequence[int]) -> list[Turn]:
    """In order, without overlap: between two windows the border lies halfway between their middles."""
    turns: list[Turn] = []
    for at, (window, speaker) in enumerate(zip(windows, labels, strict=True)):
        before = windows[at - 1] if at and windows[at - 1].span == window.span else None
        after = windows[at + 1] if at + 1 < len(windows) and windows[at + 1].span == window.span else None
        turn = Turn(
            window.start_ms if before is None else _between(before, window),
            window.end_ms if after is None else _between(window, after),
            int(speaker),
        )
        if turns and turns[-1].speaker == turn.speaker:
            turns[-1] = turns[-1]._replace(end_ms=turn.end_ms)
        else:
            turns.append(turn)
    return turns


def told_apart(stretches: Sequence[Stretch], turns: Sequence[Turn]) -> list[Stretch]:
    """The same words, split where the speaker changes; each stretch has its `speaker`.

    A stretch without times of words has the speaker that is heard longest in it. Without turns there is
    nobody to name.
    """
    if not turns:
        return list(stretches)
    return [part for stretch in stretches for part in _parts(stretch, turns)]


def _parts(stretch: Stretch, turns: Sequence[Turn]) -> Iterator[Stretch]:
    runs = _runs(stretch.words, turns)
    if len(runs) < 2:
        speaker = runs[0][0] if runs else _speaker(stretch.start_ms, stretch.end_ms, turns)
        yield msgspec.structs.replace(stretch, speaker=speaker)
        return
    at, start_ms = 0, stretch.start_ms
    for number, (speaker, words) in enumerate(runs):
        text, at = spelled(stretch.text, at, words)
        begin_ms, end_ms = _extent(words)
        start_ms = begin_ms if number and begin_ms is not None else start_ms
        end_ms = stretch.end_ms if end_ms is None or number == len(runs) - 1 else end_ms
        yield msgspec.structs.replace(
            stretch,
            start_ms=start_ms,
            end_ms=max(start_ms, end_ms),
            text=text,
            words=tuple(words),
            speaker=speaker,
        )
        start_ms = end_ms


def _runs(words: Sequence[HeardWord], turns: Sequence[Turn]) -> list[tuple[int, list[HeardWord]]]:
    """Words that follow one another and have one speaker; none if no word has a time."""
    runs: list[tuple[int, list[HeardWord]]] = []
    waiting: list[HeardWord] = []
    for word in words:
        if word.start_ms is None or word.end_ms is None:  # it goes with the word before it
            (runs[-1][1] if runs else waiting).append(word)
            continue
        speaker = _speaker(word.start_ms, word.end_ms, turns)
        if not runs or runs[-1][0] != speaker:
            runs.append((speaker, waiting))
            waiting = []
        runs[-1][1].append(word)
    return runs


def _extent(words: Sequence[HeardWord]) -> tuple[int | None, int | None]:
    """When the first and the last word with a time begin and end."""
    starts = [word.start_ms for word in words if word.start_ms is not None]
    ends = [word.end_ms for word in words if word.end_ms is not None]
    return (starts[0] if starts else None), (ends[-1] if ends else None)


def _speaker(start_ms: int, end_ms: int, turns: Sequence[Turn]) -> int:
    """Who is heard longest in this time; where nobody is, who is heard nearest to it."""
    first = bisect_right(turns, start_ms, key=lambda turn: turn.end_ms)
    heard: Counter[int] = Counter()
    for at in range(first, len(turns)):
        turn = turns[at]
        if turn.start_ms >= end_ms:
            break
        heard[turn.speaker] += min(end_ms, turn.end_ms) - max(start_ms, turn.start_ms)
    if heard:
        return heard.most_common(1)[0][0]
    around = turns[max(0, first - 1) : first + 1]
    return min(around, key=lambda turn: max(turn.start_ms - end_ms, start_ms - turn.end_ms)).speaker


def _between(one: Window, other: Window) -> int:
    """Halfway between the middles of two windows."""
    return (one.start_ms + one.end_ms + other.start_ms + other.end_ms) // 4
