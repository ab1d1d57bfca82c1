"""The CTranslate2 engine on a tiny random model: what it hears is noise, but how must be right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from asr_worker.batching.outcomes import Stages, heard
from asr_worker.engines.ctranslate2 import CTranslate2Engine, PreparedItem
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.model_files import ModelCard, ModelNotUsable, locate
from asr_worker.engines.model_parts import ComputeOptions
from asr_worker.engines.prompting import Prompter
from asr_worker.engines.voice_gate import VoiceGate
from gateway.interpreters.recitation.interpreter import hearing_of
from shared.audio.features import log_power
from shared.errors import BadAudio, BadRequest
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, TraceId, WorkerId
from shared.protocol.codec import decode_result, encode_result
from shared.protocol.segments import Segment, TaskOptions
from tests.unit.asr_worker import tiny_whisper
from tests.unit.asr_worker.counting_model import CountingModel

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
def plain(model: Path) -> Iterator[CTranslate2Engine]:
    """Without the voice gate: the random decoder's text is not compared with the random head's sounds."""
    engine = CTranslate2Engine(model, ONE_THREAD, VoiceGate(enabled=False))
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


def test_stock_models_get_less_if_they_are_told_to(tmp_path: Path) -> None:
    directory = tiny_whisper.build(tmp_path, model_json=False, ctc=False)
    shorter = CTranslate2Engine(directory, stock_context_s=10.0)
    buckets = [shorter.bucket(round(seconds * RATE)) / RATE for seconds in (0.1, 10.0, 10.1, 29.0, 30.0)]
    assert buckets == [10.0, 10.0, 15.0, 30.0, 30.0]
    assert shorter.capabilities.max_window_s == 30.0
    (heard,) = shorter.decode([EngineItem(_noise(3.0))])
    assert isinstance(heard, EngineOutput)


def test_a_model_with_a_card_of_its_own_keeps_its_context(tmp_path: Path) -> None:
    directory = tiny_whisper.build(tmp_path)
    plain, told = CTranslate2Engine(directory), CTranslate2Engine(directory, stock_context_s=25.0)
    assert plain.bucket(RATE) == told.bucket(RATE) < 25 * RATE


def test_a_result_does_not_depend_on_its_batch(engine: CTranslate2Engine, plain: CTranslate2Engine) -> None:
    items = [EngineItem(_noise(seconds, seed)) for seed, seconds in enumerate((2.5, 2.4, 0.3, 5.0, 2.5, 9.9))]
    for tested in (engine, plain):
        together = _decode(tested, *items)
        alone = [_decode(tested, item)[0] for item in items]
        assert [output.text for output in together] == [output.text for output in alone]
        assert [[p.symbol for p in output.phones or ()] for output in together] == [
            [p.symbol for p in output.phones or ()] for output in alone
        ]
        assert any(output.phones for output in together)
    assert any(output.text for output in together)


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
        (prepared,) = tested.prepare([EngineItem(pcm)])
        assert isinstance(prepared, PreparedItem)
        computed = prepared.features
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


def _as_logs(engine: CTranslate2Engine, pcm: NDArray[np.float32], padding: int = 0) -> EngineItem:
    """The item as a gateway sends it that computes features itself."""
    config = engine.capabilities.features
    assert config is not None
    return EngineItem(None, logs=log_power(np.pad(pcm, (0, padding)), config), samples=pcm.size)


@pytest.mark.parametrize("seconds", [0.3, 2.37, 2.5, 9.9])
def test_features_in_place_of_samples_are_heard_the_same(engine: CTranslate2Engine, seconds: float) -> None:
    pcm = _noise(seconds)
    sound, logs = engine.prepare([EngineItem(pcm), _as_logs(engine, pcm, padding=400)])
    assert isinstance(sound, PreparedItem)
    assert isinstance(logs, PreparedItem)
    np.testing.assert_allclose(logs.features, sound.features, atol=1e-5)
    exact = _as_logs(engine, pcm)
    outputs = _decode(engine, EngineItem(pcm), exact)
    if pcm.size == engine.bucket(pcm.size):
        assert outputs[0] == outputs[1]
    assert all(phone.end_ms <= pcm.size / 16 for phone in outputs[1].phones or ())


def test_mixed_with_samples_in_one_batch_nothing_changes(engine: CTranslate2Engine) -> None:
    items = [EngineItem(_noise(2.5, 1)), _as_logs(engine, _noise(2.5, 2)), EngineItem(_noise(2.5, 3))]
    assert _decode(engine, *items) == [_decode(engine, item)[0] for item in items]


@pytest.mark.parametrize(
    ("shape", "samples"),
    [((125, 64), 40_000), ((124, 80), 40_000), ((130, 80), 40_000), ((125,), 40_000), ((125, 80), 0)],
    ids=["other bank", "too few frames", "too many frames", "flat", "no length"],
)
def test_features_of_another_shape_are_refused(
    engine: CTranslate2Engine, shape: tuple[int, ...], samples: int
) -> None:
    bad = EngineItem(None, logs=np.zeros(shape, np.float32), samples=samples)
    outcomes = engine.decode([EngineItem(_noise(2.5)), bad, EngineItem(None)])
    assert isinstance(outcomes[0], EngineOutput)
    assert isinstance(outcomes[1], BadAudio)
    assert isinstance(outcomes[2], BadAudio)


def test_prepared_items_are_heard_as_unprepared_ones(engine: CTranslate2Engine) -> None:
    items = [EngineItem(_noise(seconds, seed)) for seed, seconds in enumerate((2.5, 0.3, 5.0, 2.5))]
    bad = EngineItem(np.zeros(0, np.float32))
    prepared = engine.prepare([*items[:2], bad, *items[2:]])
    assert prepared[2] is bad
    assert engine.prepare(prepared)[0] is prepared[0]
    outcomes = engine.decode(prepared)
    assert isinstance(outcomes[2], BadAudio)
    assert [*outcomes[:2], *outcomes[3:]] == _decode(engine, *items)


def test_digital_silence_is_decoded_without_complaint(engine: CTranslate2Engine) -> None:
    _decode(engine, EngineItem(np.zeros(RATE, np.float32)))


def test_prompts_of_one_session_do_not_reach_another(plain: CTranslate2Engine) -> None:
    pcm = _noise(2.5)
    bare = EngineItem(pcm)
    prompted = EngineItem(pcm, TaskOptions(prompt="بسم الله"))
    alone = _decode(plain, bare)[0]
    mixed = _decode(plain, prompted, bare, prompted)
    assert mixed[1].text == alone.text != ""
    assert mixed[0].text == mixed[2].text == _decode(plain, prompted)[0].text


def test_prompts_of_other_lengths_share_the_encoder(
    plain: CTranslate2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingModel(plain._model)
    monkeypatch.setattr(plain, "_model", counting)
    options = [TaskOptions(), TaskOptions(prompt="بسم"), TaskOptions(word_timestamps=True)]
    items = [EngineItem(_noise(2.5, seed), each) for seed, each in enumerate(options)]
    together = _decode(plain, *items)
    assert counting.encoded == [3]
    alone = [_decode(plain, item)[0] for item in items]
    assert [output.text for output in together] == [output.text for output in alone]
    for mine, theirs in zip(together, alone, strict=True):
        # A matrix library may round the last digit otherwise in a batch of another size.
        assert [phone.symbol for phone in mine.phones or ()] == [p.symbol for p in theirs.phones or ()]
        assert [word.confidence for word in mine.words] == pytest.approx(
            [word.confidence for word in theirs.words], rel=1e-3
        )


def test_a_cpu_encodes_so_much_at_once_as_its_caches_hold(
    stock: CTranslate2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stock model's window has 3,000 frames: each is encoded by itself, and no window twice."""
    counting = CountingModel(stock._model)
    monkeypatch.setattr(stock, "_model", counting)
    items = [EngineItem(_noise(2.5, seed), TaskOptions(word_timestamps=True)) for seed in range(3)]
    together = _decode(stock, *items)
    assert counting.encoded == [1, 1, 1]
    alone = [_decode(stock, item)[0] for item in items]
    assert [output.text for output in together] == [output.text for output in alone]
    for mine, theirs in zip(together, alone, strict=True):
        assert [word.start_ms for word in mine.words] == [word.start_ms for word in theirs.words]


def test_a_stock_model_gets_tokens_for_the_sound_and_none_for_the_padding(
    stock: CTranslate2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """224 for 30 s is Whisper's own measure; CTranslate2 generates at most half of `max_length`."""
    asked: list[int] = []
    generate = stock._model.generate

    class Noting(CountingModel):
        def generate(self, encoded: object, prompts: object, **options: int) -> object:
            asked.append(options["max_length"] // 2)
            return generate(encoded, prompts, **options)

    monkeypatch.setattr(stock, "_model", Noting(stock._model))
    for seconds in (1.5, 15.0, 30.0):
        _decode(stock, EngineItem(_noise(seconds)))
    assert asked == [28, 128, 224]


def test_text_never_holds_special_tokens(plain: CTranslate2Engine) -> None:
    for seed in range(5):
        (output,) = _decode(plain, EngineItem(_noise(3.0, seed)))
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


# -- what its confidences are worth ----------------------------------------------------------------
def _write_curves(directory: Path, curve: list[list[float]]) -> None:
    card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
    (directory / "model.json").write_text(
        json.dumps(card | {"confidence_curves": {"accepted": curve}}), encoding="utf-8"
    )


def test_the_confidence_curves_of_the_card_travels_with_every_result(tmp_path: Path) -> None:
    directory = tiny_whisper.build(tmp_path / "curved")
    _write_curves(directory, [[0.5, 0.8], [0.9, 1]])
    engine = CTranslate2Engine(directory, ONE_THREAD)
    segment = Segment(
        session_id=SessionId("s"),
        connection_id=ConnectionId("c"),
        epoch=Epoch("e"),
        seq=0,
        start_sample=0,
        samples=RATE,
        audio=b"",
        pool=PoolName("p"),
        trace_id=TraceId("t"),
        created_ms=0,
        deadline_ms=0,
    )
    item = EngineItem(np.zeros(RATE, np.float32))
    result = heard(segment, item, EngineOutput(), Stages(0), WorkerId("w"), engine.capabilities)
    engine.close()
    assert decode_result(encode_result(result)).confidence_curves.accepted == ((0.5, 0.8), (0.9, 1.0))
    assert hearing_of(result).confidence_curves.accepted == ((0.5, 0.8), (0.9, 1.0))


def test_a_confidence_curve_that_falls_is_refused(tmp_path: Path) -> None:
    directory = tiny_whisper.build(tmp_path / "falling")
    _write_curves(directory, [[0.5, 0.8], [0.9, 0.7]])
    with pytest.raises(ModelNotUsable, match=r"confidence_curves.*0\.7 must not be below"):
        CTranslate2Engine(directory, ONE_THREAD)


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


# -- a language that nobody named -----------------------------------------------------------------
def test_a_stock_model_finds_the_language_out(stock: CTranslate2Engine) -> None:
    items = [EngineItem(_noise(2.0, seed), TaskOptions("")) for seed in (1, 2)]
    named = EngineItem(_noise(2.0, 1), TaskOptions("ar"))
    first, second, arabic = stock.decode([*items, named])
    assert isinstance(first, EngineOutput)
    assert isinstance(second, EngineOutput)
    assert isinstance(arabic, EngineOutput)
    assert {first.language, second.language} <= {"ar", "en"}
    assert arabic.language == "ar"
    # A batch-mate changes nothing, and a language found is as good as one named.
    (alone,) = stock.decode([items[0]])
    (asked,) = stock.decode([EngineItem(_noise(2.0, 1), TaskOptions(first.language))])
    assert isinstance(alone, EngineOutput)
    assert isinstance(asked, EngineOutput)
    assert (first.text, first.language) == (alone.text, alone.language) == (asked.text, asked.language)
