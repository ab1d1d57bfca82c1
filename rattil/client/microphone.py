"""The microphone of this machine as an audio source; needs the extra `microphone`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Final

from rattil.client.errors import ClientError
from shared.audio.formats import SAMPLE_RATE
from shared.extras import how_to_install

PIECE_S: Final = 0.1
_KEPT_PIECES: Final = int(60 / PIECE_S)
"""A minute waits for a session that cannot take more; then the oldest piece goes."""

Take = Callable[[bytes], None]
OpenInput = Callable[[Take], AbstractContextManager[object]]
"""Starts recording PCM16 mono at `SAMPLE_RATE`; gives each piece to `Take`, in a thread of its own."""


class NoMicrophone(ClientError):
    """There is none, or what is needed to use it is not installed."""


class Microphone:
    """Pieces of 100 ms until `stop`. Use once."""

    def __init__(self, open_input: OpenInput | None = None, device: str | None = None) -> None:
        """`device`: its name or number, as `python -m sounddevice` lists them; default: the system's."""
        self._open = open_input or (lambda take: open_portaudio(take, device))
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_KEPT_PIECES)
        self.dropped = 0
        """Pieces that were thrown away because nobody took them."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises `NoMicrophone`."""
        loop = asyncio.get_running_loop()
        with self._open(lambda piece: _soon(loop, self._keep, piece)):
            while (piece := await self._pieces.get()) is not None:
                yield piece

    def stop(self) -> None:
        """No more is recorded; what was recorded before is still given."""
        self._keep(None)

    def _keep(self, piece: bytes | None) -> None:
        if self._pieces.full():
            self._pieces.get_nowait()
            self.dropped += 1
        self._pieces.put_nowait(piece)


def open_portaudio(take: Take, device: str | None) -> AbstractContextManager[object]:
    """A running recording through PortAudio. Raises `NoMicrophone`."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise NoMicrophone(
            f"the microphone cannot be used ({error}); {how_to_install('microphone')}; "
            "where PortAudio is missing, install that, too (Debian: apt install libportaudio2)"
        ) from error
    try:
        stream: AbstractContextManager[object] = sounddevice.RawInputStream(
            samplerate=SAMPLE_RATE,
            blocksize=int(PIECE_S * SAMPLE_RATE),
            device=int(device) if device and device.isdigit() else device,
            channels=1,
            dtype="int16",
            callback=lambda data, _frames, _time, _status: take(bytes(data)),
        )
    except (ValueError, sounddevice.PortAudioError) as error:
        raise NoMicrophone(f"no microphone can be opened: {error}") from error
    return stream


def _soon(loop: asyncio.AbstractEventLoop, keep: Callable[[bytes | None], None], piece: bytes) -> None:
    """From the thread of the recording; the loop may have ended already."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(keep, piece)
