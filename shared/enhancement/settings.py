"""The setting that turns on keeping recordings; gateways and workers must have the same."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from shared.enhancement.store import check_url


class RecordingSettings(BaseSettings):
    """Where recordings are kept for `enhance_on_end`, if anywhere."""

    recordings_url: str = Field(
        default="",
        validation_alias="RECORDINGS_URL",
        description="Where the audio of sessions with enhance_on_end=true is kept until it is transcribed, "
        "and the transcript after that: file:///folder (a volume that gateways and workers share) or "
        "s3://bucket/prefix (keys and endpoint from AWS_*). Empty: nothing is kept, and enhance_on_end is "
        "refused. Needs the extra `recordings`; gateways and workers alike.",
    )

    @field_validator("recordings_url")
    @classmethod
    def _check_recordings_url(cls, value: str) -> str:
        if value:
            check_url(value)
        return value
