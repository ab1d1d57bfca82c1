"""The microphone as an audio source: what a thread records comes out in order, and bounded."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from rattil.client.microphone import Microphone, NoMicrophone, Take, open_portaudio


@contextmanager
def recording(take: Take, pieces: int) -> Iterator[object]:
    """Another thread records numbered pieces, as a sound card's callback does."""

    def record() -> None:
        for number in range(pieces):
            take(number.to_bytes(4, "little"))

    thread = Thread(target=record)
    thread.start()
    thread.join()
    yield None


async def test_pieces_come_in_order_and_end_when_it_is_stopped() -> None:
    microphone = Microphone(lambda take: recording(take, 20))
    heard = []
    async for piece in microphone.pieces():
        heard.append(int.from_bytes(piece, "little"))
        if len(heard) == 20:
            microphone.stop()
    assert heard == list(range(20))


async def test_the_oldest_sound_goes_when_nobody_takes_any() -> None:
    microphone = Microphone(lambda take: recording(take, 700))
    pieces = microphone.pieces()
    taking = asyncio.ensure_future(anext(pieces))
    first = int.from_bytes(await taking, "little")
    assert microphone.dropped == 700 - 600
    assert first == microphone.dropped
    microphone.stop()
    assert len([piece async for piece in pieces]) > 500


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoMicrophone, match=r"'\.\[microphone\]'"):
        open_portaudio(lambda piece: None, None)
