"""Raw PCM on standard input, whatever that is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rattil.client.sound_source import refuse_file_header, standard_input
from shared.errors import BadAudio

PCM = bytes(range(256)) * 100


async def all_of_it() -> bytes:
    return b"".join([piece async for piece in standard_input()])


async def test_nothing_at_all_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with os.fdopen(os.open(os.devnull, os.O_RDONLY)) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert await all_of_it() == b""


async def test_a_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.pcm").write_bytes(PCM)
    with (tmp_path / "a.pcm").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert await all_of_it() == PCM


async def test_a_pipe_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, PCM)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        assert await all_of_it() == PCM


@pytest.mark.parametrize(
    "begun",
    [
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"ID3\x04" + bytes(8),
        b"fLaC" + bytes(8),
        b"OggS" + bytes(8),
        b"\0\0\0 ftypM4A ",
        b"riff\x2e\x91\xcf\x11" + bytes(4),  # Sony W64
        b"\xff\xf1\x50\x80" + bytes(8),  # AAC in ADTS
        b"\xff\xf9\x6c\x40" + bytes(8),
        b"\xff\xfb\x90\x64" + bytes(8),  # MP3 of every version and with a checksum
        b"\xff\xfa\x90\x64" + bytes(8),
        b"\xff\xf2\x48\xc4" + bytes(8),
        b"\xff\xe3\x18\xc4" + bytes(8),
    ],
)
async def test_a_file_of_some_format_is_not_heard_as_samples(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.write(writing, begun + PCM)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        with pytest.raises(BadAudio, match="give the file's name instead of -"):
            await all_of_it()


def test_samples_are_no_file() -> None:
    refuse_file_header(PCM)
    refuse_file_header(b"")
    for quiet in (0, -1, -2, 16, -17, 255, -256):  # steps, as a microphone begins
        refuse_file_header(quiet.to_bytes(2, "little", signed=True) * 6)
        refuse_file_header(
            (-1).to_bytes(2, "little", signed=True) + quiet.to_bytes(2, "little", signed=True) * 5
        )


async def test_a_few_bytes_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.pcm").write_bytes(PCM[:7])
    with (tmp_path / "a.pcm").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert await all_of_it() == PCM[:7]
