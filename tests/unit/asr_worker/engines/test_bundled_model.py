"""The bundled model through the engine: the same alone and in a batch, and the second voice gate on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.capacity.practice_audio import syllables
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.model_files import ACCURATE, BUNDLED, ModelNotUsable, bundled, locate
from asr_worker.engines.model_parts import ComputeOptions
from asr_worker.engines.rescoring import Rescoring
from asr_worker.engines.voice_gate import VoiceGate
from shared.audio.decode import decode_file
from shared.audio.pcm import to_float
from shared.protocol.segments import TaskOptions
from tests.unit.asr_worker.counting_model import CountingModel

RATE = 16_000


def _noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * RATE)).astype(np.float32)


def _decode(engine: CTranslate2Engine, *items: EngineItem) -> list[EngineOutput]:
    outputs: list[EngineOutput] = []
    for outcome in engine.decode(items):
        assert isinstance(outcome, EngineOutput), outcome
        outputs.append(outcome)
    return outputs


@pytest.fixture(scope="module")
def bundled_engine() -> Iterator[CTranslate2Engine]:
    try:
        bundled()
    except ModelNotUsable as absent:
        pytest.skip(absent.message)
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "auto", 1))
    yield engine
    engine.close()


def test_the_bundled_model_hears_the_same_alone_and_in_a_batch(bundled_engine: CTranslate2Engine) -> None:
    sample = next((Path(__file__).parents[4] / "cli" / "samples").glob("fatiha_clean.*"))
    pcm = to_float(decode_file(sample))
    items = [
        EngineItem(pcm[start : start + int(2.5 * RATE)]) for start in range(0, pcm.size - 3 * RATE, 2 * RATE)
    ]
    together = _decode(bundled_engine, *items)
    alone = [_decode(bundled_engine, item)[0] for item in items]
    assert [output.text for output in together] == [output.text for output in alone]
    assert [[p.symbol for p in output.phones or ()] for output in together] == [
        [p.symbol for p in output.phones or ()] for output in alone
    ]
    heard = sum(len(output.phones or ()) for output in together)
    assert heard > 5 * len(items), "a window of 2.5 s of recitation has more than a few sounds"


@pytest.fixture(scope="module")
def accurate_engine() -> Iterator[CTranslate2Engine]:
    try:
        bundled(ACCURATE)
    except ModelNotUsable as absent:
        pytest.skip(absent.message)
    engine = CTranslate2Engine(locate(ACCURATE), ComputeOptions("cpu", "auto", 1))
    yield engine
    engine.close()


def test_both_models_hear_the_same_features_and_sounds(
    bundled_engine: CTranslate2Engine, accurate_engine: CTranslate2Engine
) -> None:
    fast, accurate = bundled_engine.capabilities, accurate_engine.capabilities
    assert accurate.model == ACCURATE
    assert (accurate.features, accurate.phones, accurate.word_times) == (fast.features, True, True)
    assert accurate.script == fast.script
    assert accurate_engine._ctc is not None
    assert bundled_engine._ctc is not None
    assert accurate_engine._ctc.symbols == bundled_engine._ctc.symbols


def test_the_accurate_model_hears_the_same_alone_and_in_a_batch(accurate_engine: CTranslate2Engine) -> None:
    together = _decode(accurate_engine, *_windows())
    alone = [_decode(accurate_engine, item)[0] for item in _windows()]
    assert [output.text for output in together] == [output.text for output in alone]
    assert sum(len(output.phones or ()) for output in together) > 5 * len(together)
    assert any(output.text for output in together)


def test_a_bundled_model_that_is_not_there_is_refused_by_its_name() -> None:
    with pytest.raises(ModelNotUsable, match=r"rattil-huge is not at .*models/rattil-huge"):
        bundled("rattil-huge")


@pytest.fixture(scope="module")
def ungated_engine(bundled_engine: CTranslate2Engine) -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "auto", 1), VoiceGate(enabled=False))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def greedy_engine(bundled_engine: CTranslate2Engine) -> Iterator[CTranslate2Engine]:
    compute = ComputeOptions("cpu", "auto", 1)
    engine = CTranslate2Engine(locate(BUNDLED), compute, rescoring=Rescoring(beam_size=1))
    yield engine
    engine.close()


def _speech() -> NDArray[np.float32]:
    sample = next((Path(__file__).parents[4] / "cli" / "samples").glob("ikhlas_clean.*"))
    return to_float(decode_file(sample))


def test_the_decoder_is_asked_about_voiced_windows_only(
    bundled_engine: CTranslate2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingModel(bundled_engine._model)
    monkeypatch.setattr(bundled_engine, "_model", counting)
    speech = EngineItem(_speech()[: int(2.5 * RATE)])
    silence = EngineItem(np.zeros(int(2.5 * RATE), np.float32))
    hiss = EngineItem(_noise(2.5) * np.float32(0.01))
    outputs = _decode(bundled_engine, silence, speech, hiss)
    assert counting.asked == 1, "one window of three holds sounds"
    assert [bool(output.phones) for output in outputs] == [False, True, False]
    assert [bool(output.text) for output in outputs] == [False, True, False]
    assert outputs[1] == _decode(bundled_engine, speech)[0]
    _decode(bundled_engine, silence, hiss)
    assert counting.asked == 2


def _windows() -> list[EngineItem]:
    pcm = _speech()
    return [EngineItem(pcm[start : start + int(2.5 * RATE)]) for start in range(0, pcm.size, 2 * RATE)]


def test_speech_is_heard_the_same_with_and_without_the_gate(
    bundled_engine: CTranslate2Engine, ungated_engine: CTranslate2Engine
) -> None:
    gated, ungated = _decode(bundled_engine, *_windows()), _decode(ungated_engine, *_windows())
    assert [output.phones for output in gated] == [output.phones for output in ungated]
    assert all(
        set(one.text.split()) <= set(other.text.split()) for one, other in zip(gated, ungated, strict=True)
    )
    kept, said = (sum(len(output.words) for output in outputs) for outputs in (gated, ungated))
    assert kept >= 0.9 * said


def _badly_heard() -> list[EngineItem]:
    """Windows in more and more noise, in some of which the decoder is unsure of itself."""
    pcm = _speech()
    spans = [pcm[start : start + int(2.5 * RATE)] for start in range(0, pcm.size, 2 * RATE)]
    return [
        EngineItem(span + _noise(span.size / RATE, seed)[: span.size] * np.float32(level))
        for level in (0.1, 0.2, 0.4, 0.8)
        for seed, span in enumerate(spans)
    ]


def test_unsure_texts_are_looked_at_again_each_window_for_itself(
    bundled_engine: CTranslate2Engine, greedy_engine: CTranslate2Engine
) -> None:
    items = _badly_heard()
    together, greedy = _decode(bundled_engine, *items), _decode(greedy_engine, *items)
    assert [output.phones for output in together] == [output.phones for output in greedy]
    assert any(one.text != other.text for one, other in zip(together, greedy, strict=True))
    alone = [_decode(bundled_engine, item)[0].text for item in items]
    assert [output.text for output in together] == alone


def test_what_is_sure_is_decoded_once(
    bundled_engine: CTranslate2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingModel(bundled_engine._model)
    monkeypatch.setattr(bundled_engine, "_model", counting)
    sure = [
        item
        for item, output in zip(_windows(), _decode(bundled_engine, *_windows()), strict=True)
        if output.words and output.words[0].confidence > 0.95
    ]
    assert sure
    counting.asked = 0
    _decode(bundled_engine, *sure)
    assert counting.asked == len(sure)


def test_words_have_the_times_of_their_sounds_asked_for_or_not(bundled_engine: CTranslate2Engine) -> None:
    asking = [replace(item, options=TaskOptions(word_timestamps=True)) for item in _windows()]
    assert bundled_engine.capabilities.word_times
    assert _decode(bundled_engine, *asking) == _decode(bundled_engine, *_windows())
    for item, timed in zip(asking, _decode(bundled_engine, *asking), strict=True):
        starts = [word.start_ms for word in timed.words if word.start_ms is not None]
        assert len(starts) == len(timed.words)
        assert starts == sorted(starts)
        assert all(0 <= (word.end_ms or 0) <= item.samples / 16 for word in timed.words)


def test_text_that_the_decoder_invents_in_noise_is_not_shown(
    bundled_engine: CTranslate2Engine, ungated_engine: CTranslate2Engine
) -> None:
    items = [EngineItem(_noise(2.5, seed)) for seed in range(8)]
    invented = sum(len(output.text) for output in _decode(ungated_engine, *items))
    shown = _decode(bundled_engine, *items)
    assert invented > 30, "white noise makes this model's decoder recite; without that nothing is tested"
    assert sum(len(output.text) for output in shown) < invented / 2
    assert all(len(output.text) <= 1.25 * len(output.phones or ()) + 8 for output in shown)
    assert shown == [_decode(bundled_engine, item)[0] for item in items], "no item depends on its batch"


def test_practice_syllables_keep_the_whole_engine_busy(bundled_engine: CTranslate2Engine) -> None:
    (output,) = _decode(bundled_engine, EngineItem(syllables(2.5)))
    assert len(output.phones or ()) >= 6, "warming up and measuring need a sound that is decoded"
    assert np.array_equal(syllables(2.5), syllables(2.5))
