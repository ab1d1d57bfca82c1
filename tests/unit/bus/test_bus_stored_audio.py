"""Stored audio comes back sample for sample, whatever the codec and the chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio import flac
from shared.bus import stored_audio
from shared.bus.limits import AudioCodec
from shared.bus.ports import AudioChunk
from shared.errors import BadAudio


def noise(samples: int, seed: int = 1) -> bytes:
    drawn = np.random.default_rng(seed).integers(-32_768, 32_768, samples, dtype=np.int16)
    return drawn.astype("<i2").tobytes()


@pytest.mark.parametrize("samples", [1, 15, 16, 4_607, 4_608, 4_609, 32_000, 80_000])
def test_flac_is_lossless(samples: int) -> None:
    pcm = noise(samples)
    assert flac.decode(flac.encode(pcm)) == pcm


def test_flac_of_a_voice_like_sound_is_smaller() -> None:
    t = np.arange(32_000) / 16_000
    voice = (3_000 * np.sin(2 * np.pi * 140 * t)).astype("<i2").tobytes()
    assert len(flac.encode(voice)) < len(voice) * 0.6


def test_empty_audio_stays_empty() -> None:
    assert flac.decode(flac.encode(b"")) == b""


@pytest.mark.parametrize("codec", ["flac", "pcm16"])
def test_a_packed_chunk_names_its_codec(codec: AudioCodec) -> None:
    pcm = noise(1_000)
    assert stored_audio.unpack(stored_audio.pack(AudioChunk(0, pcm), codec)) == pcm
    with pytest.raises(BadAudio, match="even"):
        stored_audio.pack(AudioChunk(0, b"\x00\x01\x02"), codec)


@pytest.mark.parametrize(
    "stored", [b"", b"\x07abc", b"\x01\x05", b"\x01\xff\xff\x00", b"\x01\x02\x00ab\x04\x00abcd"]
)
def test_damaged_chunks_are_bad_audio(stored: bytes) -> None:
    with pytest.raises(BadAudio):
        stored_audio.unpack(stored)


@given(
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    overlaps=st.lists(st.integers(0, 20), min_size=12, max_size=12),
    sample=st.integers(0, 100),
)
def test_overlapping_chunks_join_to_the_original(cuts: list[int], overlaps: list[int], sample: int) -> None:
    total = sum(cuts)
    pcm = noise(total)
    chunks, end = [], 0
    for length, overlap in zip(cuts, overlaps, strict=False):
        start = max(0, end - overlap)
        end += length
        chunks.append(AudioChunk(start, pcm[start * 2 : end * 2]))
    kept = [chunk for chunk in chunks if stored_audio.end_sample(chunk) > sample]
    whole = (AudioChunk(sample, pcm[sample * 2 :]),) if sample < total else ()
    assert stored_audio.join(kept, sample) == whole


def test_audio_that_begins_later_says_so() -> None:
    assert stored_audio.join([AudioChunk(50, b"\x01\x00")], 10) == (AudioChunk(50, b"\x01\x00"),)


def test_a_hole_parts_the_audio() -> None:
    early, late = AudioChunk(0, bytes(20)), AudioChunk(11, b"\x01\x00")
    assert stored_audio.join([early, late], 0) == (early, late)
