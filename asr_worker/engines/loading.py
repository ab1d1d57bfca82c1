"""Which engine a worker runs, from its settings; the only place that knows all engines."""

from __future__ import annotations

import numpy as np

from asr_worker.engine import Engine, EngineItem
from asr_worker.engines.ctranslate2 import ComputeOptions, CTranslate2Engine
from asr_worker.engines.model_files import ModelNotUsable, locate
from asr_worker.engines.scripted import Script, ScriptedEngine
from asr_worker.settings import WorkerSettings

SAMPLE_RATE = 16_000
WARM_UP_S = (2.5, 5.0)
"""Window lengths that are decoded before the worker says ready: first runs allocate and compile."""


def load_engine(settings: WorkerSettings) -> Engine:
    """Load and warm up the engine. Blocking. Raises `ModelNotUsable`, also when the warm-up fails."""
    engine = _load(settings)
    noise = np.random.default_rng(1).normal(scale=0.01, size=int(max(WARM_UP_S) * SAMPLE_RATE))
    items = [EngineItem(noise[: int(seconds * SAMPLE_RATE)].astype(np.float32)) for seconds in WARM_UP_S]
    for outcome in engine.decode(items):
        if isinstance(outcome, Exception):
            raise ModelNotUsable(f"the model {settings.model!r} cannot decode: {outcome}") from outcome
    return engine


def _load(settings: WorkerSettings) -> Engine:
    if settings.engine == "scripted":
        return ScriptedEngine(
            Script(delay_s=settings.scripted_delay_ms / 1000, allow_crash=settings.scripted_crash)
        )
    compute = ComputeOptions(settings.device, settings.compute_type, settings.threads)
    return CTranslate2Engine(locate(settings.model), compute)
