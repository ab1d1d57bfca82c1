"""Silero's voice activity model through ONNX Runtime: all sessions together, in one thread beside the loop.

The model file is the one that faster-whisper ships (MIT). It is a small recurrent network: per session
it keeps two state vectors and the last 64 samples. What has come from all sessions since the last round
is judged in one round, so a round takes in more frames the busier the process is, and the loop is
never held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.session.endpointer import FRAME
from gateway.vad.detector import TakeProbabilities
from shared.service.logging import get_logger

_log = get_logger(__name__)

Floats = NDArray[np.float32]

CONTEXT = 64
"""Samples before a frame that the model looks at, too."""
_STATE = (1, 1, 128)
_FULL_SCALE = 32768.0
MOST_FRAMES = 256
"""Frames of one session judged in one round, about 8 s: a file sent at once must not hold up others."""


@dataclass(slots=True)
class Memory:
    """What the model remembers of one session."""

    hidden: Floats = field(default_factory=lambda: np.zeros(_STATE, np.float32))
    cell: Floats = field(default_factory=lambda: np.zeros(_STATE, np.float32))
    context: Floats = field(default_factory=lambda: np.zeros(CONTEXT, np.float32))


class SileroModel:
    """The network itself. `judge` may be called from any one thread."""

    def __init__(self) -> None:
        import faster_whisper.utils
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        path = next(Path(faster_whisper.utils.__file__).parent.glob("assets/silero_vad*.onnx"))
        self._session: Any = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def judge(self, memory: Memory, pcm: bytes) -> list[float]:
        """Probabilities of the whole frames of `pcm`, whose length is a multiple of a frame."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / _FULL_SCALE
        frames = samples.reshape(-1, FRAME)
        before = np.vstack([memory.context, frames[:-1, -CONTEXT:]])
        fed = {"input": np.hstack([before, frames]), "h": memory.hidden, "c": memory.cell}
        found, memory.hidden, memory.cell = self._session.run(None, fed)
        memory.context = frames[-1, -CONTEXT:]
        return [float(probability) for probability in np.ravel(found)]


class SileroStream:
    """See `SpeechStream`. What waits is bounded by the session's own backlog: without an answer no
    window is cut, and then the client is not read any more."""

    def __init__(self, detector: SileroDetector, take: TakeProbabilities) -> None:
        self._detector = detector
        self._take = take
        self._waiting = bytearray()
        self.memory = Memory()
        self.open = True

    def feed(self, pcm: bytes) -> None:
        self._waiting += pcm
        if len(self._waiting) >= 2 * FRAME:
            self._detector.wake(self)

    def close(self) -> None:
        self.open = False
        self._waiting.clear()
        self._take = _nobody

    def next_frames(self) -> bytes:
        """The whole frames that wait, at most `MOST_FRAMES`; they are taken out."""
        size = min(len(self._waiting) // (2 * FRAME), MOST_FRAMES) * 2 * FRAME
        frames = bytes(self._waiting[:size])
        del self._waiting[:size]
        return frames

    @property
    def has_frames(self) -> bool:
        return len(self._waiting) >= 2 * FRAME

    def deliver(self, probabilities: Sequence[float]) -> None:
        if self.open:
            self._take(probabilities)


class SileroDetector:
    """See `SpeechDetector`. The model is loaded when the first session opens a stream."""

    def __init__(self) -> None:
        self._model: SileroModel | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="speech")
        self._ready: dict[SileroStream, None] = {}
        self._rounds: asyncio.Task[None] | None = None

    def open(self, take: TakeProbabilities) -> SileroStream:
        return SileroStream(self, take)

    def wake(self, stream: SileroStream) -> None:
        """This stream has frames that wait."""
        self._ready[stream] = None
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._judge_all(), name="detect-speech")

    async def close(self) -> None:
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _judge_all(self) -> None:
        """Rounds until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._ready:
            round_ = [(stream, stream.next_frames()) for stream in self._ready if stream.open]
            self._ready.clear()
            work = [(stream.memory, frames) for stream, frames in round_]
            try:
                judged = await loop.run_in_executor(self._thread, self._judge, work)
            except Exception as error:
                # Without a detector everything is speech: that costs more, but nothing is lost.
                _log.error("speech_detection_failed", error=f"{type(error).__name__}: {error}")
                judged = [[1.0] * (len(frames) // (2 * FRAME)) for _, frames in work]
            for (stream, _), probabilities in zip(round_, judged, strict=True):
                stream.deliver(probabilities)
                if stream.open and stream.has_frames:
                    self._ready[stream] = None

    def _judge(self, work: Sequence[tuple[Memory, bytes]]) -> list[list[float]]:
        if self._model is None:
            self._model = SileroModel()
        return [self._model.judge(memory, pcm) if pcm else [] for memory, pcm in work]


def _nobody(probabilities: Sequence[float]) -> None:
    return None
