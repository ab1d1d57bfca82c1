"""What the training mix does to a clean recording: it changes the sound, never what is said when."""

from __future__ import annotations

import numpy as np
import pytest

from training.audio import SAMPLE_RATE, Floats
from training.codec import CODECS, code
from training.distort import (
    add_bursts,
    compress,
    distort,
    echo,
    fft_size,
    room,
    set_level,
    shift_pitch,
    spoil,
    suppress_noise,
)


def bursts() -> Floats:
    """A second of silence with a 50 ms tone of 500 Hz every quarter second."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    on = (time % 0.25) < 0.05
    return (0.5 * np.sin(2 * np.pi * 500 * time) * on).astype(np.float32)


def lag(before: Floats, after: Floats) -> int:
    """Samples by which ``after`` follows ``before``."""
    size = 2 * before.size
    product = np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size))
    place = int(np.fft.irfft(product, size).argmax())
    return place if place < before.size else place - size


@pytest.mark.parametrize("choice", range(len(CODECS)))
def test_codecs_keep_length_and_place(choice: int) -> None:
    class Choosing(np.random.Generator):
        """Takes one codec; the rest by chance."""

        def integers(self, *_: object, **__: object) -> int:  # type: ignore[override]
            return choice

    samples = bursts()
    heard = code(samples, Choosing(np.random.PCG64(1)))
    assert heard.size == samples.size
    assert abs(lag(samples, heard)) <= SAMPLE_RATE // 1000
    assert not np.array_equal(heard, samples)


def test_an_echo_repeats_what_was_said_later_and_softer() -> None:
    click = np.zeros(SAMPLE_RATE, dtype=np.float32)
    click[100] = 1.0
    heard = echo(click, np.random.default_rng(3))
    assert heard[100] == pytest.approx(1.0, abs=1e-3)
    later = np.abs(heard[101:])
    assert 0.02 < later.max() < 0.6
    assert later.argmax() > 0.07 * SAMPLE_RATE
    assert np.abs(heard[:99]).max() < 1e-3


def test_compression_raises_the_quiet_towards_the_loud() -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    level = np.where(time < 1.0, 0.05, 0.8)
    samples = (level * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    heard = compress(samples, np.random.default_rng(4))

    def loudness(signal: Floats) -> tuple[float, float]:
        middle = SAMPLE_RATE // 4
        return float(np.abs(signal[middle : 3 * middle]).max()), float(np.abs(signal[5 * middle :]).max())

    quiet_before, loud_before = loudness(samples)
    quiet, loud = loudness(heard)
    assert heard.size == samples.size
    assert loud / quiet < 0.8 * loud_before / quiet_before
    assert np.isfinite(compress(np.zeros(SAMPLE_RATE, dtype=np.float32), np.random.default_rng(4))).all()


def test_a_hall_may_sound_on_for_seconds() -> None:
    click = np.zeros(4 * SAMPLE_RATE, dtype=np.float32)
    click[0] = 1.0
    longest = 0.0
    for seed in range(20):
        power = np.cumsum(room(click, np.random.default_rng(seed))[1:][::-1].astype(np.float64) ** 2)[::-1]
        longest = max(longest, float(np.flatnonzero(power > 1e-6 * power[0])[-1]) / SAMPLE_RATE)
    assert longest > 2.0


def test_a_shift_up_is_shorter_by_its_rate() -> None:
    samples = bursts()
    assert shift_pitch(samples, 1.25).size == round(samples.size / 1.25)


def test_levels_stay_in_full_scale() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        assert 0.04 < np.abs(set_level(bursts() * 7, rng)).max() <= 1.0


def test_a_distorted_copy_says_how_its_time_runs() -> None:
    rng = np.random.default_rng(8)
    samples = bursts()
    rates = set()
    for _ in range(12):
        made = distort(samples, rng)
        rates.add(made.rate)
        assert made.samples.size == pytest.approx(samples.size / made.rate, abs=1)
        assert np.isfinite(made.samples).all()
    assert len(rates) > 3


def test_a_scrap_of_audio_is_left_alone() -> None:
    scrap = np.ones(100, dtype=np.float32)
    made = distort(scrap, np.random.default_rng(0))
    assert made.rate == 1.0
    assert made.samples is scrap


def test_transform_sizes_are_the_next_products_of_two_three_and_five() -> None:
    assert [fft_size(least) for least in (1, 2, 7, 1000, 48_001, 71_681)] == [1, 2, 8, 1000, 48_600, 72_000]


def test_suppression_turns_steady_noise_down_and_leaves_speech_where_it_was() -> None:
    rng = np.random.default_rng(5)
    speech = bursts()
    noisy = speech + 0.01 * rng.standard_normal(speech.size).astype(np.float32)
    heard = suppress_noise(noisy, rng)
    between = np.arange(speech.size) % 4000 > 1800
    assert heard.size == speech.size
    assert lag(speech, heard) == 0
    assert heard[between].std() < 0.6 * noisy[between].std()
    assert heard[~between].std() > 0.7 * noisy[~between].std()


def test_bursts_are_short_and_added() -> None:
    samples = bursts()
    heard = add_bursts(samples, np.random.default_rng(6))
    changed = np.abs(heard - samples) > 1e-6
    assert 0 < changed.mean() < 1.0


def test_spoiling_keeps_the_length() -> None:
    rng = np.random.default_rng(7)
    for size in (100, 1601, 48_017):
        samples = 0.1 * rng.standard_normal(size).astype(np.float32)
        for _ in range(20):
            heard = spoil(samples, rng)
            assert heard.size == size
            assert heard.dtype == np.float32
            assert np.isfinite(heard).all()
