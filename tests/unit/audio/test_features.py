"""The NumPy front end gives faster-whisper's features, without its 30 s padding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from shared.audio.features import FeatureConfig, Floats, log_mel, mel_bank


def tone(seconds: float, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16_000)) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * 220 * time) + 0.05 * rng.standard_normal(time.size)
    return wave.astype(np.float32)


def reference(hop: int) -> Any:
    extractor: Any = FeatureExtractor
    return extractor(feature_size=80, hop_length=hop, n_fft=400)


@pytest.mark.parametrize("hop", [160, 320])
@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.513, 3.0])
def test_same_numbers_as_faster_whisper(hop: int, seconds: float) -> None:
    pcm = tone(seconds)
    theirs = reference(hop)(pcm)
    ours = log_mel(pcm, FeatureConfig(hop_length=hop))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_bank_is_the_slaney_bank() -> None:
    np.testing.assert_allclose(mel_bank(FeatureConfig()).T, reference(160).mel_filters, atol=1e-6)


def test_digital_silence_is_flat() -> None:
    features = log_mel(np.zeros(16_000, dtype=np.float32))
    assert features.shape == (80, 50)
    assert np.all(features == features[0, 0])


@pytest.mark.parametrize("samples", [0, 1, 100, 159, 160, 399])
def test_tiny_windows_do_not_fail(samples: int) -> None:
    config = FeatureConfig()
    assert log_mel(tone(1.0)[:samples], config).shape == (80, config.frames(samples))


def test_config_is_read_from_a_model_directory(tmp_path: Path) -> None:
    written = {"feature_size": 128, "hop_length": 160, "n_fft": 400, "sampling_rate": 16_000}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(written))
    assert FeatureConfig.load(tmp_path) == FeatureConfig(n_mels=128, hop_length=160)


def test_stereo_is_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        log_mel(np.zeros((2, 100), dtype=np.float32))
