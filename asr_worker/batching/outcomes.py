"""From a claimed segment and what the engine said to the segment's one terminal result. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from asr_worker.engines.engine import EngineCapabilities, EngineItem, EngineOutput
from shared.audio import flac, mel, opus
from shared.audio.features import FeatureConfig
from shared.audio.pcm import to_float
from shared.audio.sound_facts import feature_facts, sound_facts
from shared.errors import BadAudio, DecodeFailed, RattilError, UnsupportedCodec
from shared.hearing import SoundFacts
from shared.ids import WorkerId
from shared.protocol.segments import Outcome, Segment, SegmentResult, StageTimings

POISON = "poison"
"""Code of a segment that was delivered too often: it probably kills its workers."""
EXPIRED = "expired"
"""Code of a partial whose deadline passed before it was decoded."""


@dataclass(frozen=True, slots=True)
class Stages:
    """When things happened to a segment. Wall ms for `created`, monotonic seconds for the rest."""

    queued_ms: int
    batch_ms: int = 0
    inference_ms: int = 0
    batch_size: int = 0

    def timings(self) -> StageTimings:
        return StageTimings(max(0, self.queued_ms), max(0, self.batch_ms), max(0, self.inference_ms))


def engine_item(segment: Segment, features: FeatureConfig | None = None) -> EngineItem:
    """The segment as the engine takes it; `features`: the front end it takes instead of samples, if any.

    Raises `BadAudio` when the audio is not what it claims, `UnsupportedCodec` when nobody here can read it.
    """
    if segment.samples <= 0:
        raise BadAudio("the segment has no samples")
    if segment.codec == "mel_u8":
        if features is None:
            raise UnsupportedCodec(
                "this pool's engine takes samples, not features: set WS_SEGMENT_CODEC to pcm16, flac or opus"
            )
        logs = mel.decode(segment.audio, features)
        return EngineItem(None, segment.options, logs, segment.samples)
    pcm = to_float(_samples(segment))
    if pcm.size != segment.samples:
        raise BadAudio(f"the segment claims {segment.samples} samples and carries {pcm.size}")
    return EngineItem(pcm, segment.options)


def _samples(segment: Segment) -> bytes:
    """PCM16 of a segment."""
    if segment.codec == "pcm16":
        return segment.audio
    if segment.codec == "flac":
        return flac.decode(segment.audio)
    if segment.codec == "opus":
        return opus.decode(segment.audio, segment.samples)
    raise UnsupportedCodec(f"codec {segment.codec!r} is not known to this worker: update it, or send pcm16")


def heard(
    segment: Segment,
    item: EngineItem,
    output: EngineOutput,
    stages: Stages,
    worker_id: WorkerId,
    capabilities: EngineCapabilities,
) -> SegmentResult:
    """A result: what an engine of these `capabilities` heard in the segment's item, times from its start."""
    return SegmentResult(
        session_id=segment.session_id,
        connection_id=segment.connection_id,
        epoch=segment.epoch,
        seq=segment.seq,
        start_sample=segment.start_sample,
        samples=segment.samples,
        trace_id=segment.trace_id,
        outcome="result",
        text=output.text,
        words=output.words,
        phones=output.phones,
        script=capabilities.script,
        language=output.language,
        timings=stages.timings(),
        batch_size=stages.batch_size,
        worker_id=worker_id,
        priority=segment.priority,
        traceparent=segment.traceparent,
        confidence_curves=capabilities.confidence_curves,
        sound=_sound(item, capabilities),
    )


def _sound(item: EngineItem, capabilities: EngineCapabilities) -> SoundFacts | None:
    if item.pcm is not None:
        return sound_facts(item.pcm)
    if item.logs is None or capabilities.features is None:
        return None
    return feature_facts(item.logs, capabilities.features)


def failed(segment: Segment, error: Exception, stages: Stages, worker_id: WorkerId) -> SegmentResult:
    """An error result. Only errors of the shared tree show their sentence to the client."""
    if isinstance(error, RattilError):
        return _ended(segment, "error", error.code, error.message, stages, worker_id)
    message = "this part could not be recognised; keep reciting, the next part is not affected"
    return _ended(segment, "error", DecodeFailed.code, message, stages, worker_id)


def dropped(segment: Segment, code: str, message: str, stages: Stages, worker_id: WorkerId) -> SegmentResult:
    """A dropped result: the segment was accepted, and this says why nobody will decode it."""
    return _ended(segment, "dropped", code, message, stages, worker_id)


def _ended(
    segment: Segment, outcome: Outcome, code: str, message: str, stages: Stages, worker_id: WorkerId
) -> SegmentResult:
    return SegmentResult(
        session_id=segment.session_id,
        connection_id=segment.connection_id,
        epoch=segment.epoch,
        seq=segment.seq,
        start_sample=segment.start_sample,
        samples=segment.samples,
        trace_id=segment.trace_id,
        outcome=outcome,
        code=code,
        message=message,
        language=segment.options.language,
        timings=stages.timings(),
        batch_size=stages.batch_size,
        worker_id=worker_id,
        priority=segment.priority,
        traceparent=segment.traceparent,
    )
