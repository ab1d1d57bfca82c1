"""The bounds of everything the bus stores, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StoreAudio = Literal["session", "tail", "off"]
AudioCodec = Literal["flac", "pcm16"]

AUDIO_BYTES_PER_S = 32_010
"""Stored audio at its largest, bytes a second: PCM16 and a codec byte for each entry of 0.1 s or more."""

SESSION_TTL_S = 600
"""Life of a session's keys after its last chunk (10 min): how long a client may stay away."""

MAX_RESULTS = 8_000
"""An hour in the shortest windows (1 s, half of it overlap) gives 7,200: a resume may need them all."""

MAX_AUDIO_BYTES = 3600 * AUDIO_BYTES_PER_S
"""An hour, the longest session by default: its final report needs all of its audio."""


@dataclass(frozen=True, slots=True)
class BusLimits:
    """How much the bus keeps. One pool has one segment stream per shard; a session has one of the rest.

    `max_stream_length`: segments of one stream, waiting or in work (2,000 of 80 kB are 160 MB).
    `max_audio_bytes`: a session's stored audio, encoded; the oldest goes first.
    `tail_audio_s`: what `store_audio="tail"` keeps before the newest stored sample, seconds.
    `max_results`: entries of a session's result log (approximate, never fewer).
    `max_dead`: entries of the dead-letter stream (approximate).
    `session_ttl_s`: life of a session's keys after their last change, seconds.
    """

    max_stream_length: int = 2_000
    max_audio_bytes: int = MAX_AUDIO_BYTES
    max_results: int = MAX_RESULTS
    max_dead: int = 1_000
    session_ttl_s: int = SESSION_TTL_S
    store_audio: StoreAudio = "session"
    tail_audio_s: float = 30.0
    audio_codec: AudioCodec = "pcm16"
