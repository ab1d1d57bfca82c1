"""The CTranslate2 engine on a tiny random model: what it hears is noise, but how must be right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from asr_worker.engine import EngineItem, EngineOutput
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import BUNDLED, ModelCard, ModelNotUsable, bundled, locate
from asr_worker.engines.model_parts import ComputeOptions
from asr_worker.engines.prompting import Prompter
from shared.audio.decode import decode_file
from shared.audio.pcm import to_float
from shared.errors import BadAudio, BadRequest
from shared.protocol.segments import TaskOptions
from tests.unit.asr_worker import tiny_whisper

RATE = 16_000
ONE_THREAD = ComputeOptions("cpu", "float32", 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.build(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(model, ONE_THREAD)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CTranslate2Engine]:
    """A directory as converted checkpoints come: no card, no phoneme head."""
    directory = tiny_whisper.build(tmp_path_factory.mktemp("stock"), model_json=False, ctc=False)
    engine = CTranslate2Engine(directory, ONE_THREAD)
    yield engine
    engine.close()


def _noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * RATE)).astype(np.float32)


def _decode(engine: CTranslate2Engine, *items: EngineItem) -> list[EngineOutput]:
    outputs: list[EngineOutput] = []
    for outcome in engine.decode(items):
        assert isinstance(outcome, EngineOutput), outcome
        outputs.append(outcome)
    return outputs


def test_what_it_says_about_itself(engine: CTranslate2Engine, stock: CTranslate2Engine) -> None:
    own = engine.capabilities
    assert (own.model, own.phones, own.word_times, own.max_window_s) == ("random-tiny", True, False, 10.0)
    assert (stock.capabilities.phones, stock.capabilities.word_times) == (False, True)
    assert stock.capabilities.max_window_s == 30.0


@pytest.mark.parametrize(
    ("seconds", "padded_s"), [(0.1, 1.0), (1.0, 1.0), (1.01, 1.5), (2.5, 2.5), (9.8, 10.0)]
)
def test_a_window_is_padded_by_its_own_length_alone(
    engine: CTranslate2Engine, seconds: float, padded_s: float
) -> None:
    assert engine.bucket(int(seconds * RATE)) == padded_s * RATE


def test_stock_models_get_thirty_seconds(stock: CTranslate2Engine) -> None:
    assert stock.bucket(RATE) == 30 * RATE


def test_a_result_does_not_depend_on_its_batch(engine: CTranslate2Engine) -> None:
    items = [EngineItem(_noise(seconds, seed)) for seed, seconds in enumerate((2.5, 2.4, 0.3, 5.0, 2.5, 9.9))]
    together = _decode(engine, *items)
    alone = [_decode(engine, item)[0] for item in items]
    assert [output.text for output in together] == [output.text for output in alone]
    assert [[p.symbol for p in output.phones or ()] for output in together] == [
        [p.symbol for p in output.phones or ()] for output in alone
    ]
    assert any(output.text for output in together)
    assert any(output.phones for output in together)


def test_phones_stay_within_the_sound(engine: CTranslate2Engine) -> None:
    (output,) = _decode(engine, EngineItem(_noise(1.23)))
    assert output.phones
    assert all(0 <= phone.start_ms < phone.end_ms <= 1230 for phone in output.phones)


def test_padding_is_what_the_trained_front_end_gives_for_silence(
    engine: CTranslate2Engine, stock: CTranslate2Engine
) -> None:
    pcm = _noise(1.23)
    for tested in (engine, stock):
        hop = 320
        padded = np.pad(pcm, (0, tested.bucket(pcm.size) - pcm.size))
        reference: NDArray[np.float32] = FeatureExtractor(hop_length=hop)(padded)  # type: ignore[no-untyped-call]
        computed = tested._padded_features(pcm)
        assert computed.shape[1] == tested.bucket(pcm.size) // hop
        np.testing.assert_allclose(computed, reference[:, : computed.shape[1]], atol=2e-4)


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(0, np.float32),
        _noise(11.0),
        np.full(RATE, np.nan, np.float32),
        np.zeros((2, RATE), np.float32),
    ],
    ids=["empty", "too long", "not numbers", "two channels"],
)
def test_a_bad_item_fails_alone(engine: CTranslate2Engine, pcm: NDArray[np.float32]) -> None:
    good = EngineItem(_noise(2.5))
    outcomes = engine.decode([good, EngineItem(pcm), good])
    assert isinstance(outcomes[1], BadAudio)
    assert isinstance(outcomes[0], EngineOutput)
    assert isinstance(outcomes[2], EngineOutput)


def test_digital_silence_is_decoded_without_complaint(engine: CTranslate2Engine) -> None:
    _decode(engine, EngineItem(np.zeros(RATE, np.float32)))


def test_prompts_of_one_session_do_not_reach_another(engine: CTranslate2Engine) -> None:
    pcm = _noise(2.5)
    plain = EngineItem(pcm)
    prompted = EngineItem(pcm, TaskOptions(prompt="بسم الله"))
    alone = _decode(engine, plain)[0]
    mixed = _decode(engine, prompted, plain, prompted)
    assert mixed[1].text == alone.text
    assert mixed[0].text == mixed[2].text == _decode(engine, prompted)[0].text


def test_text_never_holds_special_tokens(engine: CTranslate2Engine) -> None:
    for seed in range(5):
        (output,) = _decode(engine, EngineItem(_noise(3.0, seed)))
        assert "<|" not in output.text
        assert [word.text for word in output.words] == output.text.split()


def test_stock_models_align_words_when_asked(stock: CTranslate2Engine) -> None:
    item = EngineItem(_noise(3.0), TaskOptions(word_timestamps=True))
    plain, timed = _decode(stock, EngineItem(_noise(3.0)), item)
    assert plain.text == timed.text
    assert all(word.start_ms is None for word in plain.words)
    if timed.words:
        times = [word.start_ms for word in timed.words if word.start_ms is not None]
        assert times == sorted(times)
        assert all(0 <= time <= 3000 for time in times)


def test_unknown_languages_are_refused_by_multilingual_models(model: Path) -> None:
    prompter = Prompter(model, ModelCard(), multilingual=True)
    assert len(prompter.tokens(TaskOptions(language="ar"))) == 4
    assert prompter.tokens(TaskOptions(language="ar")) != prompter.tokens(TaskOptions(language="en"))
    with pytest.raises(BadRequest, match="language"):
        prompter.tokens(TaskOptions(language="xx"))


# -- what cannot be loaded says so ---------------------------------------------------------------
def test_a_transformers_checkpoint_says_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelNotUsable, match="convert"):
        locate(str(tmp_path))


@pytest.mark.parametrize("place", ["/no/such/model", "./nor/this"])
def test_a_path_that_is_not_there_says_so(place: str) -> None:
    with pytest.raises(ModelNotUsable, match="no model directory"):
        locate(place)


def test_an_empty_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotUsable, match=r"model\.bin is missing"):
        locate(str(tmp_path))


def test_broken_files_are_named(tmp_path: Path) -> None:
    directory = tiny_whisper.build(tmp_path / "broken")
    (directory / "model.json").write_text('{"context": 3}', encoding="utf-8")
    with pytest.raises(ModelNotUsable, match="model card"):
        CTranslate2Engine(directory, ONE_THREAD)
    (directory / "model.json").write_text(json.dumps({"ctc": {"file": "gone.npz"}}), encoding="utf-8")
    with pytest.raises(ModelNotUsable, match=r"gone\.npz"):
        CTranslate2Engine(directory, ONE_THREAD)
    (directory / "model.json").unlink()
    (directory / "tokenizer.json").unlink()
    with pytest.raises(ModelNotUsable, match="tokenizer"):
        CTranslate2Engine(directory, ONE_THREAD)
    (directory / "model.bin").write_bytes(b"rubbish")
    with pytest.raises(ModelNotUsable, match="cannot load"):
        CTranslate2Engine(directory, ONE_THREAD)


# -- the bundled model ---------------------------------------------------------------------------
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
    sample = next((Path(__file__).parents[3] / "cli" / "samples").glob("fatiha_clean.*"))
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
