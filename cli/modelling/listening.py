"""Runs a model over a recording the two ways the product does: in live windows, and as a whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from asr_worker.engines.engine import Engine, EngineItem, EngineOutput
from asr_worker.offline import chunking
from asr_worker.offline.chunking import CutRules
from gateway.session.fixed_windows import FixedWindows
from gateway.session.segmenter import Position, WindowPolicy
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import to_float
from shared.audio.sound_facts import sound_facts
from shared.errors import DecodeFailed
from shared.hearing import Hearing
from shared.protocol.segments import TaskOptions

BATCH = 16
"""Windows decoded together, as the worker's default (`ASR_MAX_BATCH`)."""


@dataclass(frozen=True, slots=True)
class LiveWindows:
    """How the gateway cuts, seconds (`WS_WINDOW_SECONDS`, `WS_OVERLAP_SECONDS`)."""

    window_s: float = 2.5
    overlap_s: float = 0.5


@dataclass(slots=True)
class Listener:
    """A loaded engine, with a count of what it has worked on, seconds."""

    engine: Engine
    live_windows: LiveWindows = field(default_factory=LiveWindows)
    engine_s: float = 0.0
    audio_s: float = 0.0

    def live(self, pcm: bytes) -> list[Hearing]:
        """PCM16 heard in the gateway's own windows, silence left out. Raises `DecodeFailed`."""
        intake = FixedWindows(self._start(), WindowPolicy())
        intake.feed(pcm)
        intake.end()
        spans = []
        while (window := intake.cut()) is not None:
            if window.seq is not None:
                spans.append(chunking.Chunk(window.start_sample, window.start_sample + len(window.pcm) // 2))
        return self._hear(pcm, spans)

    def whole(self, pcm: bytes) -> list[Hearing]:
        """PCM16 cut at quiet places, as `POST /verify` does. Raises `DecodeFailed`."""
        samples = to_float(pcm)
        spans = chunking.windows(samples, CutRules.within(self.engine.capabilities.max_window_s))
        return self._hear(pcm, chunking.audible(pcm, spans).chunks)

    def _start(self) -> Position:
        cut = self.live_windows
        return Position(round(cut.window_s * SAMPLE_RATE), round(cut.overlap_s * SAMPLE_RATE))

    def _hear(self, pcm: bytes, spans: Sequence[chunking.Chunk]) -> list[Hearing]:
        samples = to_float(pcm)
        capabilities = self.engine.capabilities
        options = TaskOptions(word_timestamps=capabilities.word_times)
        hearings: list[Hearing] = []
        for group in chunking.chunks(spans, BATCH):
            items = [EngineItem(samples[span.start : span.end], options) for span in group]
            began_s = time.perf_counter()
            outcomes = self.engine.decode(items)
            self.engine_s += time.perf_counter() - began_s
            self.audio_s += sum(item.samples for item in items) / SAMPLE_RATE
            for span, outcome in zip(group, outcomes, strict=True):
                sound = sound_facts(samples[span.start : span.end])
                hearings.append(chunking.hearing(span, _heard(outcome), capabilities, sound))
        return hearings


def _heard(outcome: EngineOutput | Exception) -> EngineOutput:
    if isinstance(outcome, Exception):
        raise DecodeFailed(f"the model could not decode a window: {outcome}") from outcome
    return outcome
