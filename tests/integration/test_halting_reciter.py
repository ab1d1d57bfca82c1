"""A learner who stops after every word, heard by the bundled model: no word is a mistake."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.model_files import BUNDLED, locate
from asr_worker.engines.model_parts import ComputeOptions
from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import to_float
from shared.hearing import Hearing
from shared.recitation.live.feedback import WordFeedback
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import VerseRange, load_passage

Sound = NDArray[np.float32]
OVERLAP_S = 0.5
MARGIN_MS = 40
"""Sound kept before and after each word. Cut at the very times of its sounds, a word loses the sound that it
begins with: the doubled l of 112:4 is then not there to be heard."""


@pytest.fixture(scope="module")
def engine() -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "auto", 1))
    yield engine
    engine.close()


def _heard(engine: CTranslate2Engine, pcm: Sound, start_ms: int) -> Hearing:
    (output,) = engine.decode([EngineItem(pcm)])
    assert isinstance(output, EngineOutput)
    phones = [
        msgspec.structs.replace(phone, start_ms=phone.start_ms + start_ms, end_ms=phone.end_ms + start_ms)
        for phone in output.phones or ()
    ]
    return Hearing(start_ms, start_ms + pcm.size * 1000 // SAMPLE_RATE, output.text, phones=tuple(phones))


def _followed(engine: CTranslate2Engine, pcm: Sound, window_s: float) -> tuple[WordFeedback, ...]:
    """How the words of 112:1-4 stand after all windows."""
    follower = Follower(load_passage(VerseRange.parse("112:1-4")))
    step_s = window_s - OVERLAP_S
    for number in range(int(pcm.size / SAMPLE_RATE / step_s) + 1):
        start = int(number * step_s * SAMPLE_RATE)
        window = pcm[start : start + int(window_s * SAMPLE_RATE)]
        if window.size > OVERLAP_S * SAMPLE_RATE:
            follower.hear(_heard(engine, window, start * 1000 // SAMPLE_RATE))
    return follower.finish().words


def _halting(pcm: Sound, words: tuple[WordFeedback, ...], pause_s: float) -> Sound:
    """The same words with a pause after each."""
    pause = np.zeros(int(pause_s * SAMPLE_RATE), np.float32)
    parts = []
    for word in words:
        assert word.start_ms is not None
        assert word.end_ms is not None
        first, last = (word.start_ms - MARGIN_MS), (word.end_ms + MARGIN_MS)
        parts += [pcm[max(0, first) * SAMPLE_RATE // 1000 : last * SAMPLE_RATE // 1000], pause]
    return np.concatenate(parts)


@pytest.mark.parametrize("window_s", [1.0, 1.5, 2.5])
@pytest.mark.parametrize("pause_s", [0.3, 1.0, 3.0])
def test_a_pause_after_every_word_is_no_mistake(
    engine: CTranslate2Engine, window_s: float, pause_s: float
) -> None:
    pcm = to_float(decode_file(samples_folder() / "ikhlas_clean.opus"))
    said = _followed(engine, pcm, 2.5)
    words = _followed(engine, _halting(pcm, said, pause_s), window_s)
    assert [(word.index, word.status, word.heard) for word in words if word.status != "correct"] == []
    assert all(word.final for word in words)
