"""Alignment of tiny references whose best path can be checked by eye and by brute force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recitation.alignment.reference_units import (
    MoveCosts,
    ReferenceUnits,
    Row,
    entry_prices,
    word_starts,
)
from shared.recitation.alignment.visits import read_path
from shared.recitation.alignment.viterbi import Path, Step, ViterbiAligner

COSTS = MoveCosts(back=150, back_per_word=7, skip_cap=900, inside=10)


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


def letter_reference(*words: str) -> ReferenceUnits[str]:
    letters = "".join(words)
    return ReferenceUnits(
        word_starts([len(word) for word in words]),
        tuple(range(len(words))),
        np.full(len(letters), 60, dtype=np.int32),
        np.array([min(60 * len(word), 200) for word in words], dtype=np.int32),
        entry_prices([True] * len(words), 0),
        LetterCosts(letters),
    )


def aligned(reference: ReferenceUnits[str], heard: str) -> Path:
    return ViterbiAligner(reference, COSTS, 0, 0, reference.words).path(heard)


def visited(reference: ReferenceUnits[str], heard: str) -> list[int]:
    return [visit.word for visit in read_path(reference, aligned(reference, heard)).visits]


def price(reference: ReferenceUnits[str], path: Path, heard: str) -> int:
    """What a path costs, added up move by move: the check on the rows' arithmetic."""
    total, position = 0, 0
    for unit, step in zip(heard, path.steps, strict=True):
        total += moved(reference, position, step.position)
        if step.matched:
            total += int(reference.costs.substitutions(unit, step.position, step.position + 1)[0, 0])
            position = step.position + 1
        else:
            total += reference.costs.insertion(unit) + (
                0 if step.position in reference.starts else COSTS.inside
            )
            position = step.position
    return total + moved(reference, position, path.end)


def moved(reference: ReferenceUnits[str], start: int, end: int) -> int:
    """The cheapest way to get from one position to another without hearing anything."""
    ways = [10**6]
    if end >= start:
        ways.append(int(reference.deletion[start:end].sum()))
    for leave, leaving in enumerate(reference.starts.tolist()):
        if leaving < start:
            continue
        tail = int(reference.deletion[start:leaving].sum())
        for land, landing in enumerate(reference.starts.tolist()):
            if landing <= end and land >= leave:
                skipped = min(int(reference.skip[leave:land].sum()), COSTS.skip_cap)
                ways.append(tail + skipped + int(reference.deletion[landing:end].sum()))
    for land, landing in enumerate(reference.starts.tolist()):
        if landing <= end and landing < start:
            over = int(np.searchsorted(reference.starts, start, side="right")) - 1 - land
            price = COSTS.back + COSTS.back_per_word * over
            ways.append(price + int(reference.deletion[landing:end].sum()))
    return min(ways)


def test_clean() -> None:
    reference = letter_reference("abc", "de", "fghi")
    path = aligned(reference, "abcdefghi")
    assert path == Path(tuple(Step(at, True) for at in range(9)), 9, 0)


def test_a_left_out_word_is_skipped() -> None:
    assert visited(letter_reference("abc", "def", "ghi", "jkl"), "abcghijkl") == [0, 2, 3]


def test_a_repeated_word_is_a_jump_back() -> None:
    reference = letter_reference("abc", "def", "ghi")
    events = read_path(reference, aligned(reference, "abcdefabcdefghi"))
    assert [visit.word for visit in events.visits] == [0, 1, 0, 1, 2]
    assert [(jump.left, jump.resumed, jump.unit) for jump in events.jumps] == [(1, 0, 6)]


def test_a_foreign_word_gathers_between_words() -> None:
    reference = letter_reference("abc", "def", "ghi")
    events = read_path(reference, aligned(reference, "abcxyzdefghi"))
    assert events.extras == ((3, 5),)
    assert all(not visit.inserted for visit in events.visits)


def test_the_unsaid_tail_is_left_alone() -> None:
    path = aligned(letter_reference("abc", "def", "ghi"), "abcd")
    assert (path.end, path.cost) == (4, 0)


def test_rows_are_kept_and_give_the_same_as_walking_anew() -> None:
    reference = letter_reference("abc", "def", "ghi")
    aligner = ViterbiAligner(reference, COSTS, 0, 0, reference.words)
    for heard in ("ab", "abcd", "abxx", "abcdefghi", "", "def"):
        assert aligner.path(heard) == aligned(reference, heard)


@settings(max_examples=150)
@given(heard=st.text("abcdex", max_size=14))
def test_the_path_costs_what_the_rows_say(heard: str) -> None:
    reference = letter_reference("abc", "de", "abd", "c")
    path = aligned(reference, heard)
    assert price(reference, path, heard) == path.cost
