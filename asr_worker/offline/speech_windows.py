"""Where speech is in a whole recording, and how it is cut into windows for the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from faster_whisper.vad import VadOptions, get_speech_timestamps

from asr_worker.offline.chunking import Chunk
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import Samples, as_float

PAD_MS = 300
"""Audio around speech that belongs to it: soft beginnings and endings are below any threshold."""
SILENCE_MS = 500
"""A silence that may be left out; speech that goes on for longer than a window is cut at a shorter one."""
JOINED_PAUSE_S = 3.0
"""A longer pause is not decoded: models invent text for silence."""
BLOCK_S = 600
"""The detector looks at so much at once: it needs several times the memory of what it looks at."""


def find_speech(pcm: Samples, longest_s: float) -> list[Chunk]:
    """Stretches with speech, in order, none longer than `longest_s`, by Silero's model. Blocking."""
    options = VadOptions(
        max_speech_duration_s=longest_s, min_silence_duration_ms=SILENCE_MS, speech_pad_ms=PAD_MS
    )
    return [
        Chunk(start + span["start"], start + span["end"])
        for start in range(0, pcm.size, BLOCK_S * SAMPLE_RATE)
        for span in get_speech_timestamps(as_float(pcm[start : start + BLOCK_S * SAMPLE_RATE]), options)
    ]


def joined(speech: Sequence[Chunk], longest: int) -> list[Chunk]:
    """Windows of at most `longest` samples that cover the speech and the short pauses in it. Pure.

    As few as possible: an engine that pads to 30 s takes as long for a word as for a minute's half.
    """
    windows: list[Chunk] = []
    for span in _within(speech, longest):
        last = windows[-1] if windows else None
        near = last is not None and span.start - last.end <= JOINED_PAUSE_S * SAMPLE_RATE
        if last is not None and near and span.end - last.start <= longest:
            windows[-1] = Chunk(last.start, span.end)
        else:
            windows.append(Chunk(span.start if last is None else max(span.start, last.end), span.end))
    return windows


def _within(speech: Iterable[Chunk], longest: int) -> Iterator[Chunk]:
    """The same, cut where it is longer than a window."""
    for span in speech:
        for start in range(span.start, span.end, longest):
            yield Chunk(start, min(start + longest, span.end))
