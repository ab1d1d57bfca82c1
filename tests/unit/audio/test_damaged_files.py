"""A damaged recording is decoded as far as possible, or it is `bad_audio`; it is nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audio.decode import decode_audio, decode_recording
from shared.audio.pcm import samples_of
from shared.errors import BadAudio
from tests.unit.audio.recordings import encoded, level, tone

AAC = encoded("adts", "aac", [tone(2.0, 16_000)])
MP3 = encoded("mp3", "libmp3lame", [tone(2.0, 16_000)])
OPUS = encoded("ogg", "libopus", [tone(2.0, 48_000)], 48_000)
WEBM = encoded("webm", "libopus", [tone(2.0, 48_000)], 48_000)
FLAC = encoded("flac", "flac", [tone(2.0, 16_000)])
M4A = encoded("mp4", "aac", [tone(2.0, 16_000)])
WAV = encoded("wav", "pcm_s16le", [tone(2.0, 16_000)])
FILES = {"aac": AAC, "mp3": MP3, "opus": OPUS, "webm": WEBM, "flac": FLAC, "m4a": M4A, "wav": WAV}


@pytest.mark.parametrize("kind", ["aac", "mp3", "opus", "webm", "flac", "wav"])
def test_a_file_that_was_cut_is_decoded_as_far_as_it_goes(kind: str) -> None:
    whole = FILES[kind]
    pcm = samples_of(decode_audio(whole[: len(whole) * 6 // 10]))
    assert 0.5 * 16_000 < pcm.size < 1.6 * 16_000
    assert level(pcm[2000:-2000]) > 0.1


def test_a_file_whose_index_was_cut_off_cannot_be_decoded() -> None:
    with pytest.raises(BadAudio, match="cannot be decoded"):
        decode_audio(M4A[: len(M4A) // 2])


def test_damage_in_the_middle_keeps_what_comes_after_it_in_its_place() -> None:
    damaged = bytearray(AAC)
    at = len(AAC) // 2
    damaged[at : at + 300] = bytes(300)
    decoded = decode_recording(bytes(damaged), 60)
    pcm = samples_of(decoded.pcm16)
    assert pcm.size == pytest.approx(32_000, abs=5000)
    assert level(pcm[-8000:-2000]) > 0.1


def test_what_is_damaged_is_said() -> None:
    assert not decode_recording(AAC, 60).damaged
    assert decode_recording(AAC[: len(AAC) * 6 // 10], 60).damaged


def test_damage_that_asks_for_memory_is_bad_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("shared.audio.decode.decode_recording", too_much)
    with pytest.raises(BadAudio, match="too much memory"):
        decode_audio(AAC)


@settings(max_examples=150, derandomize=True)
@given(kind=st.sampled_from(sorted(FILES)), seed=st.integers(0, 2**32), amount=st.integers(1, 60))
def test_any_damage_gives_samples_or_bad_audio(kind: str, seed: int, amount: int) -> None:
    random = np.random.default_rng(seed)
    data = np.frombuffer(FILES[kind], np.uint8).copy()
    data[random.integers(0, data.size, amount)] = random.integers(0, 256, amount, np.uint8)
    if amount % 3 == 0:
        data = data[: int(random.integers(1, data.size))]
    try:
        pcm = decode_audio(data.tobytes(), max_seconds=30)
    except BadAudio:
        return
    assert 0 < len(pcm) <= 30 * 32_000
