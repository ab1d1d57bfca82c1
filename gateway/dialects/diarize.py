"""`diarize`: voices in one channel are told apart, in transcripts of whole recordings."""

from __future__ import annotations

from gateway.description.dialect import Parameter
from gateway.dialects.query import Query, flag
from gateway.settings import GatewaySettings
from shared.errors import BadRequest

PARAMETER = Parameter(
    "diarize",
    {"type": "boolean", "default": False},
    "Tell voices in one channel apart in the second transcript: only with `enhance_on_end=true`, and where "
    "SPEAKER_MODEL is set. Else it is refused with diarization_unavailable.",
)
_OTHERWISE = "send each speaker as a channel with multichannel=true, or leave it out"


class DiarizationUnavailable(BadRequest):
    """Voices in one channel are to be told apart where that cannot be done."""

    code = "diarization_unavailable"


def read_diarize(query: Query, settings: GatewaySettings, whole: bool) -> bool:
    """Whether it is asked for. `whole`: whether there will be a transcript of a whole recording.

    Raises `DiarizationUnavailable` where it cannot be done, `BadRequest` for what is no yes or no.
    """
    if not flag(query, PARAMETER.name, False):
        return False
    if not settings.speaker_model:
        raise DiarizationUnavailable(
            f"diarize=true cannot be served: SPEAKER_MODEL is not set on this service; {_OTHERWISE}"
        )
    if not whole:
        raise DiarizationUnavailable(
            "diarize=true cannot be served live: voices are told apart in recordings that are sent whole "
            f"and in the second transcript (enhance_on_end=true); {_OTHERWISE}"
        )
    return True
