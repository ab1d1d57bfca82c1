"""Where a recording is cut between two words: where the sound changes, not where it is quietest."""

from __future__ import annotations

import numpy as np
import pytest

from training.word_cuts import strongest_change


def test_a_cut_is_made_where_the_sound_changes() -> None:
    vowel, hiss = np.array([1.0, 0.8, 0.1, 0.0]), np.array([0.0, 0.1, 0.3, 0.5])
    features = np.stack([vowel] * 5 + [hiss] * 7, axis=1).astype(np.float32)
    assert strongest_change(features) == 5
    assert strongest_change(features[:, ::-1]) == 7


def test_a_dip_within_a_sound_is_no_border() -> None:
    features = np.ones((4, 12), np.float32)
    features[:, 2] = 0.7
    features[:, 8:] = 0.0
    assert strongest_change(features) == 8


@pytest.mark.parametrize("frames", [0, 1])
def test_there_is_none_in_a_single_frame(frames: int) -> None:
    assert strongest_change(np.ones((4, frames), np.float32)) == 0
