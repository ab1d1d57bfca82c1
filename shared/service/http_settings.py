"""The HTTP part of a service's settings: its settings class inherits this one."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from shared.service.http_limits import HttpLimits

_DEFAULTS = HttpLimits()


class HttpSettings(BaseSettings):
    """What one socket and one address may cost a service before and while it asks for something."""

    http_max_line_bytes: int = Field(
        default=_DEFAULTS.max_line_bytes,
        validation_alias="HTTP_MAX_LINE_BYTES",
        ge=1024,
        le=65_536,
        description="Longest address of a request, bytes; a longer one is answered with 414.",
    )
    http_max_head_bytes: int = Field(
        default=_DEFAULTS.max_head_bytes,
        validation_alias="HTTP_MAX_HEAD_BYTES",
        ge=4096,
        le=1_048_576,
        description="Largest head of a request (all header lines), bytes; a larger one is answered with 431.",
    )
    http_head_timeout_s: float = Field(
        default=_DEFAULTS.head_timeout_s,
        validation_alias="HTTP_HEAD_TIMEOUT_S",
        gt=0,
        le=300,
        description="Time for a whole request head, seconds; a socket that is slower is answered with 408.",
    )
    http_max_silent_per_address: int = Field(
        default=_DEFAULTS.max_silent_per_address,
        validation_alias="HTTP_MAX_SILENT_PER_ADDRESS",
        ge=1,
        le=65_536,
        description="Sockets of one address that have not sent a whole request head within a second.",
    )
    http_max_sockets: int = Field(
        default=_DEFAULTS.max_sockets,
        validation_alias="HTTP_MAX_SOCKETS",
        ge=16,
        le=1_000_000,
        description="Sockets at once (a gateway adds WS_MAX_CONNECTIONS); one more is answered with 503. "
        "The limit of open files (ulimit -n) must have room for them.",
    )

    def http_limits(self, more_sockets: int = 0) -> HttpLimits:
        """`more_sockets`: what a service holds by a limit of its own beside plain requests."""
        return HttpLimits(
            max_line_bytes=self.http_max_line_bytes,
            max_head_bytes=self.http_max_head_bytes,
            head_timeout_s=self.http_head_timeout_s,
            max_silent_per_address=self.http_max_silent_per_address,
            max_sockets=self.http_max_sockets + more_sockets,
        )
