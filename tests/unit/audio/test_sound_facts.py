"""The facts of a window's sound: clipped or not, loud or quiet, steady or with pauses."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from shared.audio import mel
from shared.audio.features import FeatureConfig
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Floats, to_float, to_pcm16
from shared.audio.sound_facts import feature_facts, sound_facts
from shared.hearing import SoundFacts


def _voice(peak: float, seconds: float = 2.5) -> Floats:
    """A sound with the loud and quiet moments of speech, and pauses."""
    rng = np.random.default_rng(2)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    swell = np.maximum(0, np.sin(2 * np.pi * 1.5 * time)) ** 2
    sound = swell * rng.normal(size=time.size)
    voice: Floats = (sound / np.abs(sound).max() * peak).astype(np.float32)
    return voice


def test_loud_speech_is_not_clipped_and_speech_cut_off_at_the_top_is() -> None:
    assert sound_facts(_voice(1.0)).clipped < 0.01
    assert sound_facts(np.clip(30 * _voice(1.0), -1, 1)).clipped > 0.2


def test_speech_that_was_clipped_before_it_was_turned_down_is_clipped() -> None:
    assert sound_facts(0.5 * np.clip(30 * _voice(1.0), -1, 1)).clipped > 0.2


def test_quiet_sound_is_never_called_clipped() -> None:
    coarse = np.round(_voice(0.0002) * 32768) / 32768
    assert sound_facts(coarse.astype(np.float32)).clipped == 0.0


def test_steady_noise_has_one_level_and_speech_has_many() -> None:
    noise = np.random.default_rng(1).normal(scale=0.1, size=SAMPLE_RATE).astype(np.float32)
    steady, voice = sound_facts(noise), sound_facts(_voice(0.5))
    assert steady.typical_dbfs - steady.background_dbfs < 3
    assert steady.typical_dbfs == pytest.approx(-20, abs=1)
    assert voice.typical_dbfs - voice.background_dbfs > 10


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_short_sounds_have_facts_too(samples: int) -> None:
    assert sound_facts(np.zeros(samples, np.float32)) == SoundFacts(0.0, -120.0, -120.0, -120.0)


@pytest.mark.parametrize("peak", [0.0002, 0.1, 0.5, 1.0])
def test_facts_are_plain_numbers_that_can_be_sent(peak: float) -> None:
    facts = sound_facts(np.clip(3 * _voice(peak), -1, 1))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=SoundFacts) == facts


FRONT_ENDS = [FeatureConfig(), FeatureConfig(hop_length=160), FeatureConfig(n_mels=128, hop_length=160)]


@pytest.mark.parametrize("config", FRONT_ENDS, ids=repr)
@pytest.mark.parametrize("peak", [0.9, 0.01, 0.0005])
def test_features_say_how_loud_the_sound_was(config: FeatureConfig, peak: float) -> None:
    pcm = to_pcm16(_voice(peak))
    facts = feature_facts(mel.decode(mel.encode(pcm, config), config), config)
    assert facts.loudest_dbfs == pytest.approx(sound_facts(to_float(pcm)).loudest_dbfs, abs=2)
    assert facts.loudest_dbfs - facts.background_dbfs > 20


def test_features_of_nothing_have_facts_too() -> None:
    assert feature_facts(np.zeros((0, 80), np.float32), FeatureConfig()) == SoundFacts()
