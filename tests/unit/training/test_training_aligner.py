"""Alignment of sounds to frames: the path goes through every sound, in order, where its score is."""

from __future__ import annotations

import numpy as np

from training.aligner import SILENCE, Floats, chain, fit, flat, viterbi

SYMBOLS = 6


def certain(labels: list[int]) -> Floats:
    """Scores that leave no doubt about each frame."""
    scores = np.full((len(labels), SYMBOLS), -20.0, dtype=np.float32)
    scores[np.arange(len(labels)), labels] = 0.0
    return scores


def test_every_frame_gets_the_sound_that_it_shows() -> None:
    path = chain([[2, 3], [4]])
    labels = [SILENCE, 2, 2, 3, SILENCE, 4, 4, SILENCE]
    places = viterbi(certain(labels), path)
    assert path.states[places].tolist() == labels


def test_silence_between_words_may_be_skipped() -> None:
    path = chain([[2], [3]])
    places = viterbi(certain([2, 2, 3, 3]), path)
    assert path.states[places].tolist() == [2, 2, 3, 3]


def test_a_sound_that_is_hard_to_hear_is_still_visited() -> None:
    path = chain([[2, 5, 3]])
    places = viterbi(certain([SILENCE, 2, 2, 3, 3, SILENCE]), path)
    assert 5 in path.states[places]
    assert (np.diff(places) >= 0).all()


def test_the_flat_start_leaves_quiet_edges_silent() -> None:
    path = chain([[2], [3]])
    loud = np.array([False] * 3 + [True] * 8 + [False] * 4)
    states = path.states[flat(15, path, loud)]
    assert (states[~loud] == SILENCE).all()
    assert set(states[loud].tolist()) == {2, 3}


def test_fitted_gaussians_tell_apart_what_they_were_fitted_to() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, SYMBOLS, 600)
    features = rng.normal(size=(600, 4)).astype(np.float32)
    features[np.arange(600), labels % 4] += np.where(labels < 4, 8.0, -8.0).astype(np.float32)
    model = fit(features, labels, SYMBOLS)
    assert (model.scores(features).argmax(axis=1) == labels).mean() > 0.98
