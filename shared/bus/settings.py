"""The bus part of a service's settings: its settings class inherits this one."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from shared.bus.limits import MAX_AUDIO_BYTES, MAX_RESULTS, SESSION_TTL_S, AudioCodec, BusLimits, StoreAudio
from shared.bus.redis_addresses import parse_urls
from shared.bus.redis_connections import ConnectionLimits


class BusSettings(BaseSettings):
    """Where Redis is and how much may be kept there."""

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,
        description="Redis of sessions, segments and results; several shards separated by commas, "
        "in the same order for every service. redis://, rediss:// (TLS), unix://, or Sentinels: "
        "redis+sentinel://[user:password@]host:26379,host:26379/service/db. No Redis Cluster.",
    )
    control_redis_url: str = Field(
        default="",
        repr=False,
        description="Redis of the worker registry and batch jobs; empty: the first of REDIS_URL.",
    )
    redis_max_connections: int = Field(
        default=16, ge=2, le=512, description="Connections per shard and process for commands."
    )
    bus_max_stream_length: int = Field(
        default=2_000,
        ge=1,
        le=1_000_000,
        description="Segments of one pool on one shard, waiting or in work, before pushes are refused.",
    )
    bus_max_audio_bytes: int = Field(
        default=MAX_AUDIO_BYTES,
        ge=65_536,
        le=512 * 1024 * 1024,
        description="Encoded audio kept per session, bytes. With STORE_AUDIO=session it also bounds the "
        "session, whose report needs all of it: it ends after BUS_MAX_AUDIO_BYTES / 32010 seconds.",
    )
    bus_max_results: int = Field(
        default=MAX_RESULTS, ge=100, le=100_000, description="Results kept per session for replay."
    )
    bus_max_dead: int = Field(
        default=1_000, ge=10, le=100_000, description="Poison segments remembered per shard."
    )
    session_ttl_s: int = Field(
        default=SESSION_TTL_S,
        ge=5,
        le=86_400,
        description="How long a session outlives its last chunk, seconds.",
    )
    store_audio: StoreAudio = Field(
        default="session",
        description="Audio kept in Redis: session (all, bounded), tail (the last STORE_AUDIO_TAIL_S), off.",
    )
    store_audio_tail_s: float = Field(
        default=30.0, ge=1.0, le=600.0, description="Seconds of audio that STORE_AUDIO=tail keeps."
    )
    store_audio_codec: AudioCodec = Field(
        default="pcm16",
        description="How stored audio is written: pcm16 (32 kB per second of audio), or flac (lossless, "
        "0.5-0.7 of the size, 0.2-0.3 ms of gateway CPU per second of audio). Where WS_SEGMENT_CODEC is the "
        "same, audio that a segment carries, too, travels once.",
    )

    def bus_limits(self) -> BusLimits:
        return BusLimits(
            max_stream_length=self.bus_max_stream_length,
            max_audio_bytes=self.bus_max_audio_bytes,
            max_results=self.bus_max_results,
            max_dead=self.bus_max_dead,
            session_ttl_s=self.session_ttl_s,
            store_audio=self.store_audio,
            tail_audio_s=self.store_audio_tail_s,
            audio_codec=self.store_audio_codec,
        )

    def connection_limits(self) -> ConnectionLimits:
        return ConnectionLimits(max_connections=self.redis_max_connections)

    @property
    def control_url(self) -> str:
        """The one Redis of registry and jobs."""
        return self.control_redis_url.strip() or parse_urls(self.redis_url)[0]

    @field_validator("redis_url", "control_redis_url")
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        if value.strip() or info.field_name == "redis_url":
            parse_urls(value)
        return value
