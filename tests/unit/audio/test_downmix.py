"""Many channels become one without losing the voice, and whatever the pieces are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.audio.downmix import SETTLE_SAMPLES, MonoMixer
from tests.unit.audio.recordings import tone

Floats = NDArray[np.float32]
VOICE = tone(2.0, 16_000, 200)


def _mixed(sound: NDArray[np.float64], pieces: list[int] | None = None) -> Floats:
    mixer = MonoMixer(sound.shape[1])
    out = [
        mixer.push(piece.astype(np.float32))
        for piece in np.split(sound, np.cumsum(pieces or []))
        if len(piece)
    ]
    return np.concatenate([*out, mixer.finish()])


def _power(sound: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(sound)))


def test_equal_channels_become_their_mean() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (32_000, 2)).astype(np.float32)
    assert np.array_equal(_mixed(noise.astype(np.float64)), noise.mean(axis=1))


@pytest.mark.parametrize(
    "weights", [(1, -1), (1, -0.5), (-0.3, 1), (1, 0, -1, 0), (0, 0, 1, 0, 0, 0), (0, 1)]
)
def test_the_voice_is_never_cancelled(weights: tuple[float, ...]) -> None:
    mixed = _mixed(np.outer(VOICE, weights))
    assert mixed.size == VOICE.size
    assert _power(mixed) >= _power(VOICE) / 8


def test_two_speakers_on_two_channels_are_both_heard() -> None:
    silence = np.zeros_like(VOICE)
    teacher, child = np.stack([VOICE, silence], axis=1), np.stack([silence, VOICE / 4], axis=1)
    mixed = _mixed(np.concatenate([teacher, child, teacher]))
    assert _power(mixed[:32_000]) >= _power(VOICE) / 5
    assert _power(mixed[40_000:64_000]) >= _power(VOICE / 4) / 5


def test_a_change_of_the_choice_is_no_click() -> None:
    """Where the phase turns over, the sound fades; no step is larger than those of the voice."""
    mixed = _mixed(np.concatenate([np.outer(VOICE, (1, 1)), np.outer(VOICE, (1, -1))]))
    assert np.abs(np.diff(mixed)).max() < 2 * np.abs(np.diff(VOICE)).max()


@given(st.integers(2, 8), st.lists(st.integers(0, 5000), max_size=12), st.integers(0, 2**32))
def test_the_pieces_do_not_matter(channels: int, pieces: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    sound = random.normal(0, 0.1, (12_345, channels)) * random.normal(0, 1, channels)
    assert np.array_equal(_mixed(sound, pieces), _mixed(sound))


@settings(max_examples=25)
@given(st.integers(2, 8), st.integers(0, 2**32))
def test_the_past_is_forgotten(channels: int, seed: int) -> None:
    """After `SETTLE_SAMPLES` nothing depends on what was heard before."""
    random = np.random.default_rng(seed)
    past = [np.outer(random.normal(0, 1, 16_000), random.normal(0, 1, channels)) for _ in "ab"]
    voice = np.outer(random.normal(0, 0.1, 48_000), random.normal(0, 1, channels))
    one, other = (_mixed(np.concatenate([before, voice])) for before in past)
    assert np.array_equal(one[16_000 + SETTLE_SAMPLES :], other[16_000 + SETTLE_SAMPLES :])
