"""A client's bytes in pieces of any size give the same samples, and every one of them is counted."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.audio.formats import SAMPLE_RATE, AudioFormat
from shared.audio.pcm import samples_of
from shared.audio.streaming import StreamingDecoder
from shared.errors import BadAudio
from tests.unit.audio.recordings import TONE_HZ, level, strongest_hz, tone

RAW = [
    AudioFormat(),
    AudioFormat("pcm_s16le", 44_100, 1),
    AudioFormat("pcm_s16le", 48_000, 2),
    AudioFormat("pcm_f32le", 16_000, 1),
    AudioFormat("pcm_f32le", 22_050, 3),
    AudioFormat("mulaw", 8000, 1),
    AudioFormat("alaw", 8000, 2),
    AudioFormat("pcm_s16le", 16_000, 8),
    AudioFormat("pcm_s16le", 4001, 1),
    AudioFormat("pcm_s16le", 192_000, 1),
    AudioFormat("pcm_s16le", 384_000, 1),
]
NAMES = [f"{one.encoding}-{one.rate}-{one.channels}" for one in RAW]


def sound_of(form: AudioFormat, seconds: float, seed: int = 1) -> bytes:
    """Loud noise whose channels differ, as the client would send it."""
    random = np.random.default_rng(seed)
    shape = (int(seconds * form.rate), form.channels)
    if form.encoding == "pcm_f32le":
        return random.normal(0, 0.2, shape).astype("<f4").tobytes()
    if form.encoding == "pcm_s16le":
        return random.integers(-20_000, 20_000, shape, "<i2").tobytes()
    return random.integers(0, 256, shape, np.uint8).tobytes()


def decoded(form: AudioFormat, data: bytes, cuts: list[int] | None = None, sample: int = 0) -> bytes:
    """All samples of these bytes, cut at these places."""
    decoder = StreamingDecoder(form, sample)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    pcm = b"".join(decoder.feed(data[start:end]) for start, end in pairwise(edges)) + decoder.finish()
    assert decoder.sample == sample + len(pcm) // 2
    assert decoder.client_sample == form.resume_at(sample) + len(data) // form.client_sample_bytes
    return pcm


@settings(max_examples=150)
@given(st.sampled_from(RAW), st.lists(st.integers(0, 400_000), max_size=40), st.floats(0, 0.6))
def test_the_pieces_do_not_matter(form: AudioFormat, cuts: list[int], seconds: float) -> None:
    data = sound_of(form, seconds)
    assert decoded(form, data, cuts) == decoded(form, data)


@settings(max_examples=30)
@given(st.sampled_from(RAW[:6]), st.integers(1, 17))
def test_frames_of_a_few_bytes_give_the_same_samples(form: AudioFormat, size: int) -> None:
    data = sound_of(form, 0.05)
    assert decoded(form, data, list(range(0, len(data), size))) == decoded(form, data)


@settings(max_examples=100)
@given(st.sampled_from(RAW), st.integers(0, 20_000), st.integers(0, 7))
def test_every_client_sample_is_counted(form: AudioFormat, clients: int, more_bytes: int) -> None:
    data = bytes(clients * form.client_sample_bytes) + bytes(min(more_bytes, form.client_sample_bytes - 1))
    assert len(decoded(form, data)) // 2 == form.samples(clients)


@settings(max_examples=120)
@given(st.sampled_from(RAW), st.floats(0, 2.9), st.integers(0, 2**32))
def test_a_resumed_stream_is_exactly_the_stream(form: AudioFormat, at_s: float, seed: int) -> None:
    """The client sends again from where it is told, and no sample differs from those without a break."""
    data = sound_of(form, 3.0, seed)
    sample = int(at_s * SAMPLE_RATE)
    again = data[form.resume_at(sample) * form.client_sample_bytes :]
    assert decoded(form, again, sample=sample) == decoded(form, data)[2 * sample :]


@pytest.mark.parametrize("form", RAW, ids=NAMES)
def test_little_is_held_back(form: AudioFormat) -> None:
    """30 ms of one channel (block and filter), 130 ms of several (the mixer's block)."""
    decoder = StreamingDecoder(form)
    pcm = decoder.feed(sound_of(form, 1.0))
    assert len(pcm) // 2 >= SAMPLE_RATE * (0.97 if form.channels == 1 else 0.87)


@pytest.mark.parametrize("form", RAW, ids=NAMES)
def test_the_sound_stays_what_it_was(form: AudioFormat) -> None:
    wave = np.repeat(tone(1.0, form.rate)[:, None], form.channels, axis=1)
    pcm = samples_of(decoded(form, _encoded(form, wave)))
    assert strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=2)
    assert level(pcm[1000:-1000]) == pytest.approx(0.177, rel=0.03)


def _encoded(form: AudioFormat, wave: NDArray[np.float64]) -> bytes:
    if form.encoding == "pcm_f32le":
        return wave.astype("<f4").tobytes()
    pcm = np.rint(wave * 32767).astype("<i2")
    if form.encoding == "pcm_s16le":
        return pcm.tobytes()
    codec: Any = av.AudioCodecContext.create(f"pcm_{form.encoding}", "w")
    codec.sample_rate, codec.format, codec.layout = form.rate, "s16", "mono"
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = form.rate
    return b"".join(bytes(packet) for packet in codec.encode(frame))


def test_what_rattil_works_with_comes_through_bit_for_bit() -> None:
    data = sound_of(AudioFormat(), 0.5)
    assert decoded(AudioFormat(), data) == data
    floats = (samples_of(data) / 32768).astype("<f4").tobytes()
    assert decoded(AudioFormat("pcm_f32le"), floats) == data


def test_opposite_phases_do_not_cancel_one_another_out() -> None:
    wave = np.stack([tone(1.0, 48_000), -tone(1.0, 48_000)], axis=1)
    form = AudioFormat("pcm_s16le", 48_000, 2)
    assert level(samples_of(decoded(form, _encoded(form, wave)))) == pytest.approx(0.177, rel=0.05)


def test_floats_that_are_no_numbers_are_silence() -> None:
    samples = np.zeros(16_000, "<f4")
    samples[100:200] = np.nan
    samples[300:400] = np.inf
    samples[500] = 1e30
    pcm = samples_of(decoded(AudioFormat("pcm_f32le"), samples.tobytes()))
    assert pcm.size == 16_000
    assert np.flatnonzero(pcm).tolist() == [500]


def test_a_format_out_of_bounds_is_refused() -> None:
    with pytest.raises(BadAudio, match="120000007 Hz"):
        StreamingDecoder(AudioFormat("pcm_s16le", 120_000_007))
