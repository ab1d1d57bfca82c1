"""Waveform distortions: what rooms, phones and people do to a clean recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.audio import SAMPLE_RATE, Floats
from training.codec import code

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Distorted:
    """A distorted recording; one of its seconds holds ``rate`` seconds of the original."""

    samples: Floats
    rate: float


def fft_size(least: int) -> int:
    """The next size with no prime factor above 5: a prime one takes ten times as long."""
    best = 1 << max(0, least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            size = three << max(0, -(-least // three) - 1).bit_length()
            best = min(best, size)
            three *= 3
        five *= 5
    return best


def shift_pitch(samples: Floats, rate: float) -> Floats:
    """Play at ``rate`` times the speed: pitch, formants and tempo move together."""
    wanted = round(samples.size / rate)
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(wanted // 2 + 1, dtype=spectrum.dtype)
    common = min(kept.size, spectrum.size)
    kept[:common] = spectrum[:common]
    return (np.fft.irfft(kept, n=wanted) / rate).astype(np.float32)


def room(samples: Floats, rng: Rng) -> Floats:
    """A synthetic impulse response: direct sound, then noise that decays in 0.15 to 6 s.

    The long ones are mosques and courtyards with loudspeakers, where the words before still sound.
    """
    decay_s = float(np.exp(rng.uniform(np.log(0.15), np.log(6.0))))
    length = int(min(decay_s, 2.5) * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    tail = rng.standard_normal(length, np.float32) * (10.0 ** (-3.0 * time / decay_s)).astype(np.float32)
    tail[: int(rng.uniform(0.002, 0.03) * SAMPLE_RATE)] = 0.0
    reverberant = 10.0 ** (rng.uniform(-14.0, 6.0) / 20.0)
    tail *= np.float32(reverberant / np.sqrt(np.sum(tail**2) + 1e-9))
    tail[0] = 1.0
    size = fft_size(samples.size + length)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    heard: Floats = wet[: samples.size].astype(np.float32)
    return heard


def echo(samples: Floats, rng: Rng) -> Floats:
    """A loudspeaker hall or a studio's echo effect: repeats every 80 to 450 ms, each duller."""
    delay = int(rng.uniform(0.08, 0.45) * SAMPLE_RATE)
    gain = rng.uniform(0.15, 0.6)
    repeats = int(rng.integers(1, 7))
    size = fft_size(samples.size + repeats * delay)
    spectrum = np.fft.rfft(samples, size)
    frequency = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    duller = gain / (1.0 + frequency / rng.uniform(1500.0, 7000.0))
    turn = (duller * np.exp(-2j * np.pi * frequency * delay / SAMPLE_RATE)).astype(np.complex64)
    total = np.ones_like(turn)
    for _ in range(repeats):
        total = 1.0 + turn * total
    heard: Floats = np.fft.irfft(spectrum * total, size)[: samples.size].astype(np.float32)
    return heard


def coloured_noise(size: int, rng: Rng) -> Floats:
    """Noise between white and brown, unit variance."""
    whole = fft_size(size)
    spectrum = np.fft.rfft(rng.standard_normal(whole, np.float32))
    frequency = np.maximum(np.fft.rfftfreq(whole, 1.0 / SAMPLE_RATE), 30.0)
    shape = (frequency ** -rng.uniform(0.0, 1.2)).astype(np.float32)
    noise = np.fft.irfft(spectrum * shape, whole)[:size]
    changed: Floats = (noise / (noise.std() + 1e-9)).astype(np.float32)
    return changed


def add_noise(samples: Floats, rng: Rng) -> Floats:
    """Stationary noise at a signal-to-noise ratio of 3 to 35 dB."""
    level = samples.std() * 10.0 ** (-rng.uniform(3.0, 35.0) / 20.0)
    return samples + np.float32(level) * coloured_noise(samples.size, rng)


def add_bursts(samples: Floats, rng: Rng) -> Floats:
    """Knocks, breath into the microphone, something moved: short noises 10 dB below to 6 dB above."""
    changed = samples.copy()
    level = float(samples.std()) + 1e-9
    for _ in range(int(rng.integers(1, 5))):
        length = int(rng.uniform(0.01, 0.4) * SAMPLE_RATE)
        start = int(rng.integers(0, max(1, samples.size - length)))
        burst = coloured_noise(max(64, length), rng)[: samples.size - start]
        fade = np.exp(-np.arange(burst.size) / (burst.size * rng.uniform(0.1, 0.6)))
        gain = level * 10.0 ** (rng.uniform(-10.0, 6.0) / 20.0)
        changed[start : start + burst.size] += (gain * fade * burst).astype(np.float32)
    return changed


def suppress_noise(samples: Floats, rng: Rng) -> Floats:
    """A phone's or browser's noise suppression: quiet cells of the spectrum are turned down.

    Overdone, as phones do, it takes weak consonants with it.
    """
    size, hop = 512, 256
    window = np.sqrt(np.hanning(size + 1)[:-1])
    count = max(1, -(-max(0, samples.size - size) // hop) + 1) + 2
    padded = np.pad(samples, (hop, count * hop + size - samples.size - hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * hop : hop] * window
    spectrum = np.fft.rfft(frames, axis=1)
    power = np.abs(spectrum) ** 2
    smooth = power.copy()
    for later in range(1, len(smooth)):
        smooth[later] = 0.6 * smooth[later - 1] + 0.4 * power[later]
    floor = np.quantile(smooth, rng.uniform(0.1, 0.3), axis=0) * rng.uniform(1.5, 6.0)
    least = 10.0 ** (-rng.uniform(8.0, 25.0) / 20.0)
    gain = np.maximum(least, 1.0 - floor / np.maximum(smooth, 1e-12))
    parts = np.fft.irfft(spectrum * gain, n=size, axis=1) * window
    heard = np.zeros((len(parts) + 1) * hop, np.float32)
    heard[: len(parts) * hop] += parts[:, :hop].reshape(-1).astype(np.float32)
    heard[hop:] += parts[:, hop:].reshape(-1).astype(np.float32)
    return heard[hop : hop + samples.size]


def equalise(samples: Floats, rng: Rng) -> Floats:
    """Microphone colour: a smooth random curve, at times a telephone or low-pass band."""
    whole = fft_size(samples.size)
    spectrum = np.fft.rfft(samples, whole)
    frequency = np.fft.rfftfreq(whole, 1.0 / SAMPLE_RATE)
    octave = np.log2(np.maximum(frequency, 60.0) / 60.0)
    knots = np.cumsum(rng.normal(0.0, 2.5, 9))
    gain_db = np.interp(octave, np.linspace(0.0, 7.1, 9), knots - knots.mean())
    band = rng.random()
    if band < 0.2:
        gain_db[(frequency < rng.uniform(150, 350)) | (frequency > rng.uniform(3200, 3900))] = -60
    elif band < 0.45:
        gain_db[frequency > rng.uniform(3800, 7500)] = -60
    gains = (10.0 ** (gain_db / 20.0)).astype(np.float32)
    shaped: Floats = np.fft.irfft(spectrum * gains, whole)[: samples.size].astype(np.float32)
    return shaped


def compress(samples: Floats, rng: Rng) -> Floats:
    """A broadcast limiter or a phone's automatic gain: the quiet rises towards the loud.

    Levels over 30 to 250 ms, ratios of 1.3 to 4 (in decibels: how many in for one out).
    """
    hop = int(rng.uniform(0.03, 0.25) * SAMPLE_RATE)
    count = -(-samples.size // hop)
    squares = np.pad(samples.astype(np.float64), (0, count * hop - samples.size)) ** 2
    levels = np.sqrt(squares.reshape(count, hop).mean(axis=1))
    levels = np.maximum(levels, levels.max() * 10.0 ** (-rng.uniform(25.0, 50.0) / 20.0) + 1e-9)
    gains = levels ** (1.0 / rng.uniform(1.3, 4.0) - 1.0)
    at = np.interp(np.arange(samples.size), (np.arange(count) + 0.5) * hop, gains)
    changed: Floats = (samples * (at / gains.max())).astype(np.float32)
    return changed


def clip_peaks(samples: Floats, rng: Rng) -> Floats:
    """Overdrive a microphone: peaks cut at 25 to 80 % of the loudest sample."""
    limit = np.abs(samples).max() * rng.uniform(0.25, 0.8)
    cut: Floats = np.clip(samples, -limit, limit).astype(np.float32)
    return cut


def set_level(samples: Floats, rng: Rng) -> Floats:
    """Scale to a peak between -26 and 0 dB of full scale."""
    peak = float(np.abs(samples).max()) + 1e-9
    changed: Floats = (samples * (10.0 ** (rng.uniform(-26.0, 0.0) / 20.0) / peak)).astype(np.float32)
    return changed


def distort(samples: Floats, rng: Rng) -> Distorted:
    """One random chain of the distortions above, about half of them each time."""
    rate = 1.0
    if samples.size < SAMPLE_RATE // 10:
        return Distorted(samples, rate)
    if rng.random() < 0.6:
        rate = float(np.exp(rng.normal(0.02, 0.13)))
        rate = min(max(rate, 0.75), 1.45)
        samples = shift_pitch(samples, rate)
    return Distorted(spoil(samples, rng), rate)


def spoil(samples: Floats, rng: Rng, severity: float = 1.0) -> Floats:
    """What a room, a microphone, a phone's own processing and a codec do, in that order.

    ``severity`` (0-1) scales how likely each is.
    """
    chain = (
        (0.25, echo),
        (0.5, room),
        (0.6, equalise),
        (0.6, add_noise),
        (0.15, add_bursts),
        (0.2, suppress_noise),
        (0.35, compress),
        (0.1, clip_peaks),
        (0.3, code),
    )
    if samples.size < SAMPLE_RATE // 10:
        return samples
    for chance, effect in chain:
        if rng.random() < severity * chance:
            samples = effect(samples, rng)
    return set_level(samples, rng)
