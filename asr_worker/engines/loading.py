"""Which engine a worker runs, from its settings; the only place that knows all engines."""

from __future__ import annotations

import os

import numpy as np

from asr_worker.engine import Engine, EngineItem
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import ModelNotUsable, locate
from asr_worker.engines.model_parts import ComputeOptions
from asr_worker.engines.scripted import Script, ScriptedEngine
from asr_worker.settings import WorkerSettings

SAMPLE_RATE = 16_000
MAX_AUTO_THREADS = 4
WARM_UP_S = (2.5, 5.0)
"""Window lengths that are decoded before the worker says ready: first runs allocate and compile."""


def load_engine(settings: WorkerSettings) -> Engine:
    """Load and warm up the engine. Blocking. Raises `ModelNotUsable`, also when the warm-up fails."""
    if settings.engine == "scripted":
        return ScriptedEngine(
            Script(delay_s=settings.scripted_delay_ms / 1000, allow_crash=settings.scripted_crash)
        )
    compute = ComputeOptions(settings.device, settings.compute_type, engine_threads(settings.threads))
    engine = CTranslate2Engine(locate(settings.model), compute)
    _warm_up(engine, settings.model)
    return engine


def engine_threads(wanted: int) -> int:
    """CPU threads of the engine: as set, or every core this process may use, at most four.

    CTranslate2's own default is four on any machine, which is too many on a smaller one.
    """
    if wanted:
        return wanted
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cores = os.cpu_count() or 1
    return min(MAX_AUTO_THREADS, cores)


def _warm_up(engine: Engine, model: str) -> None:
    noise = np.random.default_rng(1).normal(scale=0.01, size=int(max(WARM_UP_S) * SAMPLE_RATE))
    items = [EngineItem(noise[: int(seconds * SAMPLE_RATE)].astype(np.float32)) for seconds in WARM_UP_S]
    for outcome in engine.decode(items):
        if isinstance(outcome, Exception):
            raise ModelNotUsable(f"the model {model!r} cannot decode: {outcome}") from outcome
