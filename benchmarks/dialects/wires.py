"""One small adapter for each wire format: how to open it, how audio goes in, what a message has heard. Pure.

A message says up to which second of the session the service has heard (`Answer.until_s`). Wires that show
only words that stand cannot say that: there the client asks for an answer (a flush, a commit, the end of the
stream), and the answer is what counts (`Answer.done`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.audio.pcm import to_float

LANGUAGE = "ar"
TCP_END = b""
"""As `Wire.ask` of a TCP connection: its sending half is closed, every turn is a connection."""


class Answer(NamedTuple):
    """Of one message: heard until this second of the session (None: it does not say), whether it answers what
    was asked, what went wrong, and what the service wants to hear at once (empty: nothing)."""

    until_s: float | None = None
    done: bool = False
    trouble: str = ""
    reply: str = ""


class Seen(NamedTuple):
    """What a reader may know besides the message: how many such messages came before, seconds since the first
    sample was due, and the second at which the message before this one came."""

    number: int
    elapsed_s: float
    before_s: float


Read = Callable[[Any, Seen], Answer]


def _as_it_is(pcm: bytes) -> bytes:
    return pcm


def as_float32(pcm: bytes) -> bytes:
    """PCM16 as WhisperLive's clients send it by default."""
    return to_float(pcm).tobytes()


def _append(pcm: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire format. `port`: which of the system's. `greetings`: messages that come before audio is sent.
    `hello`: what the client says first. `ask`: what asks for an answer; None: messages come by themselves."""

    name: str
    path: str
    read: Read
    port: str = "gateway"
    greetings: int = 1
    hello: str | None = None
    frame: Callable[[bytes], str | bytes] = _as_it_is
    ask: str | bytes | None = None
    timed: str = "interim result"


WINDOW_S, HOP_S = 2.5, 2.0
"""Of `/ws/recite` where nothing is adapted."""
VERIFY_WINDOW_S, VERIFY_HOP_S = 1.75, 1.25
"""Of `/ws/verify`: `WS_BUFFER_THRESHOLD` bytes and an overlap of half a second."""


def _recite(message: Any, seen: Seen) -> Answer:
    if message["type"] == "partial_result":
        return Answer(WINDOW_S + HOP_S * message["seq"])
    return _failed(message, message["type"] in ("error", "segment_error"))


def _verify(message: Any, seen: Seen) -> Answer:
    if message["type"] == "partial_result":
        return Answer(VERIFY_WINDOW_S + VERIFY_HOP_S * seen.number)
    return _failed(message, message["type"] == "error")


def _stream(message: Any, seen: Seen) -> Answer:
    if message["type"] == "result":
        return Answer(message["data"]["end_time"])
    if message["type"] == "ping":
        return Answer(reply='{"type":"pong"}')
    return _failed(message, message["type"] == "error")


def _transcriptions(message: Any, seen: Seen) -> Answer:
    if message["type"] == "transcript.partial":
        return Answer(message["end"])
    return _failed(message, message["type"] == "error")


def _deepgram(message: Any, seen: Seen) -> Answer:
    if message["type"] == "Results" and not message["is_final"]:
        return Answer(message["start"] + message["duration"])
    return _failed(message, message["type"] == "Error")


def _whisperlive(message: Any, seen: Seen) -> Answer:
    if message.get("status") in ("ERROR", "WAIT", "WARNING"):
        return Answer(trouble=str(message["message"]))
    segments = message.get("segments") or []
    return Answer(float(segments[-1]["end"])) if segments else Answer()


def _committed_messages(message: Any, seen: Seen) -> Answer:
    return Answer(done=True) if message["type"] == "flushed" else _failed(message, message["type"] == "error")


def _realtime(message: Any, seen: Seen) -> Answer:
    kind = message["type"]
    if kind.endswith("input_audio_transcription.completed"):
        return Answer(done=True)
    return _failed(message, kind == "error" or kind.endswith(".failed"))


def _committed_lines(message: Any, seen: Seen) -> Answer:
    """`message`: a line, or nothing when the server has closed."""
    if not message:
        return Answer(done=True)
    return Answer(trouble=message.strip()) if message.startswith("#") else Answer()


def _failed(message: Any, failed: bool) -> Answer:
    return Answer(trouble=json.dumps(message, ensure_ascii=False)[:200]) if failed else Answer()


def peer_whisperlive(message: Any, seen: Seen) -> Answer:
    """WhisperLive decodes, sends, and starts again with all it has: a message has heard what had been sent
    when the one before it came."""
    if message.get("status") in ("ERROR", "WAIT"):
        return Answer(trouble=str(message["message"]))
    return Answer(seen.before_s) if message.get("segments") else Answer()


def peer_whisperlivekit(message: Any, seen: Seen) -> Answer:
    """WhisperLiveKit says how far behind it is."""
    lines = "".join(line.get("text") or "" for line in message.get("lines") or [])
    if not (lines + (message.get("buffer_transcription") or "")).strip():
        return Answer()
    return Answer(seen.elapsed_s - float(message.get("remaining_time_transcription") or 0.0))


_HELLO = json.dumps(
    {"uid": "bench", "language": LANGUAGE, "task": "transcribe", "model": "", "use_vad": False}
)
_SESSION = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 16000},
            "transcription": {"model": "whisper-1", "language": LANGUAGE},
            "turn_detection": None,
        }
    },
}

WIRES: Mapping[str, Wire] = {
    wire.name: wire
    for wire in (
        Wire("recite", "/ws/recite?surah=1&ayah=1&to=7", _recite, timed="window"),
        Wire("verify", "/ws/verify?surah=1&ayah=1", _verify, greetings=0, timed="window"),
        Wire("stream", "/ws/stream?surah=1&ayah=1&to=7", _stream, timed="look or window"),
        Wire("transcriptions", f"/v1/audio/transcriptions/stream?language={LANGUAGE}", _transcriptions),
        Wire(
            "deepgram",
            "/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true&language=" + LANGUAGE,
            _deepgram,
            greetings=0,
        ),
        Wire("whisperlive", "/ws/whisperlive", _whisperlive, hello=_HELLO, frame=as_float32),
        Wire(
            "committed_messages",
            "/",
            _committed_messages,
            port="stream_ws",
            ask="flush",
            timed="flush to flushed",
        ),
        Wire(
            "committed_lines",
            "",
            _committed_lines,
            port="stream",
            greetings=0,
            ask=TCP_END,
            timed="end to last line",
        ),
        Wire(
            "realtime",
            "/v1/realtime?intent=transcription",
            _realtime,
            greetings=2,
            hello=json.dumps({"type": "session.update", "session": _SESSION}),
            frame=_append,
            ask='{"type":"input_audio_buffer.commit"}',
            timed="commit to completed",
        ),
    )
}
"""Rattil's dialects by their names."""

PEER_WIRES: Mapping[str, Wire] = {
    "whisperlive": Wire("whisperlive", "", peer_whisperlive, hello=_HELLO, frame=as_float32),
    "whisperlivekit": Wire("whisperlivekit", f"/asr?language={LANGUAGE}", peer_whisperlivekit),
}
