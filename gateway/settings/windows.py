"""The part of the gateway's settings that says how audio becomes windows and segments."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.bus.settings import BusSettings
from shared.protocol.segments import Codec


class WindowSettings(BusSettings):
    """Length of windows, how they adapt, what of them is decoded, and how they travel."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    window_s: float = Field(
        default=2.5,
        validation_alias="WS_WINDOW_SECONDS",
        ge=0.5,
        le=30,
        description="First window length, seconds.",
    )
    overlap_s: float = Field(
        default=0.5,
        validation_alias="WS_OVERLAP_SECONDS",
        ge=0,
        le=5,
        description="Overlap of windows, seconds.",
    )
    window_min_s: float = Field(
        default=1.0,
        validation_alias="WS_WINDOW_MIN",
        ge=0.5,
        le=30,
        description="Shortest adaptive window, seconds.",
    )
    window_max_s: float = Field(
        default=5.0,
        validation_alias="WS_WINDOW_MAX",
        ge=0.5,
        le=30,
        description="Longest adaptive window, seconds.",
    )
    adaptive: bool = Field(
        default=True,
        validation_alias="WS_ADAPTIVE",
        description="Adapt the window of new connections to latency.",
    )
    adaptive_high_ms: float = Field(
        default=800,
        validation_alias="ADAPTIVE_LATENCY_HIGH_MS",
        gt=0,
        description="Above it windows grow by 0.5 s.",
    )
    adaptive_low_ms: float = Field(
        default=300,
        validation_alias="ADAPTIVE_LATENCY_LOW_MS",
        ge=0,
        description="Below it windows shrink by 0.5 s.",
    )
    adaptive_samples: int = Field(
        default=20,
        validation_alias="ADAPTIVE_LATENCY_SAMPLES",
        ge=1,
        le=10_000,
        description="Results between two changes of the window, and length of the rolling average.",
    )
    silence_dbfs: float = Field(
        default=-60.0,
        validation_alias="WS_SILENCE_DBFS",
        ge=-120,
        le=0,
        description="A window with 20 ms louder than this is always decoded; a quieter one if it stands out "
        "from the background. -120 turns the gate off.",
    )
    min_rest_s: float = Field(
        default=0.2,
        validation_alias="WS_MIN_REST_SECONDS",
        ge=0,
        le=5,
        description="New audio at the end (or a flush) shorter than this is stored but not decoded, "
        "except to close what was heard.",
    )
    segment_codec: Codec = Field(
        default="pcm16",
        validation_alias="WS_SEGMENT_CODEC",
        description="How segments carry their audio: pcm16, mel_u8 (8-bit features, an eighth of the bytes; "
        "WS_MEL_BANDS and WS_MEL_HOP must be those of the pool's model), flac (lossless, half; choose "
        "STORE_AUDIO_CODEC=flac with it), opus (lossy, a tenth). See docs/architecture.md.",
    )
    mel_bands: int = Field(
        default=80,
        validation_alias="WS_MEL_BANDS",
        ge=1,
        le=256,
        description="mel_u8: mel bands of the pool's model (feature_size of its preprocessor_config.json).",
    )
    mel_hop: int = Field(
        default=320,
        validation_alias="WS_MEL_HOP",
        ge=80,
        le=1600,
        description="mel_u8: hop_length of the pool's model, samples (bundled model 320, Whisper 160).",
    )
    opus_bitrate: int = Field(
        default=24_000,
        validation_alias="WS_OPUS_BITRATE",
        ge=6000,
        le=64_000,
        description="opus: bits per second.",
    )
    codec_threads: int = Field(
        default=2,
        validation_alias="WS_CODEC_THREADS",
        ge=1,
        le=64,
        description="Threads of one gateway process that encode FLAC and Opus.",
    )
    buffer_threshold: int = Field(
        default=40_000,
        validation_alias="WS_BUFFER_THRESHOLD",
        ge=3200,
        le=4_000_000,
        description="/ws/verify: bytes of PCM between two partial decodes.",
    )
    partial_interval_s: float = Field(
        default=1.0,
        validation_alias="WS_PARTIAL_RESULT_INTERVAL",
        ge=0.1,
        le=60,
        description="/ws/verify: shortest time between two partial results, seconds.",
    )

    @model_validator(mode="after")
    def _windows_make_sense(self) -> Self:
        if self.window_min_s > self.window_max_s:
            raise ValueError("WS_WINDOW_MIN must not exceed WS_WINDOW_MAX")
        if self.overlap_s * 2 > min(self.window_s, self.window_min_s):
            raise ValueError("WS_OVERLAP_SECONDS must be at most half of WS_WINDOW_SECONDS and WS_WINDOW_MIN")
        if self.adaptive_low_ms >= self.adaptive_high_ms:
            raise ValueError("ADAPTIVE_LATENCY_LOW_MS must be below ADAPTIVE_LATENCY_HIGH_MS")
        return self
