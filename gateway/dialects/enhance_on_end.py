"""`enhance_on_end`: the session's audio is kept at its end and heard once more, whole."""

from __future__ import annotations

from gateway.description.dialect import Parameter
from gateway.dialects.query import Query, flag
from gateway.settings import GatewaySettings
from shared.errors import BadRequest

PARAMETER = Parameter(
    "enhance_on_end",
    {"type": "boolean", "default": False},
    "Keep the audio and transcribe it once more, whole, after the end; where RECORDINGS_URL is set.",
)


def read_enhance(query: Query, settings: GatewaySettings) -> bool:
    """Whether the query asks for it. Raises `BadRequest` where no recordings are kept."""
    wanted = flag(query, PARAMETER.name, False)
    if wanted and not settings.recordings_url:
        raise BadRequest("enhance_on_end=true cannot be used: this service keeps no recordings; leave it out")
    return wanted
