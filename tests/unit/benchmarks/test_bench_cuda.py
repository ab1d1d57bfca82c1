"""The GPU benchmark's own code, on the CPU and with a toy shape: what it does is right, not fast."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
import numpy as np
import pytest

from benchmarks.asr.cuda import TOKENS, cuda_table, engine_rates, rates
from benchmarks.asr.shapes import BASE, END, NO_TIMES, START, TURBO, Shape, build

TOY = Shape("toy", 2, 1, 32, 2, 80, 64)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("toy"), TOY)


def test_the_model_alone(directory: Path) -> None:
    model = ctranslate2.models.Whisper(str(directory), device="cpu", compute_type="float32", intra_threads=1)
    found = rates(model, TOY, "float32", (1.0, 2.5), (1, 2))
    assert [(rate.window_s, rate.batch) for rate in found] == [(1.0, 1), (1.0, 2), (2.5, 1), (2.5, 2)]
    assert all(rate.segments_per_s > 0 for rate in found)


def test_every_text_has_the_same_length(directory: Path) -> None:
    model = ctranslate2.models.Whisper(str(directory), device="cpu", compute_type="float32", intra_threads=1)
    mel = ctranslate2.StorageView.from_array(np.zeros((2, TOY.mels, 100), np.float32))
    results = model.generate(
        mel, [[START, NO_TIMES]] * 2, beam_size=1, max_length=2 * TOKENS, suppress_tokens=[END]
    )
    assert [len(result.sequences_ids[0]) for result in results] == [TOKENS, TOKENS]


def test_the_whole_engine_and_the_table(directory: Path) -> None:
    found = engine_rates(directory, "toy", "cpu", "float32", (1.0,), (1, 3))
    assert [(rate.part, rate.batch) for rate in found] == [("engine", 1), ("engine", 3)]
    table = cuda_table(found)
    assert [row[:4] for row in table.rows] == [
        ["engine", "toy", "float32", "1"],
        ["engine", "toy", "float32", "3"],
    ]


@pytest.mark.parametrize(("shape", "gflops"), [(BASE, 6), (TURBO, 190)])
def test_flops_of_three_seconds_are_about_those_of_the_parameters(shape: Shape, gflops: float) -> None:
    assert shape.encoder_flops(3.0) / 1e9 == pytest.approx(gflops, rel=0.1)
