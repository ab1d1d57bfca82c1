"""Reciters in the other dialects: the same schedule and the same way back, another wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection

from tests.e2e.history import Event, History
from tests.e2e.reciter import Recital, Reciter


class Transcriber(Reciter):
    """One session of the transcription stream, resumed wherever it broke."""

    opening = "session.begin"
    seq_events = frozenset({"transcript.partial", "transcript.final", "error"})
    last_events = frozenset({"session.end"})

    def _url(self, base_url: str) -> str:
        query: dict[str, str | int] = {"language": "ar", "enable_vad": "false", "word_timestamps": "true"}
        if self._session_id:
            query |= {"session_id": self._session_id, "last_seq": self._last_seq, "offset": self._acked}
        return f"{base_url}/v1/audio/transcriptions/stream?{urlencode(query)}"


class Beginner(Reciter):
    """One recitation through `/ws/verify`, which has no resume: after a break it begins anew."""

    def __init__(self, name: str, urls: list[str], recital: Recital, deadline_s: float = 90.0) -> None:
        super().__init__(name, urls, recital, deadline_s)
        self.broken: list[History] = []
        """What was received before each break."""

    async def _opened(self, socket: ClientConnection) -> int | None:
        if self.history.connections:
            self.broken.append(self.history)
            self.history = History(self.history.name, connections=self.history.connections)
        self._started_s = asyncio.get_running_loop().time()
        self._sent = 0
        return 0

    async def _receive(self, socket: ClientConnection) -> Event:
        event = await super()._receive(socket)
        if self._done and not self.has_sent_everything:
            # The gateway leaves: it reports what it has heard, and says to come back. Nothing can be resumed.
            self._done = False
        return event

    def _url(self, base_url: str) -> str:
        recital = self._recital
        query = {"surah": recital.surah, "ayah": recital.ayah, "to": recital.to or recital.ayah}
        return f"{base_url}/ws/verify?{urlencode(query)}"


def transcript_violations(history: History, said: Sequence[str]) -> list[str]:
    """Where a transcript that was heard over several connections is not what was said, once."""
    found = []
    seqs = [int(event["seq"]) for event in history.events if "seq" in event]
    if seqs != list(range(len(seqs))):  # there is something to show for each look
        found.append(f"{history.name}: events lost, doubled or out of order: {seqs}")
    finals = history.of("transcript.final")
    numbers = [event["utterance"] for event in finals]
    if numbers != list(range(len(finals))):
        found.append(f"{history.name}: utterances are {numbers}")
    ends = history.of("session.end")
    if len(ends) != 1:
        found.append(f"{history.name}: {len(ends)} ends")
    for event in [*history.of("error"), *(one for one in history.of("warning") if "gap" in one)]:
        found.append(f"{history.name}: {event}")
    written = [word for event in finals for word in event["text"].split()]
    if written != list(said):
        where = first_difference(written, said)
        found.append(f"{history.name}: {len(written)} words, {len(said)} were said; {where}")
    if ends and ends[0]["transcript"].split() != written:
        found.append(f"{history.name}: the transcript at the end is another one")
    return found


def first_difference(written: Sequence[str], said: Sequence[str]) -> str:
    for place, (one, other) in enumerate(zip(written, said, strict=False)):
        if one != other:
            return f"word {place} is {one!r}, not {other!r}"
    return "one is the beginning of the other"
