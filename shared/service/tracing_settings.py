"""Settings of traces, the same in every service that makes spans."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TracingSettings(BaseSettings):
    """Off unless an endpoint is set."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    tracing_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        pattern="^(https?://.+)?$",
        description="Where traces of segments go: an OTLP receiver over HTTP, such as http://127.0.0.1:4318; "
        "empty: nothing is traced. Needs the extra `otel`.",
    )
    trace_share: float = Field(
        default=0.01,
        validation_alias="OTEL_TRACES_SAMPLER_ARG",
        ge=0,
        le=1,
        description="Share of segments that are traced; workers trace what gateways chose.",
    )
    trace_queue: int = Field(
        default=2048,
        validation_alias="OTEL_BSP_MAX_QUEUE_SIZE",
        ge=64,
        le=65536,
        description="Spans that wait to be sent; beyond it spans are dropped and the log says so.",
    )
