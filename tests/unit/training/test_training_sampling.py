"""How often a window begins in which recording."""

from __future__ import annotations

import pytest

from training.sampling import chances
from training.voices import SYNTHETIC_PREFIX


def test_long_recordings_begin_more_windows() -> None:
    assert chances([100, 300], ["one", "one"], 0.2).tolist() == pytest.approx([0.25, 0.75])


def test_a_voice_with_four_times_as_much_is_heard_twice_as_often() -> None:
    assert chances([400, 100], ["one", "other"], 0.2).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_synthetic_voices_have_their_share() -> None:
    found = chances([100, 900, 50], ["one", f"{SYNTHETIC_PREFIX}m1", f"{SYNTHETIC_PREFIX}m2"], 0.2)
    assert found[0] == pytest.approx(0.8)
    assert found[1:].sum() == pytest.approx(0.2)


def test_a_share_of_nobody_goes_to_the_others() -> None:
    assert chances([100], ["one"], 0.2).tolist() == [1.0]
