"""What clients of `/ws/recite` and `/ws/verify` receive for fixed audio, written down to be compared later.

Each case talks to a running gateway in lockstep: it sends the audio of one window and waits for its answer,
so the same audio always makes the same windows. `python -m tests.e2e.golden_cases WS_URL FOLDER` records
the cases of the server at WS_URL, which must run with `SETTINGS`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import websockets
from websockets.asyncio.client import ClientConnection, connect

from cli.sample_files import samples_folder
from shared.audio.decode import decode_audio
from tests.e2e.golden_streams import Event, Stream, steady, store
from tests.e2e.reciter import close_code

SETTINGS: Final = {
    "WS_ADAPTIVE": "false",
    "WS_PARTIAL_RESULT_INTERVAL": "0.1",
    "WS_MAX_BAD_MESSAGES": "3",
    "WS_MAX_PASSAGE_WORDS": "600",
    "WS_IDLE_TIMEOUT": "20",
    "ASR_THREADS": "1",
    "LOG_LEVEL": "warning",
}
IKHLAS: Final[dict[str, object]] = {"surah": 112, "ayah": 1, "to": 4}
FATIHA: Final[dict[str, object]] = {"surah": 1, "ayah": 1, "to": 7}
RATE: Final = 16_000
OVERLAP_S: Final = 0.5
QUIET_S: Final = 4.0
"""No result for so long after an `ack` means that the window was silent and is not decoded."""


@dataclass
class Talk:
    """One connection, and what came over it."""

    socket: ClientConnection
    events: list[Event] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    close: int | None = None

    async def receive(self, within_s: float = 30.0) -> Event:
        async with asyncio.timeout(within_s):
            event: Event = json.loads(await self.socket.recv())
        if event["type"] == "ack":
            self.acks.append(event["offset"])
        else:
            self.events.append(event)
        return event

    async def until(self, wanted: Callable[[Event], bool], within_s: float = 30.0) -> Event:
        async with asyncio.timeout(within_s):
            while not wanted(event := await self.receive(within_s)):
                pass
            return event

    async def rest(self) -> None:
        """Everything up to the close."""
        try:
            while True:
                await self.receive()
        except websockets.ConnectionClosed as closed:
            self.close = close_code(closed)

    def stream(self) -> Stream:
        return {"acks": self.acks, "events": [steady(event) for event in self.events], "close": self.close}


@asynccontextmanager
async def talk(url: str, query: Mapping[str, object], path: str = "/ws/recite") -> AsyncIterator[Talk]:
    address = f"{url}{path}?{urlencode(query)}"
    async with connect(address, compression=None, ping_interval=None, max_size=None) as socket:
        yield Talk(socket)


def sample(name: str) -> bytes:
    """PCM16 of a recitation that comes with the command line."""
    return decode_audio((samples_folder() / f"{name}.opus").read_bytes())


def _is_ack(offset: int) -> Callable[[Event], bool]:
    return lambda event: bool(event["type"] == "ack" and event["offset"] >= offset)


def _is_result(event: Event) -> bool:
    return event["type"] in ("partial_result", "error")


async def lockstep(
    talk: Talk, pcm: bytes, window_s: float, start: int = 0, windows: int | None = None
) -> int:
    """Send window by window from sample `start`; returns the first sample that was not sent."""
    window, hop = int(window_s * RATE), int((window_s - OVERLAP_S) * RATE)
    sent, due, total = start, start + hop if start else window, len(pcm) // 2
    made = 0
    while due <= total and (windows is None or made < windows):
        await talk.socket.send(pcm[2 * sent : 2 * due])
        await _answered(talk, due)
        sent, due, made = due, due + hop, made + 1
    return sent


async def _answered(talk: Talk, offset: int) -> None:
    count = sum(1 for event in talk.events if _is_result(event))
    await talk.until(_is_ack(offset))
    if sum(1 for event in talk.events if _is_result(event)) > count:
        return
    try:
        await talk.until(_is_result, QUIET_S)
    except TimeoutError:
        return


async def _recited(url: str, name: str, window_s: float) -> Stream:
    pcm = sample(name)
    async with talk(url, FATIHA | {"window": window_s}) as running:
        await running.receive()
        sent = await lockstep(running, pcm, window_s)
        await running.socket.send(pcm[2 * sent :])
        await running.socket.send("end")
        await running.rest()
        return running.stream()


async def clean_short(url: str) -> Stream:
    return await _recited(url, "fatiha_clean", 1.0)


async def clean_long(url: str) -> Stream:
    return await _recited(url, "fatiha_clean", 2.5)


async def mistakes_short(url: str) -> Stream:
    return await _recited(url, "fatiha_mistakes", 1.0)


async def mistakes_long(url: str) -> Stream:
    return await _recited(url, "fatiha_mistakes", 2.5)


async def resumed(url: str) -> Stream:
    """Cut off in mid-verse; the client comes back having seen one event less than was sent."""
    pcm, verses, window_s = sample("ikhlas_clean"), IKHLAS | {"window": 1.5}, 1.5
    async with talk(url, verses) as first:
        ready = await first.receive()
        await lockstep(first, pcm, window_s, windows=4)
        seqs = [event["seq"] for event in first.events if "seq" in event]
    claim = {"session_id": ready["session_id"], "last_seq": seqs[-2], "offset": first.acks[-1]}
    async with talk(url, verses | claim) as second:
        again = await second.receive()
        await second.until(_is_result)
        sent = await lockstep(second, pcm, window_s, int(again["offset"]))
        await second.socket.send(pcm[2 * sent :])
        await second.socket.send("end")
        await second.rest()
    return {"first": first.stream(), "second": second.stream()}


async def flushed(url: str) -> Stream:
    """`flush`, `ping`, the older words and shapes of commands, odd frames."""
    pcm = sample("ikhlas_clean")
    async with talk(url, IKHLAS | {"window": 2.5}) as running:
        await running.receive()
        await running.socket.send("ping")
        await running.until(lambda event: event["type"] == "pong")
        await running.socket.send('{"type":"config","sample_rate":16000}')
        await running.socket.send(pcm[:30_001])
        await running.socket.send(pcm[30_001:48_000])
        await running.socket.send('{"type":"flush"}')
        await running.until(_is_result)
        await running.socket.send("STOP")
        await running.rest()
        return running.stream()


async def verify_socket(url: str) -> Stream:
    """`/ws/verify` cuts windows of 1.75 s with the usual settings, and paces its partial results."""
    pcm, window_s = sample("ikhlas_clean"), 1.75
    async with talk(url, IKHLAS, "/ws/verify") as running:
        sent, due = 0, int(window_s * RATE)
        while due <= len(pcm) // 2:
            await running.socket.send(pcm[2 * sent : 2 * due])
            await running.until(_is_result)
            await asyncio.sleep(0.15)
            sent, due = due, due + int((window_s - OVERLAP_S) * RATE)
        await running.socket.send(pcm[2 * sent :])
        await running.socket.send("end")
        await running.rest()
        return running.stream()


async def refusals(url: str) -> Stream:
    """Every error a client can cause by what it asks for."""
    asked: dict[str, dict[str, object]] = {
        "no_verse": {},
        "not_a_number": {"surah": "one", "ayah": 1},
        "unknown_verse": {"surah": 112, "ayah": 9},
        "no_such_sura": {"surah": 115, "ayah": 1},
        "passage_too_long": {"surah": 2, "ayah": 1, "to": 100},
        "sample_rate": {"surah": 112, "ayah": 1, "sample_rate": 48000},
        "window_out_of_bounds": {"surah": 112, "ayah": 1, "window": 99},
        "bad_session_id": {"surah": 112, "ayah": 1, "session_id": "short"},
    }
    streams: Stream = {}
    for name, query in asked.items():
        for path in ("/ws/recite", "/ws/verify"):
            async with talk(url, query, path) as running:
                if path == "/ws/verify" and name in ("window_out_of_bounds", "bad_session_id"):
                    continue
                await running.rest()
                streams[f"{path} {name}"] = running.stream()
    return streams


async def misuse(url: str) -> Stream:
    """Errors of a session that runs: bad text, a frame too big, another passage, taken over, no audio."""
    verses = IKHLAS
    streams: Stream = {}
    async with talk(url, verses) as running:
        await running.receive()
        for text in ("what", "{", '{"type":"config","sample_rate":8000}'):
            await running.socket.send(text)
        await running.rest()
        streams["bad_messages"] = running.stream()
    async with talk(url, verses) as running:
        await running.receive()
        await running.socket.send(bytes(262_146))
        await running.rest()
        streams["frame_too_big"] = running.stream()
    async with talk(url, verses) as running:
        await running.receive()
        await running.socket.send("end")
        await running.rest()
        streams["no_audio"] = running.stream()
    async with talk(url, verses) as running:
        ready = await running.receive()
        async with talk(url, {"surah": 1, "ayah": 1, "session_id": ready["session_id"]}) as other:
            await other.rest()
            streams["passage_mismatch"] = other.stream()
        async with talk(url, verses | {"session_id": ready["session_id"]}) as newer:
            await newer.receive()
            await running.rest()
            streams["superseded"] = running.stream()
            streams["supersedes"] = newer.stream()
    claim = {"session_id": secrets.token_urlsafe(12), "last_seq": 4, "offset": 80_000}
    async with talk(url, verses | claim) as running:
        await running.receive()
        streams["state_lost"] = running.stream()
    return streams


CASES: Final[dict[str, Callable[[str], Awaitable[Stream]]]] = {
    case.__name__: case
    for case in (
        clean_short,
        clean_long,
        mistakes_short,
        mistakes_long,
        resumed,
        flushed,
        verify_socket,
        refusals,
        misuse,
    )
}


async def record(url: str, folder: Path, names: list[str]) -> None:
    for name in names or CASES:
        store(name, await CASES[name](url), folder)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
