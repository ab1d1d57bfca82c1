"""One model in several number types: writes each, measures each, and says whether it may be shipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import ctranslate2
import msgspec

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import checked
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.evaluation import Evaluation, evaluate
from cli.modelling.listening import Listener
from cli.modelling.recordings import Recording
from cli.modelling.weights import NumberType, Weights, read_weights, write_weights
from shared.errors import BadRequest

WEIGHTS_FILE = "model.bin"
NUMBER_TYPES: tuple[NumberType, ...] = ("float32", "int16", "int8", "float16", "int8_float16")
NEEDS_CUDA = frozenset({"float16", "int8_float16"})
"""CTranslate2 would compute these in float32 on a CPU, so that nothing true could be measured."""
PERCENT = 100


class Variant(msgspec.Struct, frozen=True):
    """One number type, measured. Rates 0-1 as in `Rates`; `*_change` in points against float32."""

    number_type: str
    computed_as: str
    megabytes: float
    ms_per_window: float
    wer: float
    per: float | None
    false_alarms: float
    wer_change: float
    per_change: float | None
    acceptable: bool


class Comparison(msgspec.Struct, frozen=True):
    """All types of one model. `source_type` says what it was made of: if that is not float32, the
    baseline is the source's own weights widened, and what its quantisation lost is not seen here."""

    source: str
    source_type: str
    max_wer_increase: float
    variants: tuple[Variant, ...]

    @property
    def acceptable(self) -> bool:
        return all(variant.acceptable for variant in self.variants)


def parse_types(text: str) -> list[NumberType]:
    """Number types from "int8,int16". Raises `BadRequest` for unknown ones, and without a CUDA
    device for those that only it computes."""
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    known: list[NumberType] = [kind for kind in NUMBER_TYPES if kind in wanted]
    strange = sorted(set(wanted) - set(NUMBER_TYPES))
    if strange or not known:
        raise BadRequest(
            f"Unknown type(s) {', '.join(strange) or text!r}; choose of {', '.join(NUMBER_TYPES)}."
        )
    needing = sorted(NEEDS_CUDA.intersection(known))
    if needing and ctranslate2.get_cuda_device_count() == 0:
        raise BadRequest(f"{', '.join(needing)} can only be measured on a CUDA device, and there is none.")
    return known


def compare(
    source: Path,
    out: Path,
    types: Sequence[NumberType],
    recordings: Sequence[Recording],
    max_wer_increase: float,
    started: Callable[[str], None] = lambda number_type: None,
) -> Comparison:
    """Write `out/<type>` for every type and measure it against float32, which is always measured.

    `max_wer_increase` in points, for the word error rate of the text and the error rate of the sounds.
    Raises `ModelNotUsable` for the source, `BadAudio` for a recording.
    """
    weights = read_weights(checked(source) / WEIGHTS_FILE)
    out.mkdir(parents=True, exist_ok=True)
    baseline: Variant | None = None
    variants = []
    for number_type in [kind for kind in NUMBER_TYPES if kind == "float32" or kind in types]:
        started(number_type)
        directory = out / number_type
        size = _write(source, directory, weights.as_type(number_type))
        measured = _measure(directory, number_type, recordings)
        variant = _variant(number_type, size, measured, baseline, max_wer_increase)
        baseline = baseline or variant
        if number_type in types:
            variants.append(variant)
        else:
            shutil.rmtree(directory)
    return Comparison(source.name, weights.stored_as, max_wer_increase, tuple(variants))


def _write(source: Path, directory: Path, weights: Weights) -> int:
    """A complete model directory; returns the size of its files, bytes."""
    directory.mkdir(exist_ok=True)
    for file in source.iterdir():
        if file.is_file() and file.name != WEIGHTS_FILE:
            shutil.copyfile(file, directory / file.name)
    write_weights(weights, directory / WEIGHTS_FILE)
    return sum(file.stat().st_size for file in directory.iterdir())


def _measure(directory: Path, number_type: str, recordings: Sequence[Recording]) -> Evaluation:
    device = "cuda" if number_type in NEEDS_CUDA else "cpu"
    # Not every CPU multiplies in int16; the weights' loss is the same if float32 does the sums.
    native = number_type in ctranslate2.get_supported_compute_types(device)
    compute_type = number_type if native else "float32"
    engine = CTranslate2Engine(directory, ComputeOptions(device, compute_type, threads=1))
    try:
        return evaluate(Listener(engine), recordings)
    finally:
        engine.close()


def _variant(
    number_type: str, size: int, measured: Evaluation, baseline: Variant | None, limit: float
) -> Variant:
    rates = measured.all
    wer_change = 0.0 if baseline is None else (rates.wer - baseline.wer) * PERCENT
    per_change = None
    if rates.per is not None:
        per_change = 0.0 if baseline is None or baseline.per is None else (rates.per - baseline.per) * PERCENT
    return Variant(
        number_type=number_type,
        computed_as=measured.compute_type,
        megabytes=round(size / 1e6, 2),
        ms_per_window=measured.ms_per_window,
        wer=rates.wer,
        per=rates.per,
        false_alarms=rates.false_alarms,
        wer_change=round(wer_change, 2),
        per_change=None if per_change is None else round(per_change, 2),
        acceptable=max(wer_change, per_change or 0.0) <= limit,
    )
