"""One row of sounds for all pronunciations of a word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.recitation.alignment.phoneme_costs import INVENTORY
from shared.recitation.alignment.sound_columns import SoundColumns, sound_columns


def columns(usual: str, *others: str) -> SoundColumns:
    return sound_columns(tuple(usual.split()), tuple(tuple(other.split()) for other in others))


def row(made: SoundColumns) -> str:
    signs = zip(made.sounds, made.others, made.optional, strict=True)
    return " ".join((s if s == o else f"{s}|{o}") + ("?" if free else "") for s, o, free in signs)


def test_what_only_some_pronunciations_have_is_optional() -> None:
    assert row(columns("ʔ a ħ a d Q", "ʔ a ħ a d u n i")) == "ʔ a ħ a d Q? u? n? i?"
    assert row(columns("l ħ a jj u", "ʔ a l ħ a jj")) == "ʔ? a? l ħ a jj u?"


def test_near_sounds_share_a_column() -> None:
    assert row(columns("s i n a t u", "s i n a h")) == "s i n a t|h u?"
    assert row(columns("f i", "f i:")) == "f i|i:"


SOUNDS = st.lists(st.sampled_from(INVENTORY[1:]), min_size=1, max_size=8).map(tuple)


@given(usual=SOUNDS, others=st.lists(SOUNDS, max_size=4).map(tuple))
def test_every_pronunciation_is_in_the_columns(
    usual: tuple[str, ...], others: tuple[tuple[str, ...], ...]
) -> None:
    made = sound_columns(usual, others)
    assert [way.sounds for way in made.pronunciations] == [usual, *others]
    for way in made.pronunciations:
        assert len(way.columns) == len(way.sounds)
        assert list(way.columns) == sorted(set(way.columns))
    needed = [at for at, free in enumerate(made.optional) if not free]
    assert all(set(needed) <= set(way.columns) for way in made.pronunciations)
    assert [at for at, usual_one in enumerate(made.usual) if usual_one] == list(
        made.pronunciations[0].columns
    )
