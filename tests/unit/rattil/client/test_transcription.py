"""A transcription session of the Python client: its query, its events, its resume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

from rattil.client import ReconnectPolicy, Transcription
from rattil.client.transcription import (
    Ack,
    SessionBegin,
    SessionEnd,
    TranscriptFinal,
    TranscriptPartial,
)
from tests.unit.rattil.client.scripted_server import Visit, scripted_server

RATE = 8_000
TALK = bytes(range(256)) * 125
"""32,000 bytes: 2 s at 8 kHz; every position is recognisable."""


async def talk() -> AsyncIterator[bytes]:
    for start in range(0, len(TALK), 3200):
        yield TALK[start : start + 3200]


async def begin(visit: Visit, *, resumed: bool = False, offset: int = 0, next_seq: int = 0) -> None:
    await visit.say(
        type="session.begin", session_id="talk-1", resumed=resumed, offset=offset, next_seq=next_seq
    )


async def test_a_broken_transcription_goes_on_where_audio_was_acknowledged() -> None:
    async def breaks(visit: Visit) -> None:
        await begin(visit)
        await visit.hear(4_800)
        await visit.say(type="ack", offset=4_000)
        await visit.say(type="transcript.partial", seq=0, utterance=0, text="one two", stable_text="one")
        await asyncio.sleep(0.05)
        visit.socket.transport.abort()

    async def resumes(visit: Visit) -> None:
        await begin(visit, resumed=True, offset=4_000, next_seq=1)
        await visit.say(type="transcript.partial", seq=0, utterance=0, text="one two", stable_text="one")
        await visit.hear_to_the_end()
        await visit.say(type="transcript.final", seq=1, utterance=0, text="one two three")
        await visit.say(type="session.end", transcript="one two three")
        await visit.socket.wait_closed()

    async with scripted_server(breaks, resumes) as server:
        session = Transcription(
            server.url,
            language="ar",
            sample_rate=RATE,
            word_timestamps="true",
            policy=ReconnectPolicy(base_s=0.001, cap_s=0.002),
            rng=Random(1),
        )
        events = [event async for event in session.stream(talk())]
    first, second = server.visits
    assert first.path == "/v1/audio/transcriptions/stream"
    assert first.query == {"language": "ar", "sample_rate": "8000", "word_timestamps": "true"}
    assert second.query.items() >= {"session_id": "talk-1", "offset": "4000", "last_seq": "0"}.items()
    assert second.pcm == TALK[8_000:]
    assert second.commands == ['{"type":"end"}']
    kinds = [SessionBegin, Ack, TranscriptPartial, SessionBegin, TranscriptFinal, SessionEnd]
    assert [type(event) for event in events] == kinds
    assert session.reconnects == 1
