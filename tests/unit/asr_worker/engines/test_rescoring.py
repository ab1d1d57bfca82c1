"""The second look at texts the decoder is not sure of: when, and which text is taken."""

from __future__ import annotations

import math

import pytest

from asr_worker.engines.coarse_letters import of_sounds, of_text
from asr_worker.engines.rescoring import UNSURE, Hypothesis, Rescoring
from shared.hearing import Phone


def heard(sounds: str) -> tuple[Phone, ...]:
    """Sounds of 100 ms one after another, written with spaces."""
    return tuple(Phone(symbol, at * 100, (at + 1) * 100) for at, symbol in enumerate(sounds.split()))


def hypothesis(text: str, log_probability: float) -> Hypothesis:
    return Hypothesis(tuple(range(len(text))), text, log_probability)


AL_KAWTHAR = heard("ʔ i ñ ñ a: ʔ a ʕ tˤ a j n a: k a l k a w θ a r")


def test_a_spelling_and_its_sounds_meet_in_the_coarse_alphabet() -> None:
    assert of_text("إنا") == "'nA"
    assert of_sounds(heard("ʔ i ñ ñ a:")) == "'nnA"
    assert of_text("الصلاة") == of_text("السلات")
    assert of_sounds(heard("sˤ a Q")) == "s"


def test_the_text_that_was_heard_wins_over_a_likelier_one() -> None:
    said, invented = hypothesis("إنا أعطيناك الكوثر", -3.0), hypothesis("إن الذين آمنوا وعملوا", -2.0)
    assert Rescoring().best([invented, said], AL_KAWTHAR) == said


def test_of_texts_that_sound_the_same_the_likelier_wins() -> None:
    likely, unlikely = hypothesis("إنا أعطيناك الكوثر", -1.0), hypothesis("انا أعطيناك الكوثر", -4.0)
    assert Rescoring().best([unlikely, likely], AL_KAWTHAR) == likely


def test_only_the_unsure_are_looked_at_again() -> None:
    rescoring = Rescoring()
    assert rescoring.wanted(UNSURE - 0.01, AL_KAWTHAR)
    assert not rescoring.wanted(UNSURE, AL_KAWTHAR)
    assert rescoring.wanted(0.0, AL_KAWTHAR), "a text that never ended"


@pytest.mark.parametrize("phones", [None, ()])
def test_where_no_sounds_are_known_there_is_nothing_to_weigh_by(phones: tuple[Phone, ...] | None) -> None:
    assert not Rescoring().wanted(0.1, phones)


def test_a_beam_of_one_turns_it_off() -> None:
    assert not Rescoring(beam_size=1).wanted(0.1, AL_KAWTHAR)


def test_confidence_is_the_mean_probability_of_a_letter() -> None:
    assert hypothesis("كوثر", 5 * math.log(0.8)).confidence == pytest.approx(0.8)
