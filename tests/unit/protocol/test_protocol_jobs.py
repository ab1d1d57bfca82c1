"""How long a job on a whole recording may take."""

from __future__ import annotations

from shared.audio.formats import SAMPLE_RATE
from shared.protocol.jobs import MAX_RECORDING_S, job_time_s
from shared.protocol.transcribe_jobs import transcribe_time_s


def test_long_audio_has_more_time() -> None:
    lengths = [60, 600, 3_600]
    verifying = [job_time_s(30, seconds * SAMPLE_RATE) for seconds in lengths]
    transcribing = [transcribe_time_s(30, seconds * SAMPLE_RATE) for seconds in lengths]
    assert verifying == sorted(set(verifying))
    assert transcribing == sorted(set(transcribing))
    assert verifying[0] > 30


def test_audio_of_unknown_length_has_the_time_of_the_longest() -> None:
    assert job_time_s(30, 0) == job_time_s(30, MAX_RECORDING_S * SAMPLE_RATE)
