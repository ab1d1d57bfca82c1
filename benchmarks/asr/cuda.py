"""Segments per second on a GPU: random-weight models of published sizes, a fixed number of tokens.

Random weights never end a text by themselves, so the end token is suppressed and every item gets
the same number of tokens, as long as 2.5 s of slow recitation need. Rates are of `encode` and
`generate` together, features included in neither: they come ready.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import msgspec
import numpy as np

from benchmarks.asr.shapes import BASE, END, NO_TIMES, START, TURBO, Shape, build
from benchmarks.figures import median
from benchmarks.report import Table

BATCHES = (1, 8, 32, 64, 128, 256)
WINDOWS_S = (1.0, 2.5, 5.0, 10.0)
FULL_S = 30.0
COMPUTE_TYPES = ("float16", "int8_float16")
TOKENS = 24
ROUNDS = 3
FRAMES_PER_S = 100


class CudaRate(msgspec.Struct, frozen=True):
    """One measurement: segments per second, and how long one batch took (ms)."""

    shape: str
    compute_type: str
    window_s: float
    batch: int
    segments_per_s: float
    batch_ms: float


def cuda_devices() -> int:
    """GPUs that CTranslate2 can use; 0 without a driver."""
    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:
        return 0


def measure_cuda(*, quick: bool) -> list[CudaRate]:
    """All shapes, types, windows and batches; needs a GPU with 20 GB or more."""
    found: list[CudaRate] = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in (BASE,) if quick else (BASE, TURBO):
            directory = build(Path(folder) / shape.name, shape)
            for compute_type in COMPUTE_TYPES[:1] if quick else COMPUTE_TYPES:
                model = ctranslate2.models.Whisper(str(directory), device="cuda", compute_type=compute_type)
                windows_s = (*WINDOWS_S, FULL_S)
                found += rates(model, shape, compute_type, windows_s, BATCHES[:3] if quick else BATCHES)
                model.unload_model()
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
            found.append(CudaRate(shape.name, compute_type, window_s, batch, batch / took_s, 1000 * took_s))
    return found


def _decode(model: Any, mel: np.ndarray[Any, Any]) -> float:
    """Seconds for one batch; `generate` brings its result to the host, so nothing is left under way."""
    began_s = time.perf_counter()
    encoded = model.encode(ctranslate2.StorageView.from_array(mel))
    prompts = [[START, NO_TIMES]] * len(mel)
    model.generate(encoded, prompts, beam_size=1, max_length=2 * TOKENS, suppress_tokens=[END])
    return time.perf_counter() - began_s


def cuda_table(found: Sequence[CudaRate]) -> Table:
    """Rates by window length, one row per model, type and batch."""
    windows_s = sorted({rate.window_s for rate in found})
    keys = list(dict.fromkeys((rate.shape, rate.compute_type, rate.batch) for rate in found))
    by_key = {(rate.shape, rate.compute_type, rate.batch, rate.window_s): rate for rate in found}
    rows = []
    for key in keys:
        cells = [by_key.get((*key, window_s)) for window_s in windows_s]
        rows.append([*map(str, key), *(f"{cell.segments_per_s:.0f}" if cell else "-" for cell in cells)])
    return Table(
        f"CUDA, random weights, {TOKENS} tokens per segment: segments/s",
        ("model", "type", "batch", *(f"{window_s:g} s" for window_s in windows_s)),
        rows,
        "the last column is what padding to 30 s costs",
    )
