"""Raw PCM on standard input, whatever that is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.sound_source import standard_input

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
