"""The GPU's features and phoneme head, on CPU tensors: the same numbers as NumPy's. Skips without torch."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from numpy.typing import NDArray

from asr_worker.engines.ctc_head import CtcHead
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.model_parts import ComputeOptions, choose_path
from asr_worker.engines.signal_path import HostPath, SignalPath
from shared.audio.features import FeatureConfig, log_power
from tests.unit.asr_worker import tiny_whisper

pytest.importorskip("torch", reason="needs the extra 'cuda'")
from asr_worker.engines.torch_path import TorchPath

RATE = 16_000
SECONDS = (0.01, 0.3, 1.23, 2.5, 2.5)


def _noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * RATE)).astype(np.float32)


def _head() -> CtcHead:
    random = np.random.default_rng(3)
    weight = random.normal(size=(16, 5)).astype(np.float32)
    return CtcHead(weight, random.normal(size=5).astype(np.float32), tuple("-abcd"), 0, 40.0)


@pytest.fixture(params=[(160, 80), (320, 80), (160, 128)], ids=["whisper", "bundled", "large"])
def config(request: pytest.FixtureRequest) -> FeatureConfig:
    hop, mels = request.param
    return FeatureConfig(n_mels=mels, hop_length=hop)


def test_features_are_those_of_the_host(config: FeatureConfig) -> None:
    items = [EngineItem(_noise(seconds, seed)) for seed, seconds in enumerate(SECONDS)]
    items.append(EngineItem(np.zeros(RATE, np.float32)))
    mine = TorchPath(config, None, "cpu").features(items, 40_000)
    theirs = HostPath(config, None).features(items, 40_000)
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other, atol=2e-4)


def test_log_powers_mix_with_samples(config: FeatureConfig) -> None:
    logs = EngineItem(None, logs=log_power(_noise(1.5), config), samples=24_000)
    items = [EngineItem(_noise(2.0, 2)), logs]
    mine = TorchPath(config, None, "cpu").features(items, 40_000)
    theirs = HostPath(config, None).features(items, 40_000)
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other, atol=2e-4)


def test_an_item_does_not_see_its_batch() -> None:
    path = TorchPath(FeatureConfig(), None, "cpu")
    items = [EngineItem(_noise(2.5, seed) * np.float32(10.0**-seed)) for seed in range(4)]
    together = path.features(items, 40_000)
    for place, item in enumerate(items):
        np.testing.assert_allclose(
            together[place].numpy(), path.features([item], 40_000)[0].numpy(), atol=1e-5
        )


def test_batches_larger_than_a_chunk_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [EngineItem(_noise(2.5, seed)) for seed in range(5)]
    path = TorchPath(FeatureConfig(), None, "cpu")
    whole = path.features(items, 40_000)
    monkeypatch.setattr("asr_worker.engines.torch_features.CHUNK_FRAMES", 250)
    for one, other in zip(path.features(items, 40_000), whole, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5)


def test_the_head_and_the_choice_of_rows_are_those_of_the_host() -> None:
    states = np.random.default_rng(5).normal(size=(3, 7, 16)).astype(np.float32)
    encoded = ctranslate2.StorageView.from_array(states)
    mine, theirs = TorchPath(FeatureConfig(), _head(), "cpu"), HostPath(FeatureConfig(), _head())
    np.testing.assert_allclose(mine.posteriors(encoded), theirs.posteriors(encoded), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(mine.rows(encoded, [2, 0])), states[[2, 0]])


def test_the_whole_engine_hears_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tiny_whisper.build(tmp_path)
    host = CTranslate2Engine(directory, ComputeOptions("cpu", "float32", 1))

    def on_tensors(device: str, config: FeatureConfig, head: CtcHead | None) -> SignalPath:
        return TorchPath(config, head, device)

    monkeypatch.setattr("asr_worker.engines.ctranslate2.choose_path", on_tensors)
    tensors = CTranslate2Engine(directory, ComputeOptions("cpu", "float32", 1))
    items = [EngineItem(_noise(seconds, seed)) for seed, seconds in enumerate(SECONDS[1:])]
    mine, theirs = tensors.decode(tensors.prepare(items)), host.decode(items)
    for one, other in zip(mine, theirs, strict=True):
        assert isinstance(one, EngineOutput)
        assert isinstance(other, EngineOutput)
        assert one.text == other.text
        assert [phone.symbol for phone in one.phones or ()] == [phone.symbol for phone in other.phones or ()]


@pytest.mark.gpu
@pytest.mark.skipif(ctranslate2.get_cuda_device_count() == 0, reason="needs a CUDA device")
def test_on_a_gpu_nothing_changes_but_the_place(tmp_path: Path) -> None:
    directory = tiny_whisper.build(tmp_path)
    host = CTranslate2Engine(directory, ComputeOptions("cpu", "float32", 1))
    device = CTranslate2Engine(directory, ComputeOptions("cuda", "float32", 1))
    assert isinstance(device._path, TorchPath)
    items = [EngineItem(_noise(seconds, seed)) for seed, seconds in enumerate(SECONDS[1:])]
    for _ in range(20):
        for one, other in zip(device.decode(device.prepare(items)), host.decode(items), strict=True):
            assert isinstance(one, EngineOutput)
            assert isinstance(other, EngineOutput)
            assert [phone.symbol for phone in one.phones or ()] == [
                phone.symbol for phone in other.phones or ()
            ]


def test_torch_without_a_gpu_leaves_the_work_to_the_host() -> None:
    if ctranslate2.get_cuda_device_count():
        pytest.skip("there is a GPU")
    assert isinstance(choose_path("cuda", FeatureConfig(), None), HostPath)
    assert isinstance(choose_path("cpu", FeatureConfig(), None), HostPath)
