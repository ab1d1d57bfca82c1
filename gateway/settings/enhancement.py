"""The part of the gateway's settings that bounds kept recordings and their transcripts."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from gateway.settings.windows import WindowSettings
from shared.enhancement.settings import RecordingSettings
from shared.speaker_settings import SpeakerSettings


class EnhancementSettings(RecordingSettings, SpeakerSettings, WindowSettings):
    """How long and how much is kept for `enhance_on_end`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    recordings_keep_s: float = Field(
        default=86_400,
        validation_alias="RECORDINGS_KEEP_S",
        ge=60,
        le=31_536_000,
        description="How long an enhanced transcript is kept, and how long a recording may wait for a "
        "worker, seconds. Audio is deleted as soon as it is transcribed.",
    )
    recordings_max_bytes: int = Field(
        default=10_737_418_240,
        validation_alias="RECORDINGS_MAX_BYTES",
        ge=1_048_576,
        description="What may be kept in RECORDINGS_URL, bytes; above it further recordings are not taken "
        "(warning enhancement_dropped). An hour is 115 MB.",
    )
    recordings_sweep_s: float = Field(
        default=60,
        validation_alias="RECORDINGS_SWEEP_S",
        ge=0.1,
        le=3600,
        description="How often what is too old is deleted, and jobs without an outcome are handed to workers "
        "again, seconds.",
    )

    @model_validator(mode="after")
    def _recordings_need_audio(self) -> Self:
        if self.recordings_url and self.store_audio != "session":
            raise ValueError("RECORDINGS_URL needs STORE_AUDIO=session: else there is no whole recording")
        return self
