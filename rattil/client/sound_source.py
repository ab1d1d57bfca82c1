"""Where a client's audio comes from: a file of any common format, or raw PCM16 on standard input."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from shared.audio.decode import decode_file
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadAudio

BYTES_PER_SECOND = SAMPLE_RATE * 2
PIECE_S = 0.2
"""Length of the pieces a file is cut into: what a microphone client would send, seconds."""

_HEADER_BYTES = 12
_FILE_MARKS = (
    ("WAV", 8, b"WAVE"),
    ("W64", 0, b"riff"),
    ("AIFF", 0, b"FORM"),
    ("MP3", 0, b"ID3"),
    ("FLAC", 0, b"fLaC"),
    ("Ogg", 0, b"OggS"),
    ("WebM", 0, b"\x1a\x45\xdf\xa3"),
    ("MP4", 4, b"ftyp"),
    ("AMR", 0, b"#!AMR"),
    ("CAF", 0, b"caff"),
    ("AU", 0, b".snd"),
)
"""Format, where its mark is, the mark. A recording of a microphone does not begin so: it begins quietly."""


def read_file(path: Path) -> bytes:
    """The whole file as 16 kHz mono PCM16. Raises `BadAudio`."""
    return decode_file(path)


async def pieces(pcm: bytes, *, realtime: bool) -> AsyncIterator[bytes]:
    """`pcm` in pieces of 200 ms; in real time each comes when it would have been recorded."""
    step = int(BYTES_PER_SECOND * PIECE_S)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, start in enumerate(range(0, len(pcm), step)):
        if realtime:
            # Against the start, not the last piece: the pace must not drift.
            await asyncio.sleep(max(0.0, began + (number + 1) * PIECE_S - loop.time()))
        yield pcm[start : start + step]


async def standard_input() -> AsyncIterator[bytes]:
    """Raw PCM16 (16 kHz, mono) from standard input until it ends: `arecord ... | rattil recite -`.

    Raises `BadAudio` if what comes is a file of some format: its bytes would be heard as noise.
    """
    begun = b""
    async for data in _standard_input_bytes():
        if len(begun) < _HEADER_BYTES:
            begun += data
            if len(begun) < _HEADER_BYTES:
                continue
            refuse_file_header(begun)
            data = begun
        yield data
    if len(begun) < _HEADER_BYTES:
        refuse_file_header(begun)
        yield begun


def refuse_file_header(begun: bytes) -> None:
    """Raises `BadAudio` if a file of a known format begins like this."""
    name = next((name for name, at, mark in _FILE_MARKS if begun[at : at + len(mark)] == mark), None)
    name = name or _framed(begun[:4])
    if name is not None:
        raise BadAudio(
            f"standard input is in the format {name}, not raw samples; give the file's name instead of -, or "
            "convert it: ffmpeg -i FILE -f s16le -ar 16000 -ac 1 - | rattil recite -"
        )


def _framed(header: bytes) -> str | None:
    """MP3 or AAC that begins with its first frame: eleven or twelve set bits, then what a header may hold.

    ISO/IEC 11172-3, 2.4.2.3 (Layer I, which nobody uses, left out), and 13818-7, 6.2. Read as samples, such a
    header begins with less than -1000, as no quiet beginning does.
    """
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    layer = header[1] >> 1 & 3
    if layer == 0:
        sampling = header[2] >> 2 & 15
        return "AAC" if header[1] & 0xF0 == 0xF0 and sampling < 13 else None
    version, bit_rate, sampling = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    return "MP3" if layer < 3 and version != 1 and 0 < bit_rate < 15 and sampling != 3 else None


async def _standard_input_bytes() -> AsyncIterator[bytes]:
    source = sys.stdin.buffer
    if not _can_wait(source.fileno()):  # `recite - < file`: reading it does not block
        while data := source.read(8192):
            yield data
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    try:
        while data := await reader.read(8192):
            yield data
    finally:
        transport.close()


def _can_wait(descriptor: int) -> bool:
    """Whether the event loop can wait for it: it would take /dev/null, too, and then fail on it."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
