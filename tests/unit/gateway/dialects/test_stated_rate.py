"""Another rate than ours is never heard as noise, however it is stated."""

from __future__ import annotations

import pytest

from gateway.dialects.stated_rate import UnsupportedSampleRate, check_stated_rates


@pytest.mark.parametrize(
    "message",
    [
        {"sample_rate": 16000},
        {"sample_rate": 16000.0},
        {"sample_rate": "16000"},
        {"sample_rate": "16000.0"},
        {"sampleRate": "16 kHz"},
        {"config": {"audio": [{"sample_rate_hertz": 16000}]}},
        {"session": {"input_audio_format": {"type": "audio/pcm", "rate": 16000}}},
    ],
)
def test_our_rate_is_understood_in_every_shape(message: object) -> None:
    assert check_stated_rates(message)


@pytest.mark.parametrize(
    "message", [{}, [], {"sample_rate": None}, {"rate": 1.5}, {"rate": "fast"}, {"sr": 1}, {"type": "end"}]
)
def test_what_states_no_rate_says_nothing(message: object) -> None:
    assert not check_stated_rates(message)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"config": {"sample_rate": 48000}}, "48000"),
        ({"sample_rate": 48000.0}, "48000"),
        ({"sample_rate": "48000"}, "48000"),
        ({"sample_rate": "48kHz"}, "48kHz"),
        ({"sample_rate": 16000.5}, "16000.5"),
        ({"sample_rate": 0}, "0"),
        ({"sample_rate": -16000}, "-16000"),
        ({"sample_rate": True}, "True"),
        ({"sample_rate": "fast"}, "fast"),
        ({"sample_rate": 10**400}, "1000"),
        ({"sample_rate": ""}, ""),
        ({"SampleRateHertz": 8000}, "8000"),
        ({"audio": {"sample-rate": 44100}}, "44100"),
        ({"samplingRate": 44100}, "44100"),
        ({"rate": 24000}, "24000"),
        ([{"x": [{"sample_rate": 8000}]}], "8000"),
        ({"sample_rate": [48000]}, "\\[48000"),
        ({"frame_rate": 48000}, "48000"),
        ({"sr": 44100}, "44100"),
        ({"encoding": "audio/l16;rate=48000"}, "48000"),
        ({"sample_rate": 16000, "later": {"sample_rate": 8000}}, "8000"),
    ],
)
def test_another_rate_is_refused_in_every_shape(message: object, shown: str) -> None:
    with pytest.raises(UnsupportedSampleRate, match=f"not {shown}"):
        check_stated_rates(message)
