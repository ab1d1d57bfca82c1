"""Bus messages between gateway and worker: the segment that goes up, the result that comes down."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from shared.confidence import UNMEASURED, ConfidenceCurves
from shared.hearing import HeardWord, Phone, SoundFacts
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, TraceId, WorkerId

BUS_VERSION = 1
SEGMENT_VERSION = 2
"""Of a segment as stored whose audio lies beside it in parts, or has another codec than pcm16. Workers
read 1, too: old gateways may push to new workers, so workers are updated first."""

Codec = Literal["pcm16", "mel_u8", "flac", "opus"]
"""How a segment carries its audio: `pcm16` little-endian samples; `mel_u8` log-mel features of 8 bits
(`shared.audio.mel`), all that a Whisper model hears of it; `flac` (lossless) and `opus` packets."""
Priority = Literal["partial", "final"]
Outcome = Literal["result", "error", "dropped"]


class TaskOptions(msgspec.Struct, frozen=True):
    """What one session asks of the decoder. Never the expected verse: a prompt would hide mistakes.

    `language`: empty if the model is to find out, which only stock multilingual models can.
    `word_timestamps`: times of words where they cost extra work; a phoneme head gives them always.
    `speakers`: tell voices apart; of whole recordings only.
    """

    language: str = "ar"
    word_timestamps: bool = False
    prompt: str | None = None
    speakers: bool = False


class Segment(msgspec.Struct, frozen=True):
    """One window of audio of one session. Its identity is (session_id, seq).

    `samples`: its length, whatever `codec` does to `audio`. A codec that a worker does not know is
    answered with an error, so it is any string here. `traceparent`: where its spans belong (W3C Trace
    Context), only if it is traced; whoever does not know the field reads the segment as ever.
    """

    session_id: SessionId
    connection_id: ConnectionId
    epoch: Epoch
    seq: int
    start_sample: int
    samples: int
    audio: bytes
    pool: PoolName
    trace_id: TraceId
    created_ms: int
    deadline_ms: int
    codec: str = "pcm16"
    priority: Priority = "partial"
    options: TaskOptions = TaskOptions()
    traceparent: str | UnsetType = UNSET
    v: int = BUS_VERSION

    @property
    def patience_ms(self) -> int:
        """How long its result is of use, from its push on: both times are of one gateway's clock."""
        return max(0, self.deadline_ms - self.created_ms)


class StageTimings(msgspec.Struct, frozen=True, gc=False):
    """How long a segment spent where, ms."""

    queued_ms: int = 0
    batch_ms: int = 0
    inference_ms: int = 0


class SegmentResult(msgspec.Struct, frozen=True, gc=False):
    """The one terminal outcome of a segment. Word and phone times are ms from the segment's start.
    `priority` is the segment's own: "final" says that no later segment looks at this audio again.
    `traceparent`: the segment's own. `confidence_curves` are the model's: what its confidences are worth."""

    session_id: SessionId
    connection_id: ConnectionId
    epoch: Epoch
    seq: int
    start_sample: int
    samples: int
    trace_id: TraceId
    outcome: Outcome
    code: str = ""
    message: str = ""
    text: str = ""
    words: tuple[HeardWord, ...] = ()
    phones: tuple[Phone, ...] | None = None
    script: str = "imlai"
    language: str = "ar"
    timings: StageTimings = StageTimings()
    batch_size: int = 0
    worker_id: WorkerId = WorkerId("")
    priority: Priority = "partial"
    traceparent: str | UnsetType = UNSET
    v: int = BUS_VERSION
    confidence_curves: ConfidenceCurves = UNMEASURED
    sound: SoundFacts | None = None


class LoggedResult(msgspec.Struct, frozen=True, gc=False):
    """A result with its place in the session's result log: `(epoch, offset)`, offsets from 1, no hole."""

    offset: int
    result: SegmentResult


class Takeover(msgspec.Struct, frozen=True, tag="takeover"):
    """Published on the old connection's channel when a newer connection takes its session."""

    session_id: SessionId
    by: ConnectionId
    v: int = BUS_VERSION
