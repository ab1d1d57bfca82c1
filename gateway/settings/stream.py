"""The part of the gateway's settings that belongs to `/ws/stream`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class StreamSettings(BaseSettings):
    """How many connections `/ws/stream` has, and how it finds those that are gone."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    max_stream_connections: int = Field(
        default=100,
        validation_alias="MAX_CONNECTIONS",
        ge=1,
        le=1_000_000,
        description="/ws/stream: live connections of this process; they count in WS_MAX_CONNECTIONS, too. "
        "One more is refused with no_capacity and closed with 4013.",
    )
    ping_s: float = Field(
        default=10.0,
        validation_alias="WS_PING_SECONDS",
        ge=0.1,
        le=3600,
        description="/ws/stream: every so many seconds the client is sent a ping.",
    )
    pong_s: float = Field(
        default=20.0,
        validation_alias="WS_PONG_SECONDS",
        ge=0.1,
        le=3600,
        description="/ws/stream: time to answer a ping, seconds; who takes longer is closed with 4012.",
    )

    @property
    def connections_by_protocol(self) -> Mapping[str, int]:
        """How many connections a protocol may have, where that is fewer than all together."""
        return {"stream": self.max_stream_connections}

    @model_validator(mode="after")
    def _an_answer_may_take_a_while(self) -> Self:
        if self.pong_s < self.ping_s:
            raise ValueError("WS_PONG_SECONDS must not be less than WS_PING_SECONDS")
        return self
