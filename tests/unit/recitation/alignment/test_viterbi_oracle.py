"""The aligner against a plain one: whatever is recited, same path, same cost, also as it goes on."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.hearing import HeardWord, Hearing, Phone
from shared.recitation.alignment.phoneme_costs import INVENTORY
from shared.recitation.alignment.reference_units import (
    OPTIONAL,
    MoveCosts,
    ReferenceUnits,
    Row,
    entry_prices,
    word_starts,
)
from shared.recitation.alignment.sound_units import HeardSound, heard_sound, sound_reference
from shared.recitation.alignment.text_units import text_reference
from shared.recitation.alignment.viterbi import ViterbiAligner
from shared.recitation.grading.policy import SOUND_MOVES, WORD_MOVES
from shared.recitation.live.transcript import heard_tokens
from tests.unit.recitation.plain_viterbi import PlainViterbi
from tests.unit.recitation.reciter import passage

UNLIKELY = 10_000.0
"""A pace at which nothing but whole rows is tried."""


class LetterCosts:
    """Letters: equal ones are free, neighbours in the alphabet are near, others cost 100."""

    def __init__(self, letters: str) -> None:
        self._letters = letters

    def substitutions(self, units: Any, first: int, last: int) -> Row:
        letters = self._letters[first:last]
        return np.array(
            [[min(100, 35 * abs(ord(unit) - ord(letter))) for letter in letters] for unit in units],
            dtype=np.int32,
        ).reshape(len(units), last - first)

    def insertion(self, unit: str) -> int:
        return 45 if unit in "aeiou" else 70


@st.composite
def letter_references(draw: st.DrawFn) -> ReferenceUnits[str]:
    """A few short words: some optional, some that cannot be entered, some cheaper to skip than to delete,
    some with letters that not every pronunciation has."""
    words = draw(st.lists(st.text("abcdk", min_size=1, max_size=6), min_size=1, max_size=8))
    optional = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    letters = "".join(words)
    prices = {"a": 30, "k": draw(st.sampled_from((0, 65))), "c": draw(st.sampled_from((OPTIONAL, 65)))}
    deletion = np.array([prices.get(letter, 65) for letter in letters], dtype=np.int32)
    starts = word_starts([len(word) for word in words])
    left_out = np.add.reduceat(deletion, starts[:-1])
    skip = np.minimum(left_out, 100 + 15 * np.diff(starts)).astype(np.int32)
    skip[[at for at, free in enumerate(optional) if free]] = 0
    opens = [not free or draw(st.booleans()) for free in optional]
    indices = tuple(None if free else at for at, free in enumerate(optional))
    return ReferenceUnits(starts, indices, deletion, skip, entry_prices(opens, 400), LetterCosts(letters))


PRICES = st.builds(
    MoveCosts,
    back=st.sampled_from((60, 100, 180)),
    back_per_word=st.sampled_from((0, 10)),
    skip_cap=st.sampled_from((150, 350, 900)),
    inside=st.sampled_from((0, 10)),
)


def agree(aligner: ViterbiAligner[Any], plain: PlainViterbi, units: Any) -> None:
    assert aligner.path(units) == plain.path(units)
    for recent in (1, 3, len(units), len(units) + 5):
        assert aligner.recent_cost(recent) == plain.recent_cost(recent)


@settings(max_examples=250)
@given(
    reference=letter_references(),
    costs=PRICES,
    versions=st.lists(st.text("abcdkx", max_size=14), min_size=1, max_size=4),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    pace=st.sampled_from((0.0, UNLIKELY)),
    slack=st.sampled_from((0, 12)),
)
def test_any_track_and_anything_heard(
    reference: ReferenceUnits[str],
    costs: MoveCosts,
    versions: list[str],
    cut: tuple[float, float, float],
    pace: float,
    slack: int,
) -> None:
    first = int(cut[0] * (reference.words - 1))
    last = first + 1 + int(cut[1] * (reference.words - 1 - first))
    start = int(reference.starts[first] + cut[2] * (reference.starts[last] - reference.starts[first]))
    aligner = ViterbiAligner(reference, costs, start, first, last, pace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.recitation.alignment.viterbi._SLACK", slack)
        for heard in versions:
            agree(aligner, PlainViterbi(reference, costs, start, first, last), heard)


@settings(max_examples=60)
@given(
    reference=letter_references(),
    costs=PRICES,
    changes=st.lists(st.integers(0, 99), max_size=6),
    seed=st.integers(0),
)
def test_a_recitation_with_a_few_mistakes_growing_bit_by_bit(
    reference: ReferenceUnits[str], costs: MoveCosts, changes: list[int], seed: int
) -> None:
    chance = random.Random(seed)
    letters = _said(reference)
    for change in changes:
        letters[change % len(letters) : change % len(letters) + chance.randrange(2)] = chance.choices(
            "abkx", k=1
        )
    aligner = ViterbiAligner(reference, costs, 0, 0, reference.words)
    heard = 0
    while heard < len(letters):
        heard += chance.randrange(1, 6)
        agree(aligner, PlainViterbi(reference, costs, 0, 0, reference.words), letters[:heard])


def test_who_runs_out_of_the_near_rows_is_followed() -> None:
    words = ("kkkkkkk", "aaaaaaa", "xzxzxz")
    letters = "".join(words)
    deletion = np.array([30 if letter == "a" else 65 for letter in letters], dtype=np.int32)
    starts = word_starts([len(word) for word in words])
    skip = np.add.reduceat(deletion, starts[:-1])
    reference = ReferenceUnits(
        starts, (0, 1, 2), deletion, skip, entry_prices([True] * 3, 0), LetterCosts(letters)
    )
    costs = MoveCosts(back=400, back_per_word=0, skip_cap=900, inside=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.recitation.alignment.viterbi._SLACK", 0)
        # The seven letters left out cost less than the jump, and are more than the slack.
        agree(
            ViterbiAligner(reference, costs, 0, 0, 3),
            PlainViterbi(reference, costs, 0, 0, 3),
            "kkkkkkkxzxzxz",
        )


def _said(reference: ReferenceUnits[str]) -> list[str]:
    costs = reference.costs
    assert isinstance(costs, LetterCosts)
    return list(costs._letters)


def _sounds(verses: str, wrong: float, chance: random.Random) -> list[HeardSound]:
    """The passage's sounds, some of them changed, lost, doubted, or with other readings; with a restart."""
    said = [sound for word in passage(verses).words for sound in word.phones]
    at = len(said) // 2
    said = said[:at] + said[at - 9 :]
    units = []
    for number, symbol in enumerate(said):
        if chance.random() < wrong / 2:
            continue
        heard = chance.choice(INVENTORY[1:]) if chance.random() < wrong else symbol
        others = tuple((chance.choice(INVENTORY[1:]), chance.random()) for _ in range(chance.randrange(4)))
        sure = wrong == 0 or chance.random() < 0.5
        phone = Phone(heard, number * 100, number * 100 + 80, 1.0 if sure else chance.random(), others)
        units.append(heard_sound(phone))
    return units


@pytest.mark.parametrize("wrong", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("verses", ["112", "113:1-4"])
def test_sounds(verses: str, wrong: float) -> None:
    chance = random.Random(f"{verses} {wrong}")
    reference = sound_reference(passage(verses).range).units
    units = _sounds(verses, wrong, chance)[:60]
    aligner = ViterbiAligner(reference, SOUND_MOVES, 0, 0, reference.words)
    for heard in range(10, len(units) + 1, 25):
        agree(aligner, PlainViterbi(reference, SOUND_MOVES, 0, 0, reference.words), units[:heard])


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_words(wrong: float) -> None:
    chance = random.Random(wrong)
    text = passage("1:1-4")
    said = [chance.choice(text.words).spelling if chance.random() < wrong else w.spelling for w in text.words]
    words = tuple(HeardWord(text, at * 500, at * 500 + 400) for at, text in enumerate(said))
    units = heard_tokens(Hearing(0, 60_000, " ".join(said), words, None, "uthmani"))
    reference, _units = text_reference(text.range)
    aligner = ViterbiAligner(reference, WORD_MOVES, 0, 0, reference.words)
    for heard in range(2, len(units) + 1, 5):
        agree(aligner, PlainViterbi(reference, WORD_MOVES, 0, 0, reference.words), units[:heard])


def test_a_good_recitation_needs_no_whole_rows() -> None:
    text = passage("78:1-16")
    reference = sound_reference(text.range).units
    said = [sound for word in text.words for sound in word.phones][:60]
    units = [heard_sound(Phone(s, at * 100, at * 100 + 80)) for at, s in enumerate(said)]
    start = next(at for at, index in enumerate(reference.word_index) if index == 0)
    aligner = ViterbiAligner(reference, SOUND_MOVES, int(reference.starts[start]), 0, 54)
    assert aligner.path(units).cost == 0
    assert aligner._full == 1
