"""What an error's `fallback` advises: what helps against that very error."""

from __future__ import annotations

from collections.abc import Mapping

UPLOAD = "Use POST /verify with full audio of the recitation"
_CORRECT = "Correct the request and connect again"
_COMMANDS = "Send audio as binary frames, and end, flush or ping as text"
_WAIT = "Nothing is lost: go on, and send in real time"
_LATER = "Wait as long as retry_after_s says, then connect again"
_RESUME = "Connect again and resume: nothing that was acked is lost"

_ADVICE: Mapping[str, str] = {
    "bad_message": _COMMANDS,
    "bad_request": _CORRECT,
    "unknown_verse": _CORRECT,
    "passage_too_long": "Choose fewer verses and connect again",
    "no_audio": "Send a recording with speech in it",
    "unknown_model": "Choose one of the models that the message names, or none",
    "passage_mismatch": "Resume with the passage of that session, or start a new one without session_id",
    "unsupported_sample_rate": "Resample to 16000 Hz, 16-bit, mono, or upload a file: POST /verify",
    "frame_too_big": "Send frames of 200 to 500 ms",
    "unauthorised": "Bring an API key of this service",
    "audio_too_fast": _WAIT,
    "server_busy": _WAIT,
    "idle_timeout": "Connect again and resume when there is audio",
    "session_busy": _LATER,
    "superseded": "Nothing, if the newer connection is yours",
    "draining": _RESUME,
    "internal": _RESUME,
    "bus_unavailable": _RESUME,
    "no_capacity": _LATER,
    "no_worker": _LATER,
    "storage_full": _LATER,
    "too_many_sessions": "End another session of yours first, or ask the operator for more",
    "router_unavailable": _LATER,
    "queue_full": _LATER,
    "unavailable": _LATER,
}


def advice(code: str) -> str:
    """One sentence; the recording itself can be uploaded against whatever has no better help."""
    return _ADVICE.get(code, UPLOAD)
