"""`python -m shared.audio.decoder_process`: decodes one recording of a stranger, then ends.

The recording comes in on stdin, up to its end; a line of JSON (`Answer`) and the samples go out on stdout.
Before the first byte is read the process takes away from itself whatever decoding does not need: it can open
no file and no connection, start no process, and has a limit on memory and CPU time.
"""

from __future__ import annotations

import resource
import struct
import sys
from contextlib import suppress
from typing import Literal

import msgspec
import numpy as np

from shared.audio.decode import Decoded, check_size, decode_recording
from shared.errors import BadAudio

APART = "apart"


class Answer(msgspec.Struct, frozen=True):
    """What became of the recording. `ok`: `pcm_bytes` of samples follow, those of each of its `channels` in
    one piece. `refused`: `message` says why.
    `memory`: it needs more than the limit. `failed`: `message` names an error that nobody foresaw."""

    outcome: Literal["ok", "refused", "memory", "failed"]
    message: str = ""
    pcm_bytes: int = 0
    channels: int = 1
    damaged: bool = False


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one recording: bytes in, seconds out, bytes of memory (0: no bound), seconds of CPU time."""

    max_bytes: int
    max_seconds: float
    memory_bytes: int
    cpu_s: int


def main(argv: list[str]) -> None:
    """`argv[1]`: `Limits` as JSON; then perhaps `APART`: the channels are not to be mixed."""
    limits = msgspec.json.decode(argv[1], type=Limits)
    prepare()
    give_up_rights(limits)
    answer, pcm16 = _answer(limits, apart=APART in argv[2:])
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n" + pcm16)
    sys.stdout.buffer.flush()


def _answer(limits: Limits, *, apart: bool) -> tuple[Answer, bytes]:
    try:
        decoded = _decode(limits, apart)
    except BadAudio as error:
        return Answer("refused", error.message), b""
    except MemoryError:
        return Answer("memory"), b""
    except Exception as error:  # the decoder's words stay here: they may name files
        return Answer("failed", type(error).__name__), b""
    pcm16 = b"".join(decoded.channels)
    return Answer("ok", "", len(pcm16), len(decoded.channels), decoded.damaged), pcm16


def _decode(limits: Limits, apart: bool) -> Decoded:
    data = sys.stdin.buffer.read(limits.max_bytes + 1)
    check_size(len(data), limits.max_bytes)
    return decode_recording(data, limits.max_seconds, apart=apart)


def prepare() -> None:
    """Decode a loud moment and something that is no sound: Python and NumPy load modules at first use, and
    later they cannot."""
    loud = np.full(2000, 2.0, "<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 2, 44_100, 44_100 * 8, 8, 32)  # tag 3: floats
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(loud)) + loud
    decode_recording(b"RIFF" + struct.pack("<I", len(body)) + body, 1.0)
    with suppress(BadAudio):
        decode_recording(bytes(100), 1.0)


def give_up_rights(limits: Limits) -> None:
    """Limits that the process cannot lift again, whatever a recording makes of its decoder."""
    used_s = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
    _set("RLIMIT_CPU", used_s + limits.cpu_s, used_s + limits.cpu_s + 1)  # first SIGXCPU, then SIGKILL
    if limits.memory_bytes:
        _set("RLIMIT_AS", limits.memory_bytes)
    _set("RLIMIT_FSIZE", 0)
    _set("RLIMIT_CORE", 0)
    _set("RLIMIT_NPROC", 0)
    _set("RLIMIT_NOFILE", 3)  # the three standard streams are open; there can be no fourth file


def _set(name: str, value: int, hard: int | None = None) -> None:
    """A limit and the hard one above it. Systems do not have all of them (macOS has none on memory)."""
    with suppress(ValueError, OSError, AttributeError):
        resource.setrlimit(getattr(resource, name), (value, value if hard is None else hard))


if __name__ == "__main__":
    main(sys.argv)
