"""The HTTP operation of Deepgram's dialect, for the OpenAPI document."""

from __future__ import annotations

from gateway.description.dialect import BINARY
from gateway.description.operation import Answer, Operation
from gateway.dialects.deepgram import recordings
from gateway.dialects.deepgram.description import RECORDING_PARAMETERS
from gateway.dialects.deepgram.refusals import Refusal

_REFUSED = (Refusal,)

OPERATIONS = (
    Operation(
        "post",
        recordings.PATH,
        "listen",
        "Transcribe a whole recording, for Deepgram's clients. The body is the file as it is.",
        {
            200: Answer("The transcript.", (recordings.Answer,)),
            400: Answer("`INVALID_QUERY_PARAMETER` or `INVALID_AUDIO`.", _REFUSED),
            401: Answer("`INVALID_AUTH`: no API key, or an unknown one.", _REFUSED),
            408: Answer("`INVALID_AUDIO`: the recording did not arrive in time.", _REFUSED),
            413: Answer("`PAYLOAD_TOO_LARGE`: the body is larger than VERIFY_MAX_BYTES.", _REFUSED),
            429: Answer("`TOO_MANY_REQUESTS`: the caller has as many uploads in work as it may.", _REFUSED),
            500: Answer("`INTERNAL_SERVER_ERROR`: a fault of the service.", _REFUSED),
            503: Answer("`SERVICE_UNAVAILABLE`: try again later.", _REFUSED),
        },
        RECORDING_PARAMETERS,
        {BINARY: {"schema": {"type": "string", "format": "binary"}}},
        keyed=True,
        prefix="deepgram.",
    ),
)
