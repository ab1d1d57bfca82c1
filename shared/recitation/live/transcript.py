"""One text out of overlapping windows: no word lost, none doubled, genuine repetitions kept.

There is no filter for "the same again": whoever recites a phrase twice has said it twice. Only words
in the audio that two windows both heard can be the same word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
from rapidfuzz.distance import Levenshtein

from shared.hearing import Hearing
from shared.recitation.alignment.text_units import HeardToken
from shared.recitation.reference.normalise import skeleton, spoken_words

_SAME_MOMENT_MS: Final = 250
"""Decoders place one word within this distance of itself in two windows (attention times are coarse)."""
_FASTEST_WORD_MS: Final = 200
"""No word is recited faster: bounds how many words an overlap can hold."""
_ALIKE: Final = 0.75
"""Similarity from which two readings of the same audio are the same word."""
_FRAGMENT_LETTERS: Final = 2


def heard_tokens(hearing: Hearing) -> list[HeardToken]:
    """The words of a window: with the engine's word times if it has them, else split from its text."""
    if hearing.words:
        return [
            HeardToken(
                word.text.strip(),
                skeleton(word.text.strip(), hearing.script),
                word.start_ms,
                word.end_ms,
                max(0, min(100, round(word.confidence * 100))),
            )
            for word in hearing.words
            if spoken_words(word.text)
        ]
    return [HeardToken(text, skeleton(text, hearing.script)) for text in spoken_words(hearing.text)]


def join_words(
    old: Sequence[HeardToken], new: Sequence[HeardToken], overlap: tuple[int, int]
) -> tuple[int, list[HeardToken]]:
    """Continue `old` with an overlapping window: how many of `old` to keep, and what follows them.

    `overlap` is the audio that both windows heard, ms. `old` must hold the words of the window before.
    """
    if overlap[0] >= overlap[1] or not old or not new:
        return len(old), list(new)
    times = [token.centre_ms for token in (*old, *new)]
    if all(time is not None for time in times):
        return _join_by_time(old, new, overlap)
    return _join_by_words(old, new, overlap)


def _join_by_time(
    old: Sequence[HeardToken], new: Sequence[HeardToken], overlap: tuple[int, int]
) -> tuple[int, list[HeardToken]]:
    middle = sum(overlap) / 2
    best: tuple[float, int, int] | None = None
    for i, mine in enumerate(old):
        for j, theirs in enumerate(new):
            if _in_overlap(mine, overlap) and _in_overlap(theirs, overlap) and _one_word(mine, theirs):
                off_centre = abs(_centre(mine) + _centre(theirs) - 2 * middle) / 2
                apart = abs(_centre(mine) - _centre(theirs))
                best = min(best or (off_centre + 2 * apart, i, j), (off_centre + 2 * apart, i, j))
    if best is not None:
        _, i, j = best
        # Nearer the window's edge a word may be cut: the longer reading is the whole one.
        whole = max(old[i], new[j], key=lambda token: len(token.skeleton))
        return i, [whole, *new[j + 1 :]]
    keep = sum(1 for token in old if _centre(token) < middle)
    return keep, [token for token in new if _centre(token) >= middle]


def _centre(token: HeardToken) -> float:
    return token.centre_ms or 0.0


def _in_overlap(token: HeardToken, overlap: tuple[int, int]) -> bool:
    start_ms, end_ms = overlap
    return (token.end_ms or 0) > start_ms - _SAME_MOMENT_MS and (
        token.start_ms or 0
    ) < end_ms + _SAME_MOMENT_MS


def _one_word(mine: HeardToken, theirs: HeardToken) -> bool:
    close = abs((mine.start_ms or 0) - (theirs.start_ms or 0)) <= _SAME_MOMENT_MS or (
        abs((mine.end_ms or 0) - (theirs.end_ms or 0)) <= _SAME_MOMENT_MS
    )
    return close and (
        _alike(mine.skeleton, theirs.skeleton)
        or _is_tail(theirs.skeleton, mine.skeleton)
        or _is_head(mine.skeleton, theirs.skeleton)
    )


def _join_by_words(
    old: Sequence[HeardToken], new: Sequence[HeardToken], overlap: tuple[int, int]
) -> tuple[int, list[HeardToken]]:
    """By the longest run of words that ends `old` and starts `new`; words at the edges may be cut."""
    most = min(len(old), len(new), -(-(overlap[1] - overlap[0]) // _FASTEST_WORD_MS) + 1)
    for length in range(most, 0, -1):
        tail, head = old[len(old) - length :], new[:length]
        if _same_run(tail, head):
            return len(old) - length, [*_best_readings(tail, head), *new[length:]]
    glued = _glued(old[-1], new[0])
    return (len(old) - 1, [glued, *new[1:]]) if glued is not None else (len(old), list(new))


def _same_run(tail: Sequence[HeardToken], head: Sequence[HeardToken]) -> bool:
    last = len(tail) - 1
    for at, (mine, theirs) in enumerate(zip(tail, head, strict=True)):
        if _alike(mine.skeleton, theirs.skeleton):
            continue
        cut_at_start = at == 0 and _is_tail(theirs.skeleton, mine.skeleton)
        cut_at_end = at == last and _is_head(mine.skeleton, theirs.skeleton)
        if not cut_at_start and not cut_at_end:
            return False
    return True


def _best_readings(tail: Sequence[HeardToken], head: Sequence[HeardToken]) -> list[HeardToken]:
    """Of each word heard twice, the reading farther from its window's edge, unless it is the shorter."""
    middle = len(tail) / 2
    readings = []
    for at, (mine, theirs) in enumerate(zip(tail, head, strict=True)):
        first, second = (mine, theirs) if at < middle else (theirs, mine)
        readings.append(first if len(first.skeleton) >= len(second.skeleton) else second)
    return readings


def _alike(one: str, other: str) -> bool:
    return one == other or (
        min(len(one), len(other)) >= 4 and Levenshtein.normalized_similarity(one, other) >= _ALIKE
    )


def _is_tail(part: str, whole: str) -> bool:
    return len(part) >= _FRAGMENT_LETTERS and len(part) < len(whole) and whole.endswith(part)


def _is_head(part: str, whole: str) -> bool:
    return len(part) >= _FRAGMENT_LETTERS and len(part) < len(whole) and whole.startswith(part)


def _glued(mine: HeardToken, theirs: HeardToken) -> HeardToken | None:
    """Two halves of one word that the overlap was too short to hold whole; they share letters."""
    for shared in range(min(len(mine.text), len(theirs.text)) - 1, _FRAGMENT_LETTERS - 1, -1):
        if mine.text.endswith(theirs.text[:shared]):
            text = mine.text + theirs.text[shared:]
            certainty = min(mine.certainty, theirs.certainty)
            return HeardToken(text, skeleton(text), mine.start_ms, theirs.end_ms, certainty)
    return None


class TranscriptState(msgspec.Struct, array_like=True):
    """What a transcript remembers: finished words, and the newest window's words, still open."""

    words: list[str] = []
    window: list[HeardToken] = []
    end_ms: int = 0


class Transcript:
    """The text of a session so far, at most `limit` words (older words leave first)."""

    def __init__(self, limit: int, state: TranscriptState | None = None) -> None:
        state = TranscriptState() if state is None else state
        self._words = deque(state.words, maxlen=limit)
        self._window = state.window
        self._end_ms = state.end_ms

    @property
    def text(self) -> str:
        return " ".join((*self._words, *(token.text for token in self._window)))

    def add(self, hearing: Hearing) -> None:
        """Take the next window, in order."""
        keep, follows = join_words(self._window, heard_tokens(hearing), (hearing.start_ms, self._end_ms))
        self._words.extend(token.text for token in self._window[:keep])
        self._window = follows
        self._end_ms = max(self._end_ms, hearing.end_ms)

    def state(self) -> TranscriptState:
        return TranscriptState(list(self._words), list(self._window), self._end_ms)
