"""The part of the gateway's settings that says how speech of any kind is transcribed."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from gateway.settings.windows import WindowSettings

Overflow = Literal["degrade", "queue", "reject"]
OVERFLOWS: tuple[Overflow, ...] = get_args(Overflow)


class TranscriptionSettings(WindowSettings):
    """How often a transcript is looked at again, and where utterances begin and end."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    interim_s: float = Field(
        default=1.0,
        validation_alias="TRANSCRIPT_INTERIM_SECONDS",
        ge=0.3,
        le=10,
        description="Transcription: new audio between two looks at an utterance, seconds.",
    )
    utterance_max_s: float = Field(
        default=8.0,
        validation_alias="TRANSCRIPT_UTTERANCE_MAX_SECONDS",
        ge=2,
        le=29,
        description="Transcription: an utterance without a pause is cut after so many seconds, "
        "at its quietest moment.",
    )
    overflow: Overflow = Field(
        default="degrade",
        validation_alias="TRANSCRIPT_OVERFLOW",
        description="Transcription under load, where a client does not choose with `overflow`: `degrade` "
        "lowers the quality of new sessions, `queue` lets audio wait, `reject` refuses new sessions while "
        "results are late, and sends away who lags.",
    )
    lag_warn_s: float = Field(
        default=3.0,
        validation_alias="LAG_WARN_S",
        gt=0,
        description="A client of live transcription is warned when its results lag so much, seconds.",
    )
    lag_longest_s: float = Field(
        default=5.0,
        validation_alias="LAG_LONGEST_S",
        gt=0,
        description="With `overflow=reject`: a lag beyond it, for longer than LAG_FOR_S, ends the "
        "connection; while most results of its model take longer, a new session is refused; seconds.",
    )
    lag_for_s: float = Field(
        default=2.0,
        validation_alias="LAG_FOR_S",
        ge=0,
        description="How long a lag may be beyond LAG_LONGEST_S, seconds.",
    )
    vad_threshold: float = Field(
        default=0.5,
        validation_alias="VAD_THRESHOLD",
        gt=0.15,
        lt=1,
        description="Transcription, /ws/stream: a frame is speech from this probability of the detector on.",
    )
    vad_endpoint_ms: int = Field(
        default=700,
        validation_alias="VAD_ENDPOINT_MS",
        ge=200,
        le=5000,
        description="Transcription, /ws/stream: silence that ends an utterance, ms, unless the client says.",
    )
    transcription_pools: str = Field(
        default="",
        validation_alias="TRANSCRIPTION_POOLS",
        description="Worker pools that only transcriptions may choose by `model`, comma-separated; "
        "every kind of session may choose those of POOLS.",
    )

    transcribe_timeout_s: float = Field(
        default=60,
        validation_alias="TRANSCRIBE_TIMEOUT_S",
        gt=0,
        description="Longest wait for the transcript of an uploaded recording, seconds, and 1 s more for "
        "each second of audio.",
    )
    sse_keepalive_s: float = Field(
        default=15,
        validation_alias="SSE_KEEPALIVE_S",
        ge=0.05,
        le=300,
        description="Server-sent events: after so many seconds without an event a comment is sent, so that "
        "no proxy takes the connection for dead.",
    )

    stream_enabled: bool = Field(
        default=False,
        validation_alias="STREAM_ENABLED",
        description="Serve committed lines over raw TCP on STREAM_PORT and over WebSocket on STREAM_WS_PORT. "
        "TCP carries no key: with API_KEYS it also needs ALLOW_ANONYMOUS.",
    )
    stream_port: int = Field(
        default=43007,
        validation_alias="STREAM_PORT",
        ge=0,
        le=65535,
        description="TCP port of committed lines (PCM16 in, `begin_ms end_ms text` out); 0 takes a free one.",
    )
    stream_ws_port: int = Field(
        default=43008,
        validation_alias="STREAM_WS_PORT",
        ge=0,
        le=65535,
        description="Port of the same over WebSocket (`ready`, `final`; `flush`); 0 takes a free one.",
    )
    stream_language: str = Field(
        default="ar",
        validation_alias="STREAM_LANGUAGE",
        pattern="^[a-z]{2,3}$",
        description="Language of what is said on STREAM_PORT and STREAM_WS_PORT, and by clients of "
        "WhisperLive that name none.",
    )
    whisperlive_port: int = Field(
        default=0,
        validation_alias="WHISPERLIVE_PORT",
        ge=0,
        le=65535,
        description="A port that speaks WhisperLive's protocol at any path, as its clients expect it "
        "(9090); 0: none. /ws/whisperlive on PORT speaks it always.",
    )

    @property
    def transcription_only(self) -> tuple[str, ...]:
        """The pools that only transcriptions may choose."""
        return tuple(name.strip() for name in self.transcription_pools.split(",") if name.strip())

    @model_validator(mode="after")
    def _looks_fit_into_utterances(self) -> Self:
        if self.interim_s > self.utterance_max_s:
            raise ValueError("TRANSCRIPT_INTERIM_SECONDS must not exceed TRANSCRIPT_UTTERANCE_MAX_SECONDS")
        return self
