"""The part of the gateway's settings that bounds uploads: their size, time, number, and decoding."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from gateway.settings.windows import WindowSettings


class UploadSettings(WindowSettings):
    """What one uploaded recording may cost, and how many of them there may be at once."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    verify_max_bytes: int = Field(
        default=33_554_432,
        validation_alias="VERIFY_MAX_BYTES",
        ge=65_536,
        le=268_435_456,
        description="Largest recording of a POST (/verify, /v1/audio/transcriptions, /v1/listen), bytes.",
    )
    verify_max_s: float = Field(
        default=600,
        validation_alias="VERIFY_MAX_SECONDS",
        gt=0,
        le=1200,
        description="Longest recording of a POST (/verify, /v1/audio/transcriptions, /v1/listen), seconds.",
    )
    verify_max_concurrent: int = Field(
        default=8,
        validation_alias="VERIFY_MAX_CONCURRENT",
        ge=1,
        le=256,
        description="Uploads in work at once.",
    )
    verify_max_per_tenant: int = Field(
        default=4,
        validation_alias="VERIFY_MAX_PER_TENANT",
        ge=1,
        le=256,
        description="Uploads in work at once for one tenant (where there are API keys).",
    )
    verify_max_per_address: int = Field(
        default=4,
        validation_alias="VERIFY_MAX_PER_ADDRESS",
        ge=1,
        le=256,
        description="Uploads in work at once from one IPv4 address or one /64 of IPv6.",
    )
    upload_timeout_s: float = Field(
        default=120,
        validation_alias="UPLOAD_TIMEOUT_S",
        gt=0,
        le=3600,
        description="Longest time for the body of an upload to arrive, seconds.",
    )
    upload_min_rate: float = Field(
        default=4096,
        validation_alias="UPLOAD_MIN_RATE",
        ge=0,
        description="Least mean rate of an upload, bytes a second; 0: none.",
    )
    upload_grace_s: float = Field(
        default=10,
        validation_alias="UPLOAD_GRACE_S",
        ge=0,
        description="An upload may be below that rate by so much time, seconds.",
    )
    decode_processes: int = Field(
        default=2,
        validation_alias="DECODE_PROCESSES",
        ge=1,
        le=64,
        description="Processes that decode uploads at once, each one recording; one more waits.",
    )
    decode_timeout_s: float = Field(
        default=60,
        validation_alias="DECODE_TIMEOUT_S",
        gt=0,
        le=600,
        description="Longest time to decode an upload, the wait for a process included, seconds.",
    )
    decode_cpu_s: int = Field(
        default=30,
        validation_alias="DECODE_CPU_S",
        ge=1,
        le=600,
        description="CPU time to decode an upload, seconds.",
    )
    decode_memory_mb: int = Field(
        default=1024,
        validation_alias="DECODE_MEMORY_MB",
        ge=0,
        description="Address space of a process that decodes an upload, MB (not on macOS); 0: no limit.",
    )

    @model_validator(mode="after")
    def _a_recording_fits_into_its_process(self) -> Self:
        least_mb = 256 + 2 * self.verify_max_bytes // 1_000_000
        if 0 < self.decode_memory_mb < least_mb:
            raise ValueError(f"DECODE_MEMORY_MB must be at least {least_mb} for this VERIFY_MAX_BYTES")
        return self
