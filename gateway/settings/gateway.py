"""Settings of the gateway, all from environment variables (see docs/configuration.md)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pydantic
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from gateway.settings.access import AccessSettings
from gateway.settings.circuits import CircuitSettings
from gateway.settings.connections import ConnectionSettings
from gateway.settings.enhancement import EnhancementSettings
from gateway.settings.pools import PoolSettings
from gateway.settings.stream import StreamSettings
from gateway.settings.transcription import TranscriptionSettings
from gateway.settings.uploads import UploadSettings
from shared.audio.formats import SAMPLE_RATE
from shared.bus.limits import AUDIO_BYTES_PER_S
from shared.service.http_settings import HttpSettings
from shared.service.logging import LogFormat
from shared.service.service_keys import parse_service_keys
from shared.service.tracing_settings import TracingSettings


class GatewaySettings(
    StreamSettings,
    TranscriptionSettings,
    PoolSettings,
    UploadSettings,
    EnhancementSettings,
    CircuitSettings,
    ConnectionSettings,
    AccessSettings,
    HttpSettings,
    TracingSettings,
):
    """One gateway process. Its bounds of connections, windows, uploads and access are beside this file."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    # -- where -------------------------------------------------------------------------------------
    port: int = Field(
        default=8000, validation_alias="PORT", ge=0, le=65535, description="Port; 0 takes a free one."
    )
    admin_host: str = Field(
        default="127.0.0.1", validation_alias="ADMIN_HOST", description="Address of ADMIN_PORT."
    )
    admin_port: int = Field(
        default=0,
        validation_alias="ADMIN_PORT",
        ge=0,
        le=65535,
        description="A second port with /health, /ready and /metrics, where no API key is asked for: for "
        "probes and Prometheus, never for clients; 0: none. With API_KEYS, /metrics on PORT needs a key.",
    )
    router_url: str = Field(
        default="",
        validation_alias="ROUTER_URL",
        repr=False,
        description="Session routers, comma-separated; empty admits everybody.",
    )
    router_api_keys: str = Field(
        default="",
        validation_alias="ROUTER_API_KEYS",
        repr=False,
        description="Keys of the session routers, comma-separated as they take them; the first one is sent.",
    )
    log_level: str = Field(
        default="info",
        validation_alias="LOG_LEVEL",
        pattern="(?i)^(debug|info|warning|error)$",
        description="Log level.",
    )
    log_format: LogFormat = Field(
        default="auto", validation_alias="LOG_FORMAT", description="auto, json or console."
    )

    bus_refuse_at: float = Field(
        default=0.85,
        validation_alias="BUS_REFUSE_AT",
        gt=0,
        le=1,
        description="Share of a Redis shard's maxmemory from which new sessions are refused (storage_full); "
        "half-way from there to the limit, and before less than 20 MB are left, sessions that live have to "
        "keep their audio until there is room.",
    )

    # -- faults ------------------------------------------------------------------------------------
    bus_grace_s: float = Field(
        default=20,
        validation_alias="BUS_GRACE_S",
        ge=0,
        description="How long a session waits for an absent Redis.",
    )
    segment_timeout_s: float = Field(
        default=30,
        validation_alias="SEGMENT_TIMEOUT_S",
        gt=0,
        description="After it a segment is dropped(timeout).",
    )
    segment_check_s: float = Field(
        default=2.0,
        validation_alias="SEGMENT_CHECK_S",
        gt=0,
        description="A result later than this is looked for in the session's result log.",
    )
    segment_deadline_s: float = Field(
        default=20,
        validation_alias="SEGMENT_DEADLINE_S",
        gt=0,
        description="Deadline that segments carry for workers.",
    )
    session_end_grace_s: int = Field(
        default=60,
        validation_alias="SESSION_END_GRACE_S",
        ge=0,
        le=86_400,
        description="How long audio and results outlive the end of their session, seconds: for a client that "
        "missed the last event and comes back.",
    )
    batch_timeout_s: float = Field(
        default=60,
        validation_alias="VERIFY_TIMEOUT_S",
        gt=0,
        description="Longest wait for the final report, seconds, and 0.25 s more for each second of audio.",
    )
    lease_renew_s: float = Field(
        default=8.0,
        validation_alias="LEASE_RENEW_S",
        gt=0,
        description="Interval of renewing leases, seconds.",
    )
    lease_grace_s: float = Field(
        default=20.0,
        validation_alias="LEASE_GRACE_S",
        ge=0,
        le=600,
        description="After a disconnect the session's slot is kept for its client for so long, seconds.",
    )
    refusal_memory_s: float = Field(
        default=1.0,
        validation_alias="REFUSAL_MEMORY_S",
        ge=0,
        le=60,
        description="A router's no_capacity counts for other new sessions, too, for at most so long, s.",
    )
    demo_samples: str = Field(
        default="",
        validation_alias="DEMO_SAMPLES",
        description="Folder with sample recitations for the demo page; `rattil up` gives its own.",
    )
    reference_recitation: str = Field(
        default="",
        validation_alias="REFERENCE_RECITATION",
        description="Folder with a recitation for the page's listen mode: one file for each verse, sura and "
        "verse in three digits each, as in 112001.opus; empty: no listen mode.",
    )
    drain_s: float = Field(
        default=10.0,
        validation_alias="DRAIN_SECONDS",
        ge=0,
        description="On SIGTERM sessions are moved over this time.",
    )

    usage_flush_s: float = Field(
        default=10.0,
        validation_alias="USAGE_FLUSH_S",
        ge=0.1,
        le=600,
        description="How often usage is added up in Redis, seconds; a killed gateway forgets so much.",
    )
    usage_days: int = Field(
        default=92,
        validation_alias="USAGE_DAYS",
        ge=1,
        le=3660,
        description="Days that usage is kept for GET /v1/usage.",
    )

    @pydantic.field_validator("router_url")
    @classmethod
    def _check_router_url(cls, value: str) -> str:
        for url in filter(None, (part.strip() for part in value.split(","))):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("it must list addresses such as http://router:8100, separated by commas")
            parts.port  # noqa: B018 (raises ValueError for a port that is none)
        return value

    @pydantic.model_validator(mode="after")
    def _check_router_api_keys(self) -> GatewaySettings:
        # Not a check of the field: that one would show the key in its refusal.
        try:
            parse_service_keys(self.router_api_keys)
        except ValueError as error:
            raise ValueError(f"ROUTER_API_KEYS: {error}") from None
        return self

    @pydantic.model_validator(mode="after")
    def _no_entry_without_a_key(self) -> GatewaySettings:
        if self.stream_enabled and self.api_keys and not self.allow_anonymous:
            raise ValueError(
                "STREAM_ENABLED opens a TCP port that carries no key, but API_KEYS is set: whoever reaches "
                "STREAM_PORT could use this service. Turn one of them off, or set ALLOW_ANONYMOUS=true"
            )
        return self

    @property
    def pool_choices(self) -> tuple[str, ...]:
        """Every pool that a transcription may name."""
        return tuple(dict.fromkeys((*(one.pool for one in self.pool_models), *self.transcription_only)))

    @property
    def router_api_key(self) -> str:
        """What this gateway sends to routers; empty: nothing."""
        return next(iter(parse_service_keys(self.router_api_keys)), "")

    @property
    def session_limit_s(self) -> float:
        """The longest session, seconds of audio: what is asked for, or what can be kept for its report."""
        if self.store_audio != "session":
            return self.max_session_s
        return min(self.max_session_s, self.bus_max_audio_bytes // AUDIO_BYTES_PER_S)

    @property
    def max_buffer_samples(self) -> int:
        """Bound of the backlog; never below two of the longest windows, or none could fill."""
        return int(max(self.max_buffer_s, 2 * self.window_max_s, 2 * self.window_s) * SAMPLE_RATE)
