"""The part of the gateway's settings that says when a service that fails is not asked for a while."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class CircuitSettings(BaseSettings):
    """The circuit breakers before routers, verify jobs and Redis shards."""

    circuit_failures: int = Field(
        default=5,
        validation_alias="CIRCUIT_FAILURES",
        ge=1,
        le=1000,
        description="Failures in a row after which routers, a Redis shard or the verify jobs are not asked "
        "for new requests for a while; live sessions go on trying.",
    )
    circuit_open_s: float = Field(
        default=60,
        validation_alias="CIRCUIT_OPEN_S",
        ge=1,
        le=3600,
        description="Longest pause before one request tries them again, seconds; the first is 1 s, each one "
        "twice as long. A live session that gets through ends it.",
    )
