"""Which formats there are, and how positions in them are counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.formats import MAX_RATE, MIN_RATE, SAMPLE_RATE, AudioFormat
from shared.errors import BadAudio

RATES = st.one_of(
    st.sampled_from([8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]),
    st.integers(MIN_RATE, MAX_RATE),
)
FORMATS = st.builds(AudioFormat, st.sampled_from(["pcm_s16le", "mulaw"]), RATES, st.integers(1, 8))
POSITIONS = st.integers(0, 4_000_000_000)


@pytest.mark.parametrize(
    ("encoding", "rate", "channels", "expected"),
    [
        ("pcm_s16le", None, 1, AudioFormat()),
        ("pcm_f32le", 44_100, 2, AudioFormat("pcm_f32le", 44_100, 2)),
        ("mulaw", 8000, 1, AudioFormat("mulaw", 8000, 1)),
        ("alaw", 384_000, 8, AudioFormat("alaw", 384_000, 8)),
        ("webm_opus", None, 1, AudioFormat("webm_opus", 48_000, 1)),
        ("ogg_opus", 48_000, 2, AudioFormat("ogg_opus", 48_000, 2)),
    ],
)
def test_known_formats(encoding: str, rate: int | None, channels: int, expected: AudioFormat) -> None:
    assert AudioFormat.parse(encoding, rate, channels) == expected


@pytest.mark.parametrize(
    ("encoding", "rate", "channels", "sentence"),
    [
        ("mp3", 16_000, 1, "'mp3' is not known; send one of pcm_s16le"),
        ("x" * 1000, 16_000, 1, "not known"),
        ("pcm_s16le", 3999, 1, "3999 Hz"),
        ("pcm_s16le", 384_001, 1, "384001 Hz"),
        ("pcm_s16le", -8000, 1, "-8000 Hz"),
        ("pcm_s16le", 16_000, 0, "0 channels"),
        ("pcm_s16le", 16_000, 9, "9 channels"),
        ("webm_opus", 16_000, 1, "leave the rate out"),
    ],
)
def test_others_are_refused_with_a_sentence(encoding: str, rate: int, channels: int, sentence: str) -> None:
    with pytest.raises(BadAudio, match=sentence) as refused:
        AudioFormat.parse(encoding, rate, channels)
    assert len(refused.value.message) < 200


def test_a_client_sample_has_its_bytes_of_all_channels() -> None:
    assert AudioFormat("pcm_f32le", 48_000, 2).client_sample_bytes == 8
    assert AudioFormat("mulaw", 8000, 1).client_sample_bytes == 1
    assert AudioFormat("webm_opus", 48_000).client_sample_bytes == 0


@given(FORMATS, POSITIONS, POSITIONS)
def test_positions_go_both_ways(form: AudioFormat, client: int, sample: int) -> None:
    """`client_samples` is the last client position with no more than so many samples before it."""
    back = form.client_samples(sample)
    assert form.samples(back) <= sample < form.samples(back + 1)
    assert form.client_samples(form.samples(client)) >= client
    assert abs(form.samples(client) / SAMPLE_RATE - client / form.rate) < 1 / SAMPLE_RATE


@given(FORMATS, POSITIONS)
def test_where_to_resume_is_before_the_sample_and_on_both_grids(form: AudioFormat, sample: int) -> None:
    client = form.resume_at(sample)
    assert 0 <= client <= form.client_samples(sample)
    assert client * SAMPLE_RATE % form.rate == 0
    assert (sample - form.samples(client)) / SAMPLE_RATE <= 2.2


def test_what_rattil_works_with_resumes_at_the_sample_itself() -> None:
    assert AudioFormat().resume_at(12_345) == 12_345
    assert AudioFormat("mulaw", 16_000, 1).resume_at(12_345) == 12_345
    assert AudioFormat("webm_opus", 48_000).resume_at(12_345) == 37_035
