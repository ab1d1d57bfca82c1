"""How a window's audio leaves for the bus: as it is, or encoded (`WS_SEGMENT_CODEC`, `STORE_AUDIO_CODEC`).

The features of a window take 0.2 ms and are computed on the event loop; whatever takes longer is done
in threads of its own (FFmpeg's codecs leave the interpreter alone meanwhile).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from gateway.session.segmenter import Window
from gateway.settings import GatewaySettings
from shared.audio import flac, mel, opus
from shared.audio.features import FeatureConfig
from shared.audio.formats import SAMPLE_RATE
from shared.bus.ports import AudioChunk
from shared.ids import PoolName
from shared.pools import DEFAULT_POOL
from shared.protocol.segments import Codec

LONGEST_INLINE_SAMPLES = 5 * SAMPLE_RATE
"""Features of more audio than this take longer than 0.5 ms: they are computed beside the loop, too."""


class EncodedWindow(NamedTuple):
    """`audio`: the segment's, in `codec`; empty for a window that is only stored. `fresh`: what to store."""

    codec: Codec
    audio: bytes
    fresh: AudioChunk | None


@dataclass(frozen=True, slots=True)
class EncodingPlan:
    """`features`: the front end of the model of `pool`. `store_flac`: stored audio is FLAC, too."""

    codec: Codec = "pcm16"
    store_flac: bool = False
    pool: PoolName = DEFAULT_POOL
    features: FeatureConfig = field(default_factory=FeatureConfig)
    opus_bitrate: int = opus.DEFAULT_BITRATE

    @classmethod
    def of(cls, settings: GatewaySettings) -> EncodingPlan:
        """What the settings ask for."""
        return cls(
            settings.segment_codec,
            settings.store_audio_codec == "flac" and settings.store_audio != "off",
            settings.default_pool,
            FeatureConfig(n_mels=settings.mel_bands, hop_length=settings.mel_hop),
            settings.opus_bitrate,
        )

    def in_pool(self, pool: PoolName) -> EncodingPlan:
        """The plan for a session of this pool. Another pool than the one asked for, where the router puts
        sessions when that is full, has a smaller model, maybe with other features: it gets samples."""
        return self if pool == self.pool or self.codec != "mel_u8" else replace(self, codec="pcm16")


class WindowEncoder(Protocol):
    """Encodes windows of any session; the order of one session's windows is its caller's."""

    async def encode(self, window: Window, pool: PoolName) -> EncodedWindow: ...

    def close(self) -> None:
        """Release the threads; nothing is encoded afterwards."""
        ...


class PlainEncoder:
    """`WindowEncoder` for PCM16 as it is: costs nothing."""

    async def encode(self, window: Window, pool: PoolName) -> EncodedWindow:
        return EncodedWindow("pcm16", window.pcm, _chunk(window))

    def close(self) -> None:
        return None


class CodecEncoder:
    """`WindowEncoder` for everything else. Waiting windows are bounded by the connections: each has one."""

    def __init__(self, plan: EncodingPlan, threads: int) -> None:
        self._plan = plan
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="encode")

    async def encode(self, window: Window, pool: PoolName) -> EncodedWindow:
        plan = self._plan.in_pool(pool)
        if _is_quick(window, plan):
            return encode_window(window, plan)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, encode_window, window, plan)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def open_encoder(settings: GatewaySettings) -> WindowEncoder:
    """The encoder for these settings."""
    plan = EncodingPlan.of(settings)
    if plan.codec == "pcm16" and not plan.store_flac:
        return PlainEncoder()
    return CodecEncoder(plan, settings.codec_threads)


def _is_quick(window: Window, plan: EncodingPlan) -> bool:
    """Whether encoding takes so little that a thread would cost more."""
    if plan.store_flac and window.fresh:
        return False
    short = plan.codec == "mel_u8" and len(window.pcm) <= 2 * LONGEST_INLINE_SAMPLES
    return window.seq is None or plan.codec == "pcm16" or short


def encode_window(window: Window, plan: EncodingPlan) -> EncodedWindow:
    """A window as the plan says. FLAC of fresh audio is made once, for the segment and for the store."""
    chunk = _chunk(window)
    if chunk is not None and (plan.store_flac or (plan.codec == "flac" and window.seq is not None)):
        chunk = chunk._replace(flac=flac.encode(chunk.pcm))
    return EncodedWindow(plan.codec, b"" if window.seq is None else _audio(window, chunk, plan), chunk)


def _audio(window: Window, chunk: AudioChunk | None, plan: EncodingPlan) -> bytes:
    if plan.codec == "mel_u8":
        return mel.encode(window.pcm, plan.features)
    if plan.codec == "opus":
        return opus.encode(window.pcm, plan.opus_bitrate)
    if plan.codec == "flac":
        overlap = window.pcm[: len(window.pcm) - len(window.fresh)]
        return flac.encode(overlap) + (chunk.flac if chunk else b"")
    return window.pcm


def _chunk(window: Window) -> AudioChunk | None:
    return AudioChunk(window.fresh_start, window.fresh) if window.fresh else None
