"""Where a segment's time goes in Rattil's engine: features, encoder, phoneme head, decoder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem
from benchmarks.speech import Floats
from shared.audio.formats import SAMPLE_RATE

STAGES = ("features", "encode", "ctc", "decode", "rest")


@dataclass(frozen=True, slots=True)
class StageSplit:
    """Milliseconds per segment and stage at one batch size; `rest` is what the others leave over.

    `window_s`: the longest window among them.
    """

    batch: int
    ms: dict[str, float]
    window_s: float = 0.0

    @property
    def total_ms(self) -> float:
        return sum(self.ms.values())


class StageWatch(CTranslate2Engine):
    """The engine with a stopwatch around each stage; otherwise the same code."""

    spent: Counter[str]

    def watch(self) -> None:
        """Start measuring, from zero."""
        self.spent = Counter()
        if not isinstance(self._model, _WatchedModel):
            self._model = _WatchedModel(self._model, self)

    def _ready(self, items: Sequence[Any]) -> Any:
        with _Timed(self, "features"):
            return super()._ready(items)

    def _phones(self, encoded: Any, group: Sequence[Any]) -> Any:
        with _Timed(self, "ctc"):
            return super()._phones(encoded, group)


class _Timed:
    """Adds the time spent inside to one stage."""

    def __init__(self, engine: StageWatch, stage: str) -> None:
        self._engine, self._stage = engine, stage

    def __enter__(self) -> None:
        self._began_s = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._engine.spent[self._stage] += time.perf_counter() - self._began_s  # type: ignore[assignment]


class _WatchedModel:
    """CTranslate2's Whisper with timed `encode` and `generate`."""

    def __init__(self, model: Any, engine: StageWatch) -> None:
        self._model, self._engine = model, engine

    def encode(self, *args: Any, **options: Any) -> Any:
        with _Timed(self._engine, "encode"):
            return self._model.encode(*args, **options)

    def generate(self, *args: Any, **options: Any) -> Any:
        with _Timed(self._engine, "decode"):
            return self._model.generate(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def split(engine: StageWatch, windows: Sequence[Floats], batch: int) -> StageSplit:
    """Decode all windows in batches of this size and divide the time."""
    engine.watch()
    began_s = time.perf_counter()
    for start in range(0, len(windows), batch):
        engine.decode([EngineItem(pcm) for pcm in windows[start : start + batch]])
    total_s = time.perf_counter() - began_s
    ms = {stage: 1000 * float(engine.spent[stage]) / len(windows) for stage in STAGES[:-1]}
    ms["rest"] = 1000 * total_s / len(windows) - sum(ms.values())
    return StageSplit(batch, ms, max(pcm.size for pcm in windows) / SAMPLE_RATE)
