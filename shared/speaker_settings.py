"""Settings of telling voices apart, the same for gateways and workers."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class SpeakerSettings(BaseSettings):
    """Whether, and with which model, voices in one channel are told apart."""

    speaker_model: str = Field(
        default="",
        validation_alias="SPEAKER_MODEL",
        description="What tells voices in one channel apart (diarize=true): bundled for the model that comes "
        "with the source, or an ONNX file that takes and gives what that does. Empty: diarize=true is "
        "refused. Gateways and workers alike; gateways only look whether it is set.",
    )
