"""Segments per second on a GPU: random-weight models of published sizes, and the whole engine.

*model*: `encode` and `generate` alone, features ready on the host. Random weights never end a text by
themselves, so the end token is suppressed and every item gets the same number of tokens, as long as 2.5 s
of slow recitation need. *engine*: the worker's engine from samples to results: features and, where the
model has one, the phoneme head, on the device if torch is installed; the next batch is prepared while
one is decoded. Accuracy is never claimed from random weights.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ctranslate2
import msgspec
import numpy as np

from asr_worker.capacity.practice_audio import syllables
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem
from asr_worker.engines.model_parts import ComputeOptions
from benchmarks.asr.shapes import BASE, END, NO_TIMES, START, TURBO, Shape, build
from benchmarks.figures import median
from benchmarks.report import Table

BATCHES = (1, 8, 32, 64, 128, 256)
WINDOWS_S = (1.0, 2.5, 5.0, 10.0)
FULL_S = 30.0
COMPUTE_TYPES = ("float16", "int8_float16")
TOKENS = 24
ROUNDS = 3
ENGINE_BATCHES_PER_ROUND = 4
FRAMES_PER_S = 100


class CudaRate(msgspec.Struct, frozen=True):
    """One measurement: segments per second, how long one batch took (ms), and, for the model alone, the
    encoder's share of the work as TFLOP/s over the whole time."""

    part: str
    shape: str
    compute_type: str
    window_s: float
    batch: int
    segments_per_s: float
    batch_ms: float
    encoder_tflops: float = 0.0


def cuda_devices() -> int:
    """GPUs that CTranslate2 can use; 0 without a driver."""
    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:
        return 0


def measure_cuda(bundled: Path, *, quick: bool) -> list[CudaRate]:
    """All shapes, types, windows and batches; needs a GPU with 20 GB or more."""
    types = COMPUTE_TYPES[:1] if quick else COMPUTE_TYPES
    batches = BATCHES[:3] if quick else BATCHES
    found: list[CudaRate] = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in (BASE,) if quick else (BASE, TURBO):
            directory = build(Path(folder) / shape.name, shape)
            for compute_type in types:
                model = ctranslate2.models.Whisper(str(directory), device="cuda", compute_type=compute_type)
                found += rates(model, shape, compute_type, (*WINDOWS_S, FULL_S), batches)
                model.unload_model()
                found += engine_rates(directory, shape.name, "cuda", compute_type, WINDOWS_S, batches)
    for compute_type in types:
        found += engine_rates(bundled, "bundled", "cuda", compute_type, WINDOWS_S, batches)
    return found


def rates(
    model: Any, shape: Shape, compute_type: str, windows_s: Sequence[float], batches: Sequence[int]
) -> list[CudaRate]:
    """One loaded model at every window length and batch size; combinations that do not fit are left out."""
    found: list[CudaRate] = []
    for window_s in windows_s:
        for batch in batches:
            mel = np.zeros((batch, shape.mels, int(window_s * FRAMES_PER_S)), np.float32)
            try:
                _decode(model, mel)
                took_s = median([_decode(model, mel) for _ in range(ROUNDS)])
            except RuntimeError:  # out of memory
                break
            tflops = batch * shape.encoder_flops(window_s) / took_s / 1e12
            found.append(
                CudaRate(
                    "model",
                    shape.name,
                    compute_type,
                    window_s,
                    batch,
                    batch / took_s,
                    1000 * took_s,
                    round(tflops, 3),
                )
            )
    return found


def _decode(model: Any, mel: np.ndarray[Any, Any]) -> float:
    """Seconds for one batch; `generate` brings its result to the host, so nothing is left under way."""
    began_s = time.perf_counter()
    encoded = model.encode(ctranslate2.StorageView.from_array(mel))
    prompts = [[START, NO_TIMES]] * len(mel)
    model.generate(encoded, prompts, beam_size=1, max_length=2 * TOKENS, suppress_tokens=[END])
    return time.perf_counter() - began_s


def engine_rates(
    directory: Path,
    name: str,
    device: str,
    compute_type: str,
    windows_s: Sequence[float],
    batches: Sequence[int],
) -> list[CudaRate]:
    """The worker's engine from samples to results, the next batch prepared beside the last one."""
    found: list[CudaRate] = []
    with _engine(directory, ComputeOptions(device, compute_type)) as engine:
        for window_s in windows_s:
            for batch in batches:
                items = [EngineItem(syllables(window_s))] * batch
                try:
                    _pipelined(engine, items)
                    took_s = median([_pipelined(engine, items) for _ in range(ROUNDS)])
                except RuntimeError:  # out of memory
                    break
                rate = CudaRate("engine", name, compute_type, window_s, batch, batch / took_s, 1000 * took_s)
                found.append(rate)
    return found


@contextmanager
def _engine(directory: Path, compute: ComputeOptions) -> Iterator[CTranslate2Engine]:
    engine = CTranslate2Engine(directory, compute)
    try:
        yield engine
    finally:
        engine.close()


def _pipelined(engine: CTranslate2Engine, items: Sequence[EngineItem]) -> float:
    """Seconds per batch over some batches in a row. Raises what a batch raises."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        began_s = time.perf_counter()
        ahead = beside.submit(engine.prepare, items)
        for number in range(ENGINE_BATCHES_PER_ROUND):
            ready = ahead.result()
            if number + 1 < ENGINE_BATCHES_PER_ROUND:
                ahead = beside.submit(engine.prepare, items)
            for outcome in engine.decode(ready):
                if isinstance(outcome, Exception):
                    raise RuntimeError(str(outcome)) from outcome
        return (time.perf_counter() - began_s) / ENGINE_BATCHES_PER_ROUND


def cuda_table(found: Sequence[CudaRate]) -> Table:
    """Rates by window length, one row per part, model, type and batch."""
    windows_s = sorted({rate.window_s for rate in found})
    keys = list(dict.fromkeys((rate.part, rate.shape, rate.compute_type, rate.batch) for rate in found))
    by_key = {(rate.part, rate.shape, rate.compute_type, rate.batch, rate.window_s): rate for rate in found}
    rows = []
    for key in keys:
        cells = [by_key.get((*key, window_s)) for window_s in windows_s]
        rows.append([*map(str, key), *(_cell(cell) if cell else "-" for cell in cells)])
    return Table(
        f"CUDA: segments/s (encoder TFLOP/s); model: random weights, {TOKENS} tokens per segment",
        ("part", "model", "type", "batch", *(f"{window_s:g} s" for window_s in windows_s)),
        rows,
        "model: encode and generate alone; engine: from samples to results; 30 s is what padding costs",
    )


def _cell(rate: CudaRate) -> str:
    shown = f"{rate.segments_per_s:.0f}"
    return f"{shown} ({rate.encoder_tflops:.0f})" if rate.encoder_tflops else shown
