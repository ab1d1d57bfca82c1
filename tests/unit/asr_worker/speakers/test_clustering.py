"""Vectors of voices become as many speakers as there are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.speakers.clustering import MOST_JOINED, speakers

Floats = NDArray[np.float32]


def voice(number: int) -> Floats:
    """Voices are no opposites: all have something in common."""
    one = np.full(32, 0.1, np.float32)
    one[number] += 1.0
    return one


def heard(*turns: tuple[int, int], seed: int = 1, noise: float = 0.08) -> Floats:
    """(voice, windows) one after the other; each window differs a little."""
    rng = np.random.default_rng(seed)
    rows = [voice(who) + rng.normal(0, noise, 32) for who, count in turns for _ in range(count)]
    vectors = np.array(rows, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def labels(vectors: Floats, spans: list[int] | None = None) -> list[int]:
    return [int(one) for one in speakers(vectors, spans or [0] * len(vectors))]


@pytest.mark.parametrize("people", [1, 2, 3, 5])
def test_there_are_as_many_speakers_as_voices(people: int) -> None:
    found = labels(heard(*((who, 15) for who in range(people)), *((who, 15) for who in range(people))))
    assert set(found) == set(range(people))
    assert found[: 15 * people] == found[15 * people :]
    assert found[7::15] == [*range(people), *range(people)]


def test_speakers_are_counted_in_the_order_in_which_they_are_heard() -> None:
    assert labels(heard((4, 12), (2, 12), (4, 12)))[::12] == [0, 1, 0]


def test_a_short_sound_is_no_speaker() -> None:
    assert set(labels(heard((0, 30), (7, 3), (0, 30)))) == {0}


def test_one_odd_window_makes_no_turn_of_somebody_else() -> None:
    vectors = heard((0, 20), (1, 20))
    between = vectors[5] + 0.99 * vectors[30]
    vectors[10] = between / np.linalg.norm(between)
    found = labels(vectors)
    assert found[9:12] == [0, 0, 0]


def test_a_long_recording_is_joined_by_a_sample_of_it() -> None:
    found = labels(heard(*[(who, 100) for _ in range(10) for who in (0, 1)]))
    assert len(found) > 2 * MOST_JOINED
    assert [found[at] for at in range(50, 2000, 100)] == [0, 1] * 10


def test_neighbours_of_another_span_do_not_count() -> None:
    """Two people who take turns quickly, each turn with a pause after it."""
    vectors, spans = heard(*[(who, 3) for _ in range(10) for who in (0, 1)]), [at // 3 for at in range(60)]
    assert labels(vectors, spans) == [at // 3 % 2 for at in range(60)]


def test_without_speech_there_is_nobody() -> None:
    assert labels(np.zeros((0, 32), np.float32)) == []


def test_a_single_window_is_one_speaker() -> None:
    assert labels(heard((3, 1))) == [0]
