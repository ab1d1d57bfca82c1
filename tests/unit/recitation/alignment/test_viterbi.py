"""The walk itself, on tiny tracks whose best path can be checked by eye and by brute force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recitation.alignment.reference_units import Row, Track, WalkCosts, entry_prices, lay_out
from shared.recitation.alignment.visits import tell
from shared.recitation.alignment.viterbi import Path, Step, Walk

COSTS = WalkCosts(back=150, back_per_word=7, skip_cap=900, inside=10)


class LetterCosts:
    """Letters: the same is free, another costs 100, an extra one 70."""

    def __init__(self, letters: str) -> None:
        self._letters = letters

    def substitutions(self, units: Sequence[str], first: int, last: int) -> Row:
        letters = self._letters[first:last]
        prices = [[0 if letter == unit else 100 for letter in letters] for unit in units]
        return np.array(prices, dtype=np.int32).reshape(len(units), last - first)

    def insertion(self, unit: str) -> int:
        return 70


def letter_track(*words: str) -> Track[str]:
    letters = "".join(words)
    return Track(
        lay_out([len(word) for word in words]),
        tuple(range(len(words))),
        np.full(len(letters), 60, dtype=np.int32),
        np.array([min(60 * len(word), 200) for word in words], dtype=np.int32),
        entry_prices([True] * len(words), 0),
        LetterCosts(letters),
    )


def walked(track: Track[str], heard: str) -> Path:
    return Walk(track, COSTS, 0, 0, track.words).path(heard)


def visited(track: Track[str], heard: str) -> list[int]:
    return [visit.word for visit in tell(track, walked(track, heard)).visits]


def price(track: Track[str], path: Path, heard: str) -> int:
    """What a path costs, added up move by move: the check on the rows' arithmetic."""
    total, position = 0, 0
    for unit, step in zip(heard, path.steps, strict=True):
        total += moved(track, position, step.position)
        if step.matched:
            total += int(track.costs.substitutions(unit, step.position, step.position + 1)[0, 0])
            position = step.position + 1
        else:
            total += track.costs.insertion(unit) + (0 if step.position in track.starts else COSTS.inside)
            position = step.position
    return total + moved(track, position, path.end)


def moved(track: Track[str], start: int, end: int) -> int:
    """The cheapest way to get from one position to another without hearing anything."""
    ways = [10**6]
    if end >= start:
        ways.append(int(track.deletion[start:end].sum()))
    for leave, leaving in enumerate(track.starts.tolist()):
        if leaving < start:
            continue
        tail = int(track.deletion[start:leaving].sum())
        for land, landing in enumerate(track.starts.tolist()):
            if landing <= end and land >= leave:
                skipped = min(int(track.skip[leave:land].sum()), COSTS.skip_cap)
                ways.append(tail + skipped + int(track.deletion[landing:end].sum()))
    for land, landing in enumerate(track.starts.tolist()):
        if landing <= end and landing < start:
            over = int(np.searchsorted(track.starts, start, side="right")) - 1 - land
            price = COSTS.back + COSTS.back_per_word * over
            ways.append(price + int(track.deletion[landing:end].sum()))
    return min(ways)


def test_clean() -> None:
    track = letter_track("abc", "de", "fghi")
    path = walked(track, "abcdefghi")
    assert path == Path(tuple(Step(at, True) for at in range(9)), 9, 0)


def test_a_left_out_word_is_skipped() -> None:
    assert visited(letter_track("abc", "def", "ghi", "jkl"), "abcghijkl") == [0, 2, 3]


def test_a_repeated_word_is_a_jump_back() -> None:
    track = letter_track("abc", "def", "ghi")
    account = tell(track, walked(track, "abcdefabcdefghi"))
    assert [visit.word for visit in account.visits] == [0, 1, 0, 1, 2]
    assert [(jump.left, jump.resumed, jump.unit) for jump in account.jumps] == [(1, 0, 6)]


def test_a_foreign_word_gathers_between_words() -> None:
    track = letter_track("abc", "def", "ghi")
    account = tell(track, walked(track, "abcxyzdefghi"))
    assert account.extras == ((3, 5),)
    assert all(not visit.inserted for visit in account.visits)


def test_the_unsaid_tail_is_left_alone() -> None:
    path = walked(letter_track("abc", "def", "ghi"), "abcd")
    assert (path.end, path.cost) == (4, 0)


def test_rows_are_kept_and_give_the_same_as_walking_anew() -> None:
    track = letter_track("abc", "def", "ghi")
    walk = Walk(track, COSTS, 0, 0, track.words)
    for heard in ("ab", "abcd", "abxx", "abcdefghi", "", "def"):
        assert walk.path(heard) == walked(track, heard)


@settings(max_examples=150, deadline=None)
@given(heard=st.text("abcdex", max_size=14))
def test_the_path_costs_what_the_rows_say(heard: str) -> None:
    track = letter_track("abc", "de", "abd", "c")
    path = walked(track, heard)
    assert price(track, path, heard) == path.cost
