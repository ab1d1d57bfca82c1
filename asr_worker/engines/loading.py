"""Which engine a worker runs, from its settings; the only place that opens one.

A new engine's name goes into `asr_worker/settings.py`, too.
"""

from __future__ import annotations

import os

from asr_worker.capacity.practice_audio import syllables
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import Engine, EngineItem
from asr_worker.engines.model_files import ModelNotUsable, locate
from asr_worker.engines.model_parts import ComputeOptions
from asr_worker.engines.rescoring import Rescoring
from asr_worker.engines.scripted import Script, ScriptedEngine
from asr_worker.engines.voice_gate import VoiceGate
from asr_worker.settings import WorkerSettings

MAX_AUTO_THREADS = 4
WARM_UP_S = (2.5, 5.0)
"""Window lengths that are decoded before the worker says ready: first runs allocate and compile."""


def load_engine(settings: WorkerSettings) -> Engine:
    """Load and warm up the engine. Blocking. Raises `ModelNotUsable`, also when the warm-up fails."""
    if settings.engine == "scripted":
        return ScriptedEngine(
            Script(
                kind=settings.scripted_hears,
                delay_s=settings.scripted_delay_ms / 1000,
                allow_crash=settings.scripted_crash,
            )
        )
    compute = ComputeOptions(settings.device, settings.compute_type, engine_threads(settings.threads))
    gate, rescoring = VoiceGate(settings.voice_gate), Rescoring(settings.beam_size)
    model = locate(settings.model)
    engine = CTranslate2Engine(model, compute, gate, rescoring, settings.context_seconds)
    _warm_up(engine, settings.model)
    return engine


def engine_threads(wanted: int) -> int:
    """CPU threads of the engine: as set, or all cores this process may use but one, from one to four.

    The core left over is for the worker's own loop, for features, and for neighbours: threads of one
    batch wait for each other, so one that has to share its core holds up all. On two cores with 256
    reciters and everything else of Rattil on them, one thread had a p95 of 178 ms and took 57 % of a
    core, two threads 495 ms and 76 %.
    """
    if wanted:
        return wanted
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cores = os.cpu_count() or 1
    return max(1, min(MAX_AUTO_THREADS, cores - 1))


def _warm_up(engine: Engine, model: str) -> None:
    items = [EngineItem(syllables(seconds)) for seconds in WARM_UP_S]
    for outcome in engine.decode(items):
        if isinstance(outcome, Exception):
            raise ModelNotUsable(f"the model {model!r} cannot decode: {outcome}") from outcome
