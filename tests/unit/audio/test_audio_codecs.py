"""Codecs of segments: lossless ones are, lossy ones keep what a model hears, damage is a named error."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sample_files import load_samples
from shared.audio import flac, mel, opus
from shared.audio.decode import decode_file
from shared.audio.features import DYNAMIC_RANGE, FeatureConfig, log_power, scaled
from shared.audio.pcm import to_float
from shared.errors import BadAudio, UnsupportedCodec

MODEL = FeatureConfig()
"""The bundled model's front end."""


@lru_cache(maxsize=1)
def speech() -> bytes:
    return decode_file(load_samples()["ikhlas_clean"].path)


def cut(start: int, samples: int) -> bytes:
    first = start % (len(speech()) // 2 - samples)
    return speech()[2 * first : 2 * (first + samples)]


somewhere = st.integers(0, 200_000)


@given(start=somewhere, samples=st.integers(1, 60_000))
def test_flac_gives_back_every_sample(start: int, samples: int) -> None:
    pcm = cut(start, samples)
    assert flac.decode(flac.encode(pcm)) == pcm


@given(start=somewhere, overlap=st.integers(0, 9_000), fresh=st.integers(1, 33_000))
def test_flac_of_two_parts_is_flac_of_both(start: int, overlap: int, fresh: int) -> None:
    pcm = cut(start, overlap + fresh)
    assert flac.decode(flac.encode(pcm[: 2 * overlap]) + flac.encode(pcm[2 * overlap :])) == pcm


def test_flac_from_many_threads_at_once() -> None:
    parts = [cut(turn * 3_001, 8_000 + turn) for turn in range(64)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda pcm: flac.decode(flac.encode(pcm)), parts)) == parts


def test_flac_of_recitation_is_about_half() -> None:
    assert len(flac.encode(speech())) < 0.6 * len(speech())


def test_flac_encoder_after_a_refusal_is_as_before() -> None:
    with pytest.raises(BadAudio, match="even"):
        flac.encode(b"\x00\x01\x02")
    assert flac.decode(flac.encode(cut(0, 4_000))) == cut(0, 4_000)


@given(start=somewhere, samples=st.integers(1, 48_000))
def test_opus_keeps_the_length(start: int, samples: int) -> None:
    assert len(opus.decode(opus.encode(cut(start, samples)), samples)) == 2 * samples


def test_opus_keeps_what_is_heard_and_where() -> None:
    pcm = cut(40_000, 40_000)
    coded = opus.encode(pcm)
    before, after = to_float(pcm), to_float(opus.decode(coded, 40_000))
    assert len(coded) < len(pcm) / 6
    assert np.corrcoef(before, after)[0, 1] > 0.8


def test_opus_that_is_too_short_or_damaged_is_bad_audio() -> None:
    coded = opus.encode(cut(0, 3_200))
    with pytest.raises(BadAudio, match="claims 9600 samples"):
        opus.decode(coded, 9_600)
    with pytest.raises(BadAudio):
        opus.decode(coded[:-3], 3_200)
    assert opus.decode(opus.encode(b""), 0) == b""


@given(start=somewhere, samples=st.integers(400, 48_000))
def test_features_lose_only_precision(start: int, samples: int) -> None:
    pcm = cut(start, samples)
    coded = mel.encode(pcm, MODEL)
    heard = scaled(mel.decode(coded, MODEL))
    wanted = scaled(log_power(np.pad(to_float(pcm), (0, MODEL.n_fft)), MODEL))
    assert heard.shape == wanted.shape
    # Half a step of 8 / 255 decades, in features, which count 4 decades as 1.
    assert float(np.abs(heard - wanted).max()) <= DYNAMIC_RANGE / 255 / 2 / 4 + 1e-4


def test_features_are_an_eighth_of_the_samples() -> None:
    assert len(mel.encode(cut(0, 40_000), MODEL)) < 0.13 * 80_000


def test_features_of_silence_and_of_nothing() -> None:
    assert mel.decode(mel.encode(bytes(3_200), MODEL), MODEL).max() == pytest.approx(-10.0)
    assert mel.decode(mel.encode(b"", MODEL), MODEL).shape[1] == MODEL.n_mels


@pytest.mark.parametrize("config", [FeatureConfig(n_mels=128), FeatureConfig(hop_length=160)])
def test_features_for_another_model_are_refused_with_what_to_do(config: FeatureConfig) -> None:
    with pytest.raises(UnsupportedCodec, match="WS_MEL_HOP"):
        mel.decode(mel.encode(cut(0, 16_000), config), MODEL)


@pytest.mark.parametrize(
    "damage",
    [
        lambda coded: coded[:5],
        lambda coded: coded[:-1],
        lambda coded: coded + b"\x00",
        lambda coded: coded[:8] + struct.pack("<ff", float("nan"), 0.1) + coded[16:],
    ],
)
def test_damaged_features_are_bad_audio(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(BadAudio):
        mel.decode(damage(mel.encode(cut(0, 16_000), MODEL)), MODEL)
