"""Paced clients of the peers, and how late their text is.

Peers number no segments, so marks are set into the audio where Rattil's segments end: every 2 s from
2.5 s on. A mark is answered by the first message with text that can have heard it, with a tolerance
in the peer's favour; whether the text is right is not asked. WhisperLiveKit says itself how far it
has heard (`remaining_time_transcription`). WhisperLive decodes, sends, and starts again with all it
has: a message has heard what had been sent when the one before it came. (Its segments' `end` would
judge it worse: a model without time tokens leaves them meaningless.) The latency runs from the
mark's last sample sent to that message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.servers import Dialect
from benchmarks.speech import recordings
from shared.audio.formats import SAMPLE_RATE
from shared.audio.pcm import to_float

FRAME_MS = 250
FIRST_MARK_S = 2.5
MARK_EVERY_S = 2.0
TOLERANCE_S = 0.3
GRACE_S = 5.0
SPEECH = "fatiha_clean"


@dataclass(slots=True)
class PeerSession:
    """What one client noted: when each mark was sent and answered (loop time, s)."""

    sent_s: dict[float, float] = field(default_factory=dict)
    answered_s: dict[float, float] = field(default_factory=dict)
    messages: int = 0
    last_message_s: float = 0.0
    text: str = ""
    trouble: str = ""

    def covered(self, until_s: float, at_s: float) -> None:
        """The peer has heard everything before `until_s`."""
        for mark in self.sent_s:
            if mark - TOLERANCE_S <= until_s:
                self.answered_s.setdefault(mark, at_s)

    def latencies_ms(self) -> list[float]:
        return [1000 * (self.answered_s[mark] - self.sent_s[mark]) for mark in self.answered_s]

    @property
    def missed(self) -> int:
        """Marks that no text ever covered."""
        return len(self.sent_s) - len(self.answered_s)


async def stream(dialect: Dialect, port: int, number: int, seconds: float) -> PeerSession:
    """One session: connect, recite in real time, wait a little for what is still to come."""
    session = PeerSession()
    url = f"ws://127.0.0.1:{port}" + ("/asr?language=ar" if dialect == "whisperlivekit" else "")
    try:
        async with connect(url, open_timeout=30, ping_interval=None, max_size=None) as socket:
            await _open(dialect, socket, number)
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            listener = asyncio.create_task(_listen(dialect, socket, session, began_s), name="peer-listen")
            try:
                await _recite(dialect, socket, session, began_s, number, seconds)
                until_s = loop.time() + GRACE_S
                while session.missed and loop.time() < until_s and not listener.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            finally:
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)
    except (OSError, ConnectionClosed, TimeoutError) as error:
        session.trouble = f"{type(error).__name__}: {error}"
    return session


async def _open(dialect: Dialect, socket: ClientConnection, number: int) -> None:
    if dialect == "whisperlive":
        hello = {
            "uid": f"bench-{number}",
            "language": "ar",
            "task": "transcribe",
            "model": "",
            "use_vad": False,
        }
        await socket.send(json.dumps(hello))
    async with asyncio.timeout(30):
        await socket.recv()  # SERVER_READY, or the configuration


async def _recite(
    dialect: Dialect,
    socket: ClientConnection,
    session: PeerSession,
    began_s: float,
    number: int,
    seconds: float,
) -> None:
    loop = asyncio.get_running_loop()
    frames = _frames(dialect)
    first = (7 * number) % len(frames)
    marks = [FIRST_MARK_S + MARK_EVERY_S * n for n in range(int((seconds - FIRST_MARK_S) / MARK_EVERY_S) + 1)]
    for place in range(int(seconds * 1000 / FRAME_MS)):
        await asyncio.sleep(max(0.0, began_s + place * FRAME_MS / 1000 - loop.time()))
        await socket.send(frames[(first + place) % len(frames)])
        said_s = (place + 1) * FRAME_MS / 1000
        while marks and marks[0] <= said_s:
            session.sent_s[marks.pop(0)] = loop.time()


def _frames(dialect: Dialect) -> list[bytes]:
    pcm = recordings()[SPEECH].pcm
    step = 2 * SAMPLE_RATE * FRAME_MS // 1000
    pieces = [pcm[at : at + step] for at in range(0, len(pcm) // step * step, step)]
    if dialect == "whisperlivekit":
        return pieces
    return [to_float(piece).astype(np.float32).tobytes() for piece in pieces]


async def _listen(dialect: Dialect, socket: ClientConnection, session: PeerSession, began_s: float) -> None:
    loop = asyncio.get_running_loop()
    read = _READERS[dialect]
    async for message in socket:
        now_s = loop.time()
        covered_s, text = read(json.loads(message), now_s - began_s, session.last_message_s)
        session.messages += 1
        session.last_message_s = now_s - began_s
        if text:
            session.text = text
            session.covered(covered_s, now_s)


def _whisperlive(message: dict[str, Any], elapsed_s: float, before_s: float) -> tuple[float, str]:
    segments = message.get("segments") or []
    return before_s, " ".join(segment["text"].strip() for segment in segments)


def _whisperlivekit(message: dict[str, Any], elapsed_s: float, before_s: float) -> tuple[float, str]:
    lines = " ".join(line.get("text") or "" for line in message.get("lines") or [])
    text = f"{lines} {message.get('buffer_transcription') or ''}".strip()
    return elapsed_s - float(message.get("remaining_time_transcription") or 0.0), text


Reader = Callable[[dict[str, Any], float, float], tuple[float, str]]
"""(message, s since the start, the same of the message before) to (s of audio heard, text)."""
_READERS: dict[Dialect, Reader] = {"whisperlive": _whisperlive, "whisperlivekit": _whisperlivekit}
