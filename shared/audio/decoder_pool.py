"""Recordings of strangers, decoded in processes that can be limited and killed.

A fresh process for every recording (`shared.audio.decoder_process`): nothing that a recording does to its
decoder outlives it, and the service's own interpreter never waits for a decoder. Starting one takes a fifth
of a second, so that one is kept waiting for the next recording.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

import shared
from shared.audio.containers import KNOWN
from shared.audio.decode import TOO_MUCH_MEMORY, Decoded, check_size
from shared.audio.decoder_process import APART, Answer, Limits
from shared.audio.formats import MAX_CHANNELS, SAMPLE_RATE
from shared.errors import BadAudio, Unavailable
from shared.service.logging import get_logger

_CHUNK = 256 * 1024
"""Bytes written to a decoder at once: the event loop does other things in between."""
_LONGEST_LINE = 16_384
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""What a decoder inherits: no key, no password, no address."""

COMMAND = ("-m", "shared.audio.decoder_process")

_log = get_logger(__name__)

Observer = Callable[[str, float], None]
"""Told about each recording: what became of it (`ok`, `refused`, `memory`, `cpu`, `timeout`, `failed`,
`crashed`, `unavailable`), and how long that took, seconds, the wait for a place included."""


class AudioDecoder(Protocol):
    """Turns the recording of a stranger into samples."""

    async def decode(self, data: bytes, *, apart: bool = False) -> Decoded:
        """`apart`: the channels are not mixed. Raises `BadAudio` for the recording, `Unavailable` when
        decoding does not come to an end."""
        ...

    async def close(self) -> None: ...


class DecoderPool:
    """`AudioDecoder` in at most `processes` processes at once. Starts none before the first recording."""

    def __init__(
        self,
        limits: Limits,
        *,
        processes: int,
        timeout_s: float,
        observe: Observer = lambda _what, _s: None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`timeout_s`: longest time for one recording, the wait for a process included. `command`: the
        decoder's arguments for Python; `limits` follow as JSON."""
        self._limits = limits
        self._command = command
        self._timeout_s = timeout_s
        self._observe = observe
        self._places = asyncio.Semaphore(processes)
        self._spare: asyncio.Task[Process] | None = None
        self._closed = False

    async def decode(self, data: bytes, *, apart: bool = False) -> Decoded:
        began_s = time.monotonic()
        outcome = "refused"
        try:
            check_size(len(data), self._limits.max_bytes)
            async with asyncio.timeout(self._timeout_s), self._places:
                outcome, decoded = await self._in_process(data, apart)
        except TimeoutError as error:
            outcome = "timeout"
            raise Unavailable(
                f"the audio was not decoded within {self._timeout_s:g} s; try again later"
            ) from error
        except OSError as error:
            outcome = "unavailable"
            _log.warning("decoder_not_started", error=str(error))
            raise Unavailable("no decoder can be started at the moment; try again later") from error
        finally:
            self._observe(outcome, time.monotonic() - began_s)
        if isinstance(decoded, Decoded):
            return decoded
        raise decoded

    async def close(self) -> None:
        """End the process that waits. Recordings in work are the caller's to cancel."""
        self._closed = True
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(OSError):  # it could not be started
                await _end(await spare)

    async def _in_process(self, data: bytes, apart: bool) -> tuple[str, Decoded | BadAudio]:
        # The one that waits mixes; this is asked for too seldom to let another one wait.
        process = await (self._start(APART) if apart else self._take())
        try:
            try:
                answer, pcm16 = await self._exchange(process, data)
            except (OSError, EOFError):
                return self._broken(await process.wait())
            except (ValueError, msgspec.MsgspecError) as error:
                _log.warning("decoder_crashed", error=str(error))
                return "crashed", _undecodable()
        finally:
            await _end(process)
        return self._judge(answer, pcm16)

    def _judge(self, answer: Answer, pcm16: bytes) -> tuple[str, Decoded | BadAudio]:
        if answer.outcome == "ok":
            size = len(pcm16) // answer.channels
            starts = (channel * size for channel in range(answer.channels))
            return "ok", Decoded(tuple(pcm16[at : at + size] for at in starts), answer.damaged)
        if answer.outcome == "refused":
            return "refused", BadAudio(answer.message)
        if answer.outcome == "memory":
            return "memory", BadAudio(TOO_MUCH_MEMORY)
        _log.warning("decoder_failed", error=answer.message)
        return "failed", _undecodable()

    def _broken(self, status: int) -> tuple[str, BadAudio]:
        """A decoder that ended without an answer."""
        if status == -signal.SIGXCPU:
            return "cpu", BadAudio("the audio takes too long to decode; send wav, flac or mp3")
        _log.warning("decoder_crashed", status=status)
        return "crashed", _undecodable()

    async def _exchange(self, process: Process, data: bytes) -> tuple[Answer, bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        view = memoryview(data)
        for at in range(0, len(data), _CHUNK):
            process.stdin.write(view[at : at + _CHUNK])
            await process.stdin.drain()
        process.stdin.close()
        line = await process.stdout.readline()
        if not line:
            raise EOFError
        answer = msgspec.json.decode(line, type=Answer)
        if not 0 <= answer.pcm_bytes <= int(self._limits.max_seconds * SAMPLE_RATE) * 2:
            raise ValueError("a decoder gives more than it may")
        if not 1 <= answer.channels <= MAX_CHANNELS or answer.pcm_bytes % (2 * answer.channels):
            raise ValueError("a decoder gives parts of channels")
        return answer, await process.stdout.readexactly(answer.pcm_bytes)

    async def _take(self) -> Process:
        """The process that waits, if it still lives, or a new one; the next one is started meanwhile."""
        spare, self._spare = self._spare, None
        process = await spare if spare is not None else None
        if process is None or process.returncode is not None:
            process = await self._start()
        if self._spare is None and not self._closed:
            self._spare = asyncio.create_task(self._start(), name="start-decoder")
        return process

    async def _start(self, *arguments: str) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            msgspec.json.encode(self._limits).decode(),
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LONGEST_LINE,
            env=_environment(),
            # A signal for the service's process group (Ctrl-C) is not for decoders.
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # Run from a source tree, `shared` is found by the directory that the service was started in.
    return kept | {"PYTHONPATH": str(Path(shared.__path__[0]).parent), "OPENBLAS_NUM_THREADS": "1"}


def _undecodable() -> BadAudio:
    return BadAudio(f"the audio cannot be decoded; {KNOWN}")


async def _end(process: Process) -> None:
    """Kill a process that has not ended, and wait until it is gone and its pipes are closed."""
    assert process.stdin is not None
    assert process.stdout is not None
    if process.returncode is None:
        process.kill()
    process.stdin.close()
    while await process.stdout.read(_CHUNK):
        pass  # what it wrote before it was killed: at most what a pipe holds
    await process.wait()
