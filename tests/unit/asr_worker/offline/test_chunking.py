"""Recordings are cut at quiet places into windows that overlap and cover everything."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asr_worker.engines.engine import EngineOutput
from asr_worker.engines.scripted import ScriptedEngine
from asr_worker.offline.chunking import Chunk, CutRules, audible, hearing, windows
from shared.audio.pcm import to_pcm16
from shared.confidence import ConfidenceCurves
from shared.hearing import HeardWord, Phone

RATE = 16_000
RULES = CutRules(5.0, 8.0, 1.0)


def _speech(seconds: float, pauses_at_s: tuple[float, ...] = ()) -> NDArray[np.float32]:
    pcm = np.random.default_rng(3).normal(scale=0.1, size=int(seconds * RATE)).astype(np.float32)
    for at_s in pauses_at_s:
        pcm[int((at_s - 0.15) * RATE) : int((at_s + 0.15) * RATE)] = 0
    return pcm


def test_a_short_recording_is_one_window() -> None:
    assert windows(_speech(3.0), RULES) == [Chunk(0, 3 * RATE)]
    assert windows(np.zeros(0, np.float32), RULES) == []


def test_cuts_are_in_the_pauses() -> None:
    found = windows(_speech(20.0, (6.4, 12.9)), RULES)
    cuts_s = [(window.end / RATE) - 0.5 for window in found[:-1]]
    assert cuts_s[:2] == pytest.approx([6.4, 12.9], abs=0.15)


@settings(max_examples=30)
@given(st.floats(0.1, 60.0))
def test_windows_cover_everything_overlap_and_are_bounded(seconds: float) -> None:
    pcm = _speech(seconds)
    found = windows(pcm, RULES)
    assert found[0].start == 0
    assert found[-1].end == pcm.size
    for window, following in itertools.pairwise(found):
        assert window.end - following.start == RATE or following.end == pcm.size
        assert following.start < window.end
    assert all(window.end - window.start <= 9 * RATE for window in found)


def test_rules_fit_the_engine() -> None:
    assert CutRules.within(30.0).latest_s == 8.0
    small = CutRules.within(6.0)
    assert small.latest_s + small.overlap_s <= 6.0
    assert small.earliest_s < small.latest_s


def test_silence_is_not_decoded_and_quiet_speech_is() -> None:
    loud, quiet = _speech(1.0, (0.5,)) * np.float32(0.1), _speech(1.0, (0.3, 0.7)) * np.float32(5e-3)
    pcm = np.concatenate([np.zeros(RATE, np.float32), loud, np.zeros(RATE, np.float32), quiet])
    seconds = [Chunk(at * RATE, (at + 1) * RATE) for at in range(4)]
    assert audible(to_pcm16(pcm), seconds) == ([seconds[1], seconds[3]], False)
    assert audible(to_pcm16(loud[:0]), []) == ([], False)


def test_hearings_are_placed_in_the_recording() -> None:
    output = EngineOutput("بسم", (HeardWord("بسم", 10, 20), HeardWord("الله")), (Phone("b", 5, 15),))
    engine = replace(ScriptedEngine().capabilities, confidence_curves=ConfidenceCurves(((0.5, 0.8),)))
    placed = hearing(Chunk(2 * RATE, 5 * RATE), output, engine)
    assert (placed.start_ms, placed.end_ms) == (2000, 5000)
    assert placed.words == (HeardWord("بسم", 2010, 2020), HeardWord("الله"))
    assert placed.phones == (Phone("b", 2005, 2015),)
    silent = hearing(Chunk(0, RATE), None, engine)
    assert silent.phones is None
    assert [heard.confidence_curves for heard in (placed, silent)] == [engine.confidence_curves] * 2
