"""What is not the passage must not be praised: neither another sura nor sounds that mean nothing."""

from __future__ import annotations

import random

import pytest

from shared.hearing import Hearing, Phone
from shared.recitation.alignment.phoneme_costs import INVENTORY
from shared.recitation.report.review import review
from tests.unit.recitation.reciter import passage, recite


def correct_share(verses: str, hearings: list[Hearing]) -> float:
    words = review(passage(verses), hearings).words
    return sum(word.status == "correct" for word in words) / len(words)


@pytest.mark.parametrize(
    ("asked", "said"),
    [("1:1-7", "109:1-6"), ("78:1-30", "79:1-30"), ("83:1-20", "91:1-15"), ("112:1-4", "105:1-5")],
)
def test_another_sura_is_not_called_correct(asked: str, said: str) -> None:
    assert correct_share(asked, recite([said])) < 0.25


@pytest.mark.parametrize("seed", range(4))
def test_sounds_at_random_are_not_called_correct(seed: int) -> None:
    chance = random.Random(seed)
    hearings = []
    for start_ms in range(0, 30_000, 2_000):
        times = range(start_ms, start_ms + 2_500, 100)
        phones = tuple(Phone(chance.choice(INVENTORY[1:]), at, at + 80, 0.6) for at in times)
        hearings.append(Hearing(start_ms, start_ms + 2_500, phones=phones))
    assert correct_share("1:1-7", hearings) < 0.2
