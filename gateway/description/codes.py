"""The codes that clients may meet, as types of messages and as schemas.

`code` fields of messages are annotated with these types, so that a schema that is made from a message
names the codes; the wire and the speed of encoding are those of a plain `str`.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

import msgspec

from shared.recitation.live.feedback import NoticeCode

_SCHEMAS = "#/components/schemas/"

ErrorCode = Annotated[str, msgspec.Meta(extra_json_schema={"$ref": f"{_SCHEMAS}ErrorCode"})]
"""The code of an error of docs/protocol.md."""

AdviceCode = Annotated[str, msgspec.Meta(extra_json_schema={"$ref": f"{_SCHEMAS}NoticeCode"})]
"""The code of something about the sound that the speaker can mend."""

WarningCode = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "anyOf": [{"$ref": f"{_SCHEMAS}{name}"} for name in ("ErrorCode", "NoticeCode", "ServiceCode")]
        }
    ),
]
"""Any of them, or one of `SERVICE_CODES`."""

SERVICE_CODES = ("enhancement_dropped", "quality_lowered")
"""What the service tells of its own state. Nothing is wrong with the session."""

ERROR_CODES = (
    "asr_failed",
    "audio_lost",
    "audio_too_fast",
    "bad_audio",
    "bad_content_type",
    "bad_message",
    "bad_request",
    "bus_unavailable",
    "diarization_unavailable",
    "draining",
    "expired",
    "frame_too_big",
    "head_timeout",
    "head_too_large",
    "host_not_allowed",
    "idle_timeout",
    "internal",
    "lagging",
    "line_too_long",
    "method_not_allowed",
    "no_audio",
    "no_capacity",
    "no_pong",
    "no_worker",
    "not_found",
    "origin_not_allowed",
    "overloaded",
    "passage_mismatch",
    "passage_too_long",
    "poison",
    "queue_full",
    "recordings_full",
    "router_unavailable",
    "server_busy",
    "session_busy",
    "session_mismatch",
    "session_too_long",
    "state_lost",
    "storage_full",
    "store_unavailable",
    "superseded",
    "timeout",
    "too_large",
    "too_many_sessions",
    "too_many_silent",
    "too_many_sockets",
    "too_many_uploads",
    "unauthorised",
    "unavailable",
    "unknown_job",
    "unknown_model",
    "unknown_session",
    "unknown_verse",
    "unsupported_codec",
    "unsupported_sample_rate",
    "unsupported_version",
    "upload_too_slow",
    "verify_timeout",
)
"""Every code of an error, whichever way it comes. A test compares with the sources and docs/protocol.md."""


def code_schemas() -> dict[str, dict[str, Any]]:
    """The schemas that the annotations name."""
    return {
        "ErrorCode": {
            "description": "What went wrong, for machines. What each means stands in docs/protocol.md.",
            "enum": list(ERROR_CODES),
        },
        "NoticeCode": {
            "description": "Something about the sound that the speaker can mend.",
            "enum": sorted(get_args(NoticeCode)),
        },
        "ServiceCode": {
            "description": "What the service tells of its own state; nothing is wrong with the session.",
            "enum": list(SERVICE_CODES),
        },
    }
