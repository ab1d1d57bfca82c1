"""The silence gate follows the session's own level, and hears sound, not the offset of a microphone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.audio.pcm import to_float
from shared.audio.silence_gate import GateState, Heard, pass_gate

RATE = 16_000
LIMIT_DBFS = -60.0
Sound = NDArray[np.float64]


def _pcm(samples: Sound) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def _tone(hz: float, dbfs: float, seconds: float = 2.0) -> Sound:
    time_s = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(np.sqrt(2) * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time_s))


def _noise(dbfs: float, seconds: float, seed: int = 3) -> Sound:
    return np.asarray(np.random.default_rng(seed).normal(scale=10 ** (dbfs / 20), size=int(seconds * RATE)))


def _gate(sound: Sound, window_s: float = 1.0, overlap_s: float = 0.5) -> Iterator[tuple[float, Heard]]:
    """Windows by their start (s), as the gateway cuts them."""
    pcm, state = _pcm(sound), GateState()
    for number in itertools.count():
        start_s = number * (window_s - overlap_s)
        window = pcm[2 * int(start_s * RATE) : 2 * int((start_s + window_s) * RATE)]
        if not window:
            return
        heard = pass_gate(state, window, LIMIT_DBFS)
        state = heard.state
        yield start_s, heard


def _recitation(quieter_db: float) -> Sound:
    pcm = decode_file(samples_folder() / "fatiha_clean.opus")
    return np.asarray(to_float(pcm), np.float64) * 10 ** (-quieter_db / 20)


@pytest.mark.parametrize("quieter_db", [0, 20, 40, 46, 52, 56])
@pytest.mark.parametrize("window_s", [1.0, 1.5, 2.5, 5.0])
def test_no_window_with_speech_is_dropped_however_quiet_the_session(
    quieter_db: float, window_s: float
) -> None:
    loud = [heard.sound for _, heard in _gate(_recitation(0), window_s)]
    quiet = [heard.sound for _, heard in _gate(_recitation(quieter_db), window_s)]
    dropped = [
        at for at, (one, other) in enumerate(zip(loud, quiet, strict=True)) if one != other == "silent"
    ]
    assert dropped == []


@pytest.mark.parametrize("quieter_db", [64, 68])
def test_speech_below_what_can_be_judged_is_too_quiet_and_the_speaker_is_told_once(quieter_db: float) -> None:
    heard = [heard for _, heard in _gate(_recitation(quieter_db))]
    assert "audible" not in {window.sound for window in heard}
    assert [window.sound for window in heard].count("too_quiet") > len(heard) / 2
    assert sum(window.tell for window in heard) == 1


def test_who_was_told_and_is_quiet_again_is_told_again() -> None:
    sound = np.concatenate([_recitation(66), _recitation(0), _recitation(0), _recitation(66)])
    assert sum(heard.tell for _, heard in _gate(sound)) == 2


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.3, 0.9])
def test_a_minute_of_constant_offset_is_silent(offset: float) -> None:
    rounding = np.random.default_rng(3).integers(-1, 2, 60 * RATE) / 32768
    assert {heard.sound for _, heard in _gate(offset + rounding)} == {"silent"}


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.3])
@pytest.mark.parametrize("hz", [80, 120, 200, 3000])
def test_a_voice_is_heard_whatever_the_offset(hz: float, offset: float) -> None:
    assert pass_gate(GateState(), _pcm(offset + _tone(hz, -58)), LIMIT_DBFS).sound == "audible"


@pytest.mark.parametrize("dbfs", [-62, -70, -80])
@pytest.mark.parametrize("window_s", [1.0, 2.5])
def test_steady_noise_is_silent_before_and_after_speech(dbfs: float, window_s: float) -> None:
    """A minute in which nobody speaks costs nothing, be the room ever so humming."""
    spoken = _recitation(20)
    room = _noise(dbfs, 60 + spoken.size / RATE)
    room[30 * RATE : 30 * RATE + spoken.size] += spoken
    end_s = 30 + spoken.size / RATE
    for start_s, heard in _gate(room, window_s):
        if start_s + window_s < 29.9 or start_s > end_s + 0.1:
            assert heard.sound == "silent", start_s


def test_a_cough_does_not_close_the_gate_for_long() -> None:
    quiet, cough = _recitation(48), _noise(-6, 0.4)
    windows = list(_gate(np.concatenate([quiet, cough, quiet])))
    begins_s = (quiet.size + cough.size) / RATE
    first = [heard.sound for _, heard in _gate(quiet)]
    later = [heard.sound for start_s, heard in windows if start_s >= begins_s + 6]
    assert later.count("silent") <= first.count("silent")


def test_one_loud_moment_opens_the_gate() -> None:
    samples = np.zeros(40_000)
    samples[39_800:] = 0.06 * np.sign(np.sin(np.arange(200)))
    assert pass_gate(GateState(), _pcm(samples), LIMIT_DBFS).sound == "audible"


@settings(max_examples=30)
@given(dbfs=st.floats(-100, -1), seconds=st.floats(0.001, 3), seed=st.integers(0, 99))
def test_what_is_louder_than_the_limit_is_always_audible(dbfs: float, seconds: float, seed: int) -> None:
    heard = pass_gate(GateState(), _pcm(_noise(dbfs, seconds, seed)), LIMIT_DBFS)
    if dbfs > LIMIT_DBFS + 3 and seconds > 0.1:
        assert heard.sound == "audible"
    assert pass_gate(GateState(), _pcm(_noise(dbfs, seconds, seed)), -120.0).sound == "audible"


def test_nothing_is_silent() -> None:
    assert pass_gate(GateState(), b"", LIMIT_DBFS) == Heard("silent", GateState())
