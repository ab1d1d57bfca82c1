"""Recitations made of square waves: each word of a passage is a tone whose amplitude is its number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.audio.formats import SAMPLE_RATE
from shared.hearing import HeardWord
from shared.protocol.segments import Segment, SegmentResult, StageTimings
from shared.recitation.reference.passage import Passage, VerseRange, load_passage

FATIHA = load_passage(VerseRange.parse("1:1-7"))
WORD_MS = 400
PAUSE_MS = 100
_AMPLITUDE = 200
_WORD_SAMPLES = SAMPLE_RATE * WORD_MS // 1000
_PAUSE_SAMPLES = SAMPLE_RATE * PAUSE_MS // 1000
_LEAST_HEARD = 0.6


def recite(words: Sequence[int]) -> bytes:
    """PCM16 of these words (indices into the passage), 400 ms each with 100 ms between them."""
    parts = []
    for word in words:
        tone = np.full(_WORD_SAMPLES, (word + 1) * _AMPLITUDE, dtype="<i2")
        tone[1::2] *= -1
        parts += [tone, np.zeros(_PAUSE_SAMPLES, dtype="<i2")]
    return b"".join(part.tobytes() for part in parts)


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * SAMPLE_RATE) * 2)


def listen(segment: Segment, passage: Passage = FATIHA) -> SegmentResult:
    """What a perfect engine hears in a segment: the words of which it holds most."""
    samples = np.abs(np.frombuffer(segment.audio, dtype="<i2").astype(np.int32))
    edges = np.flatnonzero(np.diff(samples)) + 1
    heard = []
    for start, end in zip([0, *edges], [*edges, len(samples)], strict=True):
        word = samples[start] // _AMPLITUDE - 1
        if word >= 0 and end - start >= _LEAST_HEARD * _WORD_SAMPLES:
            text = passage.words[word].spelling
            heard.append(HeardWord(text, int(start) // 16, int(end) // 16))
    return SegmentResult(
        session_id=segment.session_id,
        connection_id=segment.connection_id,
        epoch=segment.epoch,
        seq=segment.seq,
        start_sample=segment.start_sample,
        samples=segment.samples,
        trace_id=segment.trace_id,
        outcome="result",
        text=" ".join(word.text for word in heard),
        words=tuple(heard),
        script="uthmani",
        timings=StageTimings(queued_ms=3, batch_ms=1, inference_ms=20),
        priority=segment.priority,
    )
