"""The part of the gateway's settings that bounds one connection and one session of it."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.protocol.jobs import MAX_RECORDING_S


class ConnectionSettings(BaseSettings):
    """What a client may send, how fast and for how long, and what may wait for it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    max_queue: int = Field(
        default=3,
        validation_alias="WS_MAX_QUEUE",
        ge=1,
        le=64,
        description="Segments in flight per connection; at the bound windows are kept, server_busy is set.",
    )
    coalesce: bool = Field(
        default=True,
        validation_alias="WS_COALESCE",
        description="Audio held back at WS_MAX_QUEUE is cut into one window of up to WS_WINDOW_MAX, "
        "not into several.",
    )
    max_buffer_s: float = Field(
        default=15.0,
        validation_alias="WS_MAX_BUFFER_SECONDS",
        ge=1,
        le=120,
        description="Audio waiting in one connection's buffer before its socket is no longer read, seconds.",
    )
    ws_max_connections: int = Field(
        default=1200,
        validation_alias="WS_MAX_CONNECTIONS",
        ge=1,
        description="Live connections of this process.",
    )
    max_frame_bytes: int = Field(
        default=262_144,
        validation_alias="WS_MAX_FRAME_BYTES",
        ge=1024,
        le=4_194_304,
        description="Largest binary frame; a larger one closes with 1009.",
    )
    max_text_bytes: int = Field(
        default=8192,
        validation_alias="WS_MAX_TEXT_BYTES",
        ge=64,
        le=65_536,
        description="Largest text frame.",
    )
    max_bad_messages: int = Field(
        default=20,
        validation_alias="WS_MAX_BAD_MESSAGES",
        ge=1,
        description="Unknown or malformed text frames before the connection is closed with 1008.",
    )
    max_passage_words: int = Field(
        default=1500,
        validation_alias="WS_MAX_PASSAGE_WORDS",
        ge=1,
        le=6000,
        description="Longest passage of one session, words (every event lists them all).",
    )
    audio_rate: float = Field(
        default=16.0,
        validation_alias="WS_MAX_AUDIO_RATE",
        ge=1,
        description="Audio read per second of time, as a multiple of real time; above it reading slows down.",
    )
    audio_burst_s: float = Field(
        default=30.0,
        validation_alias="WS_AUDIO_BURST_SECONDS",
        ge=1,
        description="Audio free of that rate, seconds.",
    )
    max_session_s: float = Field(
        default=3600,
        validation_alias="WS_MAX_SESSION_SECONDS",
        ge=1,
        le=MAX_RECORDING_S,
        description="Audio of one session, seconds. At it the session ends as after `end`: the report comes, "
        "then 4503. `ready` tells it.",
    )
    max_connection_s: float = Field(
        default=7200,
        validation_alias="WS_MAX_CONNECTION_SECONDS",
        ge=1,
        description="Life of one connection, seconds. At it the session ends as after `end`.",
    )
    idle_timeout_s: float = Field(
        default=60,
        validation_alias="WS_IDLE_TIMEOUT",
        gt=0,
        description="Without audio for it (0.1 s of audio at least): closed.",
    )
    first_audio_s: float = Field(
        default=20,
        validation_alias="WS_FIRST_AUDIO_TIMEOUT",
        gt=0,
        description="A connection that has sent no audio for it since it was opened is closed, seconds.",
    )
    frames_per_s: float = Field(
        default=2_000,
        validation_alias="WS_MAX_FRAMES_PER_SECOND",
        ge=10,
        description="Frames read per second of one client; above it reading slows down.",
    )
    control_frames_per_s: float = Field(
        default=500,
        validation_alias="WS_MAX_CONTROL_FRAMES_PER_SECOND",
        ge=10,
        description="Pings, pongs and fragments per second of one WebSocket; more for 5 s closes with 1008.",
    )
    outbox_bytes: int = Field(
        default=1_048_576,
        validation_alias="WS_OUTBOX_BYTES",
        ge=4096,
        description="Events waiting for one client, bytes; above it the client is too slow and is closed.",
    )
    outbox_events: int = Field(
        default=1024, validation_alias="WS_OUTBOX_EVENTS", ge=8, description="The same, counted in events."
    )
    send_timeout_s: float = Field(
        default=15,
        validation_alias="WS_SEND_TIMEOUT",
        gt=0,
        description="Longest time one event may take to send.",
    )
    send_buffer_bytes: int = Field(
        default=131_072,
        validation_alias="WS_SEND_BUFFER_BYTES",
        ge=16_384,
        description="Kernel send buffer of a socket (SO_SNDBUF): what a client that never reads costs.",
    )
