"""Containers in, PCM16 mono 16 kHz out, and a named error for everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.audio.decode import decode_audio, decode_file, decode_recording
from shared.audio.pcm import samples_of
from shared.errors import BadAudio
from tests.unit.audio.recordings import (
    TONE_HZ,
    encoded,
    float_wav,
    level,
    patched_rate,
    strongest_hz,
    tone,
    wav_file,
)


def _container(kind: str, codec: str, rate: int = 16000, channels: int = 1, seconds: float = 1.0) -> bytes:
    return encoded(kind, codec, [tone(seconds, rate)] * channels, rate)


def _decoded(data: bytes) -> NDArray[np.int16]:
    return samples_of(decode_audio(data))


@pytest.mark.parametrize(
    ("kind", "codec", "rate", "channels"),
    [
        ("wav", "pcm_s16le", 16000, 1),
        ("wav", "pcm_s16le", 44100, 2),
        ("wav", "pcm_s16le", 8000, 1),
        ("wav", "pcm_mulaw", 8000, 1),
        ("wav", "pcm_s16le", 384_000, 1),
        ("wav", "pcm_s16le", 4000, 8),
        ("flac", "flac", 16000, 1),
        ("flac", "flac", 48000, 2),
        ("flac", "flac", 96000, 8),
    ],
)
def test_common_containers_become_mono_16_khz(kind: str, codec: str, rate: int, channels: int) -> None:
    pcm = _decoded(_container(kind, codec, rate, channels))
    assert pcm.size == pytest.approx(16000, abs=40)
    assert strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=3)


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("ogg", "libopus"),
        ("webm", "libopus"),
        ("matroska", "flac"),
        ("mp3", "libmp3lame"),
        ("adts", "aac"),
        ("ipod", "aac"),
        ("mp4", "aac"),
        ("mov", "alac"),
    ],
)
def test_lossy_and_wrapped_containers_keep_the_sound(kind: str, codec: str) -> None:
    pcm = _decoded(_container(kind, codec, rate=48000 if codec == "libopus" else 16000))
    assert pcm.size == pytest.approx(16000, abs=2500)
    assert strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=3)


def test_16_khz_wav_and_flac_come_through_bit_for_bit() -> None:
    expected = np.rint(tone(1.0, 16000) * 32767).astype(np.int16).tobytes()
    assert decode_audio(_container("wav", "pcm_s16le")) == expected
    assert decode_audio(_container("flac", "flac")) == expected


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"not audio at all" * 100, "cannot be decoded"),
        (_container("wav", "pcm_s16le")[:30], "cannot be decoded|no samples|no audio"),
        (_container("wav", "pcm_s16le")[:44], "cannot be decoded|no samples|no audio"),
    ],
)
def test_unusable_audio_is_bad_audio(data: bytes, sentence: str) -> None:
    with pytest.raises(BadAudio, match=sentence):
        decode_audio(data)


def test_caps_are_kept() -> None:
    data = _container("wav", "pcm_s16le", seconds=2.0)
    with pytest.raises(BadAudio, match="longer than 1 s"):
        decode_audio(data, max_seconds=1.0)
    with pytest.raises(BadAudio, match="at most 1000"):
        decode_audio(data, max_bytes=1000)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "tone.flac"
    path.write_bytes(_container("flac", "flac"))
    assert len(decode_file(path)) == 32000
    with pytest.raises(BadAudio, match="cannot read"):
        decode_file(tmp_path / "missing.wav")
    with pytest.raises(BadAudio, match="at most 10"):
        decode_file(path, max_bytes=10)


# -- bounds that hold before anything is built ---------------------------------------------------
_WAV = wav_file(bytes(3200), 16_000, 1)
OUT_OF_BOUNDS = {
    "a rate that makes a filter of gigabytes": (patched_rate(_WAV, 120_000_007), "120000007 Hz"),
    "a rate just too high": (patched_rate(_WAV, 384_001), "384001 Hz"),
    "a rate just too low": (patched_rate(_WAV, 3_999), "3999 Hz"),
    "nine channels": (wav_file(bytes(9 * 3200), 16_000, 9), "9 channels"),
    "a hundred channels": (wav_file(bytes(100 * 3200), 16_000, 100), "100 channels"),
    "too long by its header": (wav_file(bytes(8000 * 1203), 8000, 1, 1), "longer than 1200 s"),
}


@pytest.mark.parametrize(("data", "sentence"), OUT_OF_BOUNDS.values(), ids=OUT_OF_BOUNDS.keys())
def test_what_is_out_of_bounds_is_refused_before_a_resampler_is_built(
    data: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a resampler was built")

    monkeypatch.setattr("av.AudioResampler", build)
    with pytest.raises(BadAudio, match=sentence):
        decode_audio(data)


def test_a_length_that_a_recorder_did_not_fill_in_is_no_length() -> None:
    whole = _container("wav", "pcm_s16le")
    at = whole.index(b"data") + 4
    for length in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        piped = whole[:4] + length + whole[8:at] + length + whole[at + 4 :]
        assert len(decode_audio(piped)) == 32_000


# -- levels --------------------------------------------------------------------------------------
def test_a_constant_offset_is_removed() -> None:
    noise = np.random.default_rng(7).integers(-1, 2, 16_000)
    pcm = _decoded(wav_file((1638 + noise).astype("<i2").tobytes(), 16_000, 1))
    assert level(pcm) < 2 / 32768


def test_an_offset_does_not_become_sound_in_a_gap() -> None:
    wave = tone(2.0, 16_000) + 0.2
    pcm = _decoded(encoded("matroska", "flac", [wave], later_s=lambda at_s: 1.0 if at_s >= 1 else 0.0))
    assert abs(float(pcm[:15_000].mean())) < 20
    assert level(pcm[18_000:30_000]) == 0


@pytest.mark.parametrize("scale", [1.0, 8.0, 32768.0])
def test_floats_of_any_scale_are_heard(scale: float) -> None:
    pcm = _decoded(float_wav((tone(1.0, 16_000) * scale).astype(np.float32)))
    assert strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=3)
    distortion = np.abs(np.fft.rfft(pcm.astype(np.float64)))
    assert distortion[3 * int(TONE_HZ)] < 0.01 * distortion.max()


def test_floats_that_are_no_numbers_are_silence() -> None:
    samples = tone(1.0, 16_000).astype(np.float32)
    samples[1000:1100:7] = np.nan
    samples[2000:2100:7] = np.inf
    samples[3000:3100:7] = -3e38
    pcm = _decoded(float_wav(samples))
    assert pcm.size == 16_000
    assert strongest_hz(pcm) == pytest.approx(TONE_HZ, abs=3)
    assert level(pcm[4000:]) == pytest.approx(0.177, abs=0.01)


# -- channels ------------------------------------------------------------------------------------
def test_channels_of_opposite_phase_do_not_cancel_one_another_out() -> None:
    pcm = _decoded(encoded("wav", "pcm_s16le", [tone(1.0, 16_000), -tone(1.0, 16_000)]))
    assert level(pcm) == pytest.approx(0.177, abs=0.01)


def test_a_voice_on_one_channel_of_two_or_six_is_heard() -> None:
    silence = np.zeros(16_000)
    right = _decoded(encoded("wav", "pcm_s16le", [silence, tone(1.0, 16_000)]))
    centre = _decoded(encoded("flac", "flac", [silence, silence, tone(1.0, 16_000), *[silence] * 3]))
    assert level(right) >= 0.08
    assert level(centre) >= 0.08


# -- changes inside a file -----------------------------------------------------------------------
def test_a_rate_that_changes_inside_a_file() -> None:
    first = encoded("mp3", "libmp3lame", [tone(1.0, 44_100, 400)], 44_100)
    second = encoded("mp3", "libmp3lame", [tone(1.0, 48_000, 1200)], 48_000)
    pcm = _decoded(first + second)
    assert pcm.size == pytest.approx(32_000, abs=3000)
    assert strongest_hz(pcm[:15_000]) == pytest.approx(400, abs=5)
    assert strongest_hz(pcm[-14_000:]) == pytest.approx(1200, abs=5)


@pytest.mark.parametrize(
    ("container", "codec", "first_hz", "then_hz"),
    [
        *(("adts", "aac", *rates) for rates in [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000)]),
        *(("mp3", "libmp3lame", *rates) for rates in [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000)]),
        *(("flac", "flac", *rates) for rates in [(44_100, 48_000), (48_000, 44_100)]),
    ],
)
def test_after_a_change_of_the_rate_everything_keeps_its_time(
    container: str, codec: str, first_hz: int, then_hz: int
) -> None:
    """Bare frames have no time stamps: what counts is how much sound there is."""
    first = encoded(container, codec, [tone(3.0, first_hz, 400)], first_hz)
    second = encoded(container, codec, [tone(3.0, then_hz, 1200)], then_hz)
    pcm = _decoded(first + second)
    assert pcm.size == pytest.approx(6 * 16_000, abs=4500)
    assert strongest_hz(pcm[:45_000]) == pytest.approx(400, abs=5)
    assert strongest_hz(pcm[-44_000:]) == pytest.approx(1200, abs=5)
    assert np.count_nonzero(np.abs(pcm) > 1000) > 0.8 * 6 * 16_000


def test_channels_that_change_inside_a_file() -> None:
    mono = encoded("adts", "aac", [tone(1.0, 16_000, 400)])
    stereo = encoded("adts", "aac", [tone(1.0, 16_000, 1200)] * 2)
    pcm = _decoded(mono + stereo)
    assert pcm.size == pytest.approx(32_000, abs=4500)
    assert strongest_hz(pcm[:15_000]) == pytest.approx(400, abs=5)
    assert strongest_hz(pcm[-14_000:]) == pytest.approx(1200, abs=5)


# -- times ---------------------------------------------------------------------------------------
def test_a_gap_in_the_time_stamps_becomes_silence_of_that_length() -> None:
    wave = np.concatenate([tone(2.0, 16_000, 400), tone(2.0, 16_000, 1200)])
    pcm = _decoded(encoded("matroska", "flac", [wave], later_s=lambda at_s: 3.0 if at_s >= 2 else 0.0))
    assert pcm.size == pytest.approx(7 * 16_000, abs=1700)
    loud = np.flatnonzero(np.abs(pcm) > 4000)
    pause = int(np.argmax(np.diff(loud)))
    assert np.diff(loud)[pause] == pytest.approx(3 * 16_000, abs=1600)
    assert loud[pause] == pytest.approx(2 * 16_000, abs=4096)
    assert strongest_hz(pcm[6 * 16_000 :]) == pytest.approx(1200, abs=5)


def test_several_gaps_do_not_add_up_errors() -> None:
    wave = np.tile(np.concatenate([tone(0.5, 16_000), np.zeros(8000)]), 6)
    data = encoded("matroska", "flac", [wave], later_s=lambda at_s: 0.7 * (at_s // 2))
    assert _decoded(data).size == pytest.approx((6 + 2 * 0.7) * 16_000, abs=4700)


def test_small_errors_of_time_stamps_are_no_gaps() -> None:
    data = encoded("matroska", "flac", [tone(4.0, 16_000)], later_s=lambda at_s: 0.04 * (int(at_s) % 2))
    assert _decoded(data).size == 64_000


def test_time_0_is_the_first_sample_whatever_the_container_says() -> None:
    data = encoded("matroska", "flac", [tone(1.0, 16_000)], later_s=lambda _at_s: 5.0)
    pcm = _decoded(data)
    assert pcm.size == 16_000
    assert level(pcm[:1000]) > 0.1


def test_a_gap_counts_towards_the_length() -> None:
    data = encoded("matroska", "flac", [tone(2.0, 16_000)], later_s=lambda at_s: 1e6 if at_s >= 1 else 0.0)
    with pytest.raises(BadAudio, match="longer than 1200 s"):
        decode_audio(data)


def test_a_recording_joined_to_another_follows_it() -> None:
    one = encoded("ogg", "libopus", [tone(1.0, 48_000)], 48_000)
    assert _decoded(one + one).size == pytest.approx(32_000, abs=2500)


CHORD_HZ = (300.0, 500.0, 800.0, 1200.0, 1700.0, 2300.0)


@pytest.mark.parametrize(
    ("kind", "codec", "rate", "channels"),
    [("wav", "pcm_s16le", 8000, 2), ("flac", "flac", 44100, 6), ("ogg", "libopus", 48000, 2)],
)
def test_channels_are_kept_apart_where_this_is_asked_for(
    kind: str, codec: str, rate: int, channels: int
) -> None:
    waves = [tone(1.0, rate, hz) for hz in CHORD_HZ[:channels]]
    decoded = decode_recording(encoded(kind, codec, waves, rate), 60, apart=True)
    sounds = [samples_of(pcm16) for pcm16 in decoded.channels]
    assert [strongest_hz(sound) for sound in sounds] == pytest.approx(CHORD_HZ[:channels], abs=3)
    assert len({sound.size for sound in sounds}) == 1
    assert sounds[0].size == pytest.approx(16000, abs=700)


def test_a_channel_by_itself_is_the_same_as_a_recording_of_it() -> None:
    voice, noise = 0.5 + tone(1.0, 16000) / 2, tone(1.0, 16000, 90.0)
    both = decode_recording(encoded("flac", "flac", [voice, noise]), 60, apart=True)
    assert both.channels == tuple(decode_audio(encoded("flac", "flac", [one])) for one in (voice, noise))
    only = encoded("flac", "flac", [voice])
    assert decode_recording(only, 60, apart=True) == decode_recording(only, 60)


def test_channels_apart_keep_the_gaps_of_their_recording() -> None:
    late = encoded(
        "matroska", "flac", [tone(2.0, 16000), tone(2.0, 16000, 900.0)], later_s=lambda at_s: float(at_s >= 1)
    )
    first, second = (samples_of(one) for one in decode_recording(late, 60, apart=True).channels)
    assert first.size == second.size == pytest.approx(48000, abs=3000)
    assert np.count_nonzero(first == 0) >= 14000
    assert strongest_hz(second[:12000]) == pytest.approx(900, abs=3)


def test_all_channels_together_have_the_longest_time() -> None:
    stereo = _container("wav", "pcm_s16le", channels=2, seconds=3.0)
    assert decode_recording(stereo, 6.1, apart=True).channels
    with pytest.raises(BadAudio, match="longer than 2"):
        decode_recording(stereo, 4.0, apart=True)


def test_channels_that_come_and_go_cannot_be_kept_apart() -> None:
    two, one = (encoded("ogg", "flac", [tone(1.0, 16000)] * channels) for channels in (2, 1))
    assert len(decode_recording(two + one, 60).pcm16) > 40_000
    with pytest.raises(BadAudio, match="number of channels"):
        decode_recording(two + one, 60, apart=True)
