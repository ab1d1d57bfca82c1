"""Vowels held for many seconds, heard by the bundled model: the word is right, and as long as it was said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.model_files import BUNDLED, locate
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener, LiveWindows
from cli.sample_files import samples_folder
from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Floats, to_float, to_pcm16
from shared.recitation.live.feedback import WordFeedback
from shared.recitation.live.follower import Follower
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.review import review
from training.stretch import stretch

SAMPLES_PER_MS = SAMPLE_RATE // 1000
WINDOWS = (1.0, 1.5, 2.5, None)
"""Seconds of live windows; None: a whole recording, cut at quiet places."""


@pytest.fixture(scope="module")
def engine() -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "auto", 1))
    yield engine
    engine.close()


def _words(
    engine: CTranslate2Engine, pcm: Floats, verses: str, window_s: float | None
) -> tuple[WordFeedback, ...]:
    listener = Listener(engine, LiveWindows(window_s or 0.0))
    pcm16 = to_pcm16(pcm)
    hearings = listener.whole(pcm16) if window_s is None else listener.live(pcm16)
    return review(load_passage(VerseRange.parse(verses)), hearings).words


def _sample(name: str) -> Floats:
    return to_float(decode_file(samples_folder() / f"{name}.opus"))


def _lasting(pcm: Floats, start_ms: int, end_ms: int, seconds: float) -> Floats:
    """The sound with this part of it made as long, and as high as before."""
    start, end = start_ms * SAMPLES_PER_MS, end_ms * SAMPLES_PER_MS
    held = stretch(pcm[start:end], seconds * SAMPLE_RATE / (end - start))
    return np.concatenate([pcm[:start], held, pcm[end:]]).astype(np.float32)


def _place(word: WordFeedback) -> tuple[int, int]:
    assert word.start_ms is not None
    assert word.end_ms is not None
    return word.start_ms, word.end_ms


def _longest_vowel(engine: CTranslate2Engine, pcm: Floats, word: WordFeedback) -> tuple[int, int]:
    """When the longest long vowel of a word is heard, ms."""
    start_ms, end_ms = _place(word)
    from_ms = max(0, start_ms - 500)
    (output,) = engine.decode([EngineItem(pcm[from_ms * SAMPLES_PER_MS : (end_ms + 500) * SAMPLES_PER_MS])])
    assert isinstance(output, EngineOutput)
    vowels = [
        (from_ms + phone.start_ms, from_ms + phone.end_ms)
        for phone in output.phones or ()
        if phone.symbol.endswith(":") and start_ms <= from_ms + phone.start_ms < end_ms
    ]
    return max(vowels, key=lambda vowel: vowel[1] - vowel[0])


@pytest.mark.parametrize("window_s", WINDOWS)
@pytest.mark.parametrize("seconds", [3.0, 7.0])
@pytest.mark.parametrize("index", [3, 9, 28])
def test_a_vowel_that_is_held_is_one_vowel_as_long_as_it_was_said(
    engine: CTranslate2Engine, index: int, seconds: float, window_s: float | None
) -> None:
    pcm = _sample("fatiha_clean")
    word = _words(engine, pcm, "1:1-7", 2.5)[index]
    long = _lasting(pcm, *_longest_vowel(engine, pcm, word), seconds)
    words = _words(engine, long, "1:1-7", window_s)
    assert {word.status for word in words} == {"correct"}
    start_ms, end_ms = _place(words[index])
    assert end_ms - start_ms >= 1000 * seconds


@pytest.mark.parametrize("window_s", WINDOWS)
def test_the_last_word_of_the_fatiha_stretched_to_seven_seconds_is_right(
    engine: CTranslate2Engine, window_s: float | None
) -> None:
    pcm = _sample("fatiha_clean")
    last = _place(_words(engine, pcm, "1:1-7", 2.5)[28])
    words = _words(engine, _lasting(pcm, *last, 7.0), "1:1-7", window_s)
    assert {word.status for word in words} == {"correct"}
    start_ms, end_ms = _place(words[28])
    assert end_ms - start_ms >= 5000


@pytest.mark.parametrize("window_s", [1.0, 1.5, 2.5, 4.0])
@pytest.mark.parametrize(("name", "verses"), [("fatiha_clean", "1:1-7"), ("ikhlas_clean", "112:1-4")])
def test_three_times_as_slow_no_word_is_called_wrong_on_the_way(
    engine: CTranslate2Engine, name: str, verses: str, window_s: float
) -> None:
    follower = Follower(load_passage(VerseRange.parse(verses)))
    pcm16 = to_pcm16(stretch(_sample(name), 3.0))
    for hearing in Listener(engine, LiveWindows(window_s)).live(pcm16):
        settled = {word.status for word in follower.hear(hearing).words if word.final}
        assert settled <= {"correct"}
    states = [word.status for word in follower.finish().words]
    assert set(states) <= {"correct", "not_judged"}
    assert states.count("not_judged") <= 1  # the model's int8 arithmetic differs by processor


@pytest.mark.parametrize("window_s", WINDOWS)
@pytest.mark.parametrize(("name", "verses"), [("fatiha_clean", "1:1-7"), ("ikhlas_clean", "112:1-4")])
def test_a_recitation_three_times_as_slow_is_right(
    engine: CTranslate2Engine, name: str, verses: str, window_s: float | None
) -> None:
    states = [word.status for word in _words(engine, stretch(_sample(name), 3.0), verses, window_s)]
    assert set(states) <= {"correct", "not_judged"}
    assert states.count("not_judged") <= 1  # the model's int8 arithmetic differs by processor
