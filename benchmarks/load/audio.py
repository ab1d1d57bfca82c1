"""What the reciters say: ready-made WebSocket frames, shared by all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asr_worker.engines.scripted import speak
from benchmarks.load.websocket import BINARY, frame
from benchmarks.speech import recordings
from shared.audio.formats import SAMPLE_RATE
from shared.recitation.reference.passage import VerseRange, load_passage

Voice = Literal["speech", "scripted"]

SPEECH = "fatiha_clean"
SCRIPTED_PASSAGE = "78:1-16"
"""About 60 words and half a minute at the scripted engine's ten sounds a second: a usual session."""


@dataclass(frozen=True, slots=True)
class Programme:
    """A recitation cut into frames; reciters begin at different frames and start over at the end."""

    passage: VerseRange
    frames: list[bytes]
    frame_samples: int

    def query(self) -> str:
        """The passage as `/ws/recite` wants it."""
        first, last = self.passage
        return f"surah={first.surah}&ayah={first.ayah}&to={last.ayah}"


def programme(voice: Voice, frame_ms: int) -> Programme:
    """The bundled recitation, or audio that the scripted engine hears as a perfect one."""
    step = frame_ms * SAMPLE_RATE // 1000
    if voice == "speech":
        recording = recordings()[SPEECH]
        passage, pcm = VerseRange.parse(recording.sample.verses), recording.pcm
    else:
        passage = VerseRange.parse(SCRIPTED_PASSAGE)
        sounds = [sound for word in load_passage(passage).words for sound in word.phones]
        pcm = speak(sounds).tobytes()
    whole = len(pcm) // (2 * step) * 2 * step
    frames = [frame(BINARY, pcm[at : at + 2 * step]) for at in range(0, whole, 2 * step)]
    return Programme(passage, frames, step)
