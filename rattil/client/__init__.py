"""The Python client: stream audio, iterate events, survive broken connections (docs/clients/python.md).

async with Transcription("ws://127.0.0.1:8000", language="en") as session:
    async for event in session.stream(pieces(read_file(Path("talk.wav")), realtime=True)):
        print(event)
"""

from __future__ import annotations

from rattil.client.errors import ClientError, GaveUp, Refused, UnreadableEvent
from rattil.client.recitation import Recitation
from rattil.client.resume import ReconnectPolicy
from rattil.client.session import Listener, Session
from rattil.client.sound_source import pieces, read_file
from rattil.client.transcription import Transcription

__all__ = [
    "ClientError",
    "GaveUp",
    "Listener",
    "Recitation",
    "ReconnectPolicy",
    "Refused",
    "Session",
    "Transcription",
    "UnreadableEvent",
    "pieces",
    "read_file",
]
