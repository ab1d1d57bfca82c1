"""Recordings of strangers are decoded in processes that have no rights, have limits, and can be killed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.audio.decode import decode_audio, decode_recording
from shared.audio.decoder_pool import DecoderPool
from shared.audio.decoder_process import Limits
from shared.errors import BadAudio, Unavailable
from tests.unit.audio.recordings import encoded, tone, wav_file

WAV = encoded("wav", "pcm_s16le", [tone(0.5, 16_000)])
LIMITS = Limits(max_bytes=4_000_000, max_seconds=60, memory_bytes=1 << 30, cpu_s=20)
READ_ALL = "import sys; sys.stdin.buffer.read(); "


class Seen:
    """What the pool told its observer."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def note(self, outcome: str, took_s: float) -> None:
        assert took_s >= 0
        self.outcomes.append(outcome)


@asynccontextmanager
async def pool(
    seen: Seen, limits: Limits = LIMITS, program: str = "", **options: Any
) -> AsyncIterator[DecoderPool]:
    """A pool with the real decoder, or with this program in its place."""
    if program:
        options["command"] = ("-c", program)
    made = DecoderPool(limits, **({"processes": 2, "timeout_s": 60} | options), observe=seen.note)
    try:
        yield made
    finally:
        await made.close()


async def test_a_recording_is_decoded_as_in_this_process() -> None:
    seen = Seen()
    async with pool(seen) as decoders:
        for _ in range(3):  # the first process is started for it, the others were waiting
            decoded = await decoders.decode(WAV)
            assert decoded.pcm16 == decode_audio(WAV)
            assert not decoded.damaged
    assert seen.outcomes == ["ok"] * 3


async def test_channels_are_kept_apart_as_in_this_process() -> None:
    stereo = encoded("wav", "pcm_s16le", [tone(0.5, 16_000), tone(0.5, 16_000, 900.0)])
    seen = Seen()
    async with pool(seen) as decoders:
        apart = await decoders.decode(stereo, apart=True)
        mixed = await decoders.decode(stereo)
        assert apart == decode_recording(stereo, 60, apart=True)
        assert len(apart.channels) == 2
        assert mixed == decode_recording(stereo, 60)
    assert seen.outcomes == ["ok"] * 2


@pytest.mark.parametrize("answer", [{"channels": 0}, {"channels": 99}, {"channels": 3}, {"pcm_bytes": 3}])
async def test_an_answer_with_parts_of_channels_is_not_believed(answer: dict[str, int]) -> None:
    line = json.dumps({"outcome": "ok", "pcm_bytes": 4} | answer) + "\n0000"
    seen = Seen()
    async with pool(seen, program=READ_ALL + f"print({line!r}, end='')") as decoders:
        with pytest.raises(BadAudio):
            await decoders.decode(WAV, apart=True)
    assert seen.outcomes == ["crashed"]


async def test_refusals_keep_their_sentence() -> None:
    seen = Seen()
    async with pool(seen) as decoders:
        with pytest.raises(BadAudio, match="9 channels"):
            await decoders.decode(wav_file(bytes(9 * 3200), 16_000, 9))
        with pytest.raises(BadAudio, match="longer than 60 s"):
            await decoders.decode(wav_file(bytes(70 * 8000), 8000, 1, 1))
        with pytest.raises(BadAudio, match="empty"):
            await decoders.decode(b"")
        with pytest.raises(BadAudio, match="at most 4000000"):
            await decoders.decode(bytes(4_000_001))
    assert seen.outcomes == ["refused"] * 4


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no limit on a process's memory")
async def test_more_memory_than_the_limit_is_bad_audio() -> None:
    """17 minutes in 4 MB of a low rate: four times that as 16 kHz floats."""
    seen = Seen()
    limits = Limits(max_bytes=4_000_000, max_seconds=6000, memory_bytes=300_000_000, cpu_s=20)
    async with pool(seen, limits) as decoders:
        with pytest.raises(BadAudio, match="memory"):
            await decoders.decode(wav_file(bytes(4_000_000 - 100), 4000, 1, 1))
        assert len((await decoders.decode(WAV)).pcm16) == 16_000
    assert seen.outcomes == ["memory", "ok"]


async def test_a_decoder_that_computes_without_end_is_stopped_by_its_cpu_limit() -> None:
    seen = Seen()
    program = (
        "import sys, resource\n"
        "from shared.audio.decoder_process import Limits, give_up_rights\n"
        "give_up_rights(Limits(1, 1, 0, 0))\n"
        "while True: pass\n"
    )
    async with pool(seen, program=program) as decoders:
        with pytest.raises(BadAudio, match="too long to decode"):
            await decoders.decode(WAV)
    assert seen.outcomes == ["cpu"]


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(600)",
        READ_ALL + "import time; time.sleep(600)",
        READ_ALL + 'print(\'{"outcome":"ok","pcm_bytes":1000}\', flush=True); import time; time.sleep(600)',
    ],
    ids=["never reads", "never answers", "stops in the middle"],
)
async def test_a_decoder_that_hangs_is_killed(program: str) -> None:
    seen = Seen()
    async with pool(seen, program=program, timeout_s=0.5) as decoders:
        with pytest.raises(Unavailable, match=r"within 0\.5 s"):
            await decoders.decode(bytes(2_000_000))
    assert seen.outcomes == ["timeout"]


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.abort()",
        READ_ALL + "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        READ_ALL + "print('no json', flush=True)",
        READ_ALL + 'print(\'{"outcome":"ok","pcm_bytes":-5}\')',
        READ_ALL + 'print(\'{"outcome":"ok","pcm_bytes":99999999999}\')',
        READ_ALL + 'print(\'{"outcome":"ok","pcm_bytes":100}\')',
        READ_ALL + "\nwhile True: sys.stdout.write('x' * 65536)",
    ],
    ids=["abort", "crash", "no json", "negative", "too much", "too little", "flood"],
)
async def test_a_decoder_that_breaks_is_bad_audio(program: str) -> None:
    seen = Seen()
    async with pool(seen, program=program) as decoders:
        with pytest.raises(BadAudio, match="cannot be decoded"):
            await decoders.decode(WAV)
    assert seen.outcomes == ["crashed"]


async def test_an_error_that_nobody_foresaw_is_bad_audio_without_its_words() -> None:
    seen = Seen()
    program = READ_ALL + 'print(\'{"outcome":"failed","message":"ZeroDivisionError"}\')'
    async with pool(seen, program=program) as decoders:
        with pytest.raises(BadAudio) as refused:
            await decoders.decode(WAV)
    assert "ZeroDivision" not in refused.value.message
    assert seen.outcomes == ["failed"]


async def test_processes_are_bounded(tmp_path: Path) -> None:
    """Every decoder notes how many are at work beside it."""
    program = (
        f"import os, sys, time; sys.stdin.buffer.read(); folder = {str(tmp_path)!r}\n"
        "mine = os.path.join(folder, f'{os.getpid()}.working'); open(mine, 'w').close()\n"
        "for _ in range(20):\n"
        "    assert sum(name.endswith('.working') for name in os.listdir(folder)) <= 2\n"
        "    time.sleep(0.01)\n"
        "os.remove(mine)\n"
        'print(\'{"outcome":"refused","message":"counted"}\')\n'
    )
    seen = Seen()
    async with pool(seen, program=program) as decoders:
        answers = await asyncio.gather(*(decoders.decode(WAV) for _ in range(6)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["counted"] * 6
    assert seen.outcomes == ["refused"] * 6


async def _written(file: Path) -> None:
    """Wait until another process has written something."""
    for _ in range(1000):
        if _text(file):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was written")


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def test_a_cancelled_recording_leaves_no_process(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    program = f"import os, time; open({str(started)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    async with pool(Seen(), program=program, processes=1) as decoders:
        task = asyncio.create_task(decoders.decode(bytes(2_000_000)))
        await _written(started)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for pid in _text(started).split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


async def test_a_waiting_process_that_died_is_replaced() -> None:
    seen = Seen()
    async with pool(seen) as decoders:
        await decoders.decode(WAV)
        spare = await decoders._spare  # type: ignore[misc]
        spare.kill()
        await spare.wait()
        await decoders.decode(WAV)
    assert seen.outcomes == ["ok", "ok"]


async def test_a_decoder_that_cannot_be_started_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    seen = Seen()
    async with pool(seen) as decoders:
        with pytest.raises(Unavailable, match="no decoder can be started"):
            await decoders.decode(WAV)
    assert seen.outcomes == ["unavailable"]


KINDS = {
    "wav": WAV,
    "m4a": encoded("mp4", "aac", [tone(0.5, 44_100)] * 2, 44_100),
    "mp3": encoded("mp3", "libmp3lame", [tone(0.5, 44_100)], 44_100),
    "webm": encoded("webm", "libopus", [tone(0.5, 48_000)], 48_000, later_s=lambda at_s: float(at_s > 0.2)),
    "ogg": encoded("ogg", "libopus", [tone(0.5, 48_000), -tone(0.5, 48_000)], 48_000),
    "flac": encoded("flac", "flac", [tone(0.5, 96_000)] * 8, 96_000),
    "noise": wav_file(bytes(random.Random(1).randbytes(60_000)), 8000, 1, 1),
    "joined": encoded("adts", "aac", [tone(0.5, 16_000)])
    + encoded("adts", "aac", [tone(0.5, 8000)] * 2, 8000),
    "cut": encoded("adts", "aac", [tone(1.0, 16_000)])[:3000],
    "no sound": b"nothing to hear" * 50,
    "nine channels": wav_file(bytes(9 * 3200), 16_000, 9),
}


def test_a_decoder_has_no_rights_and_decodes_everything_without_them(tmp_path: Path) -> None:
    """No file, no connection, no process; what decoding needs was loaded before."""
    program = f"""
import base64, json, os, socket, subprocess, sys
from shared.audio.decode import decode_audio
from shared.audio.decoder_process import Limits, give_up_rights, prepare
from shared.errors import BadAudio
prepare()
recordings = json.load(sys.stdin)
give_up_rights(Limits(1, 1, 0, 20))
def refused(attempt):
    try:
        attempt()
    except OSError:
        return True
assert refused(lambda: open({str(tmp_path)!r} + '/new', 'w'))
assert refused(lambda: open('/etc/hostname'))
assert refused(lambda: socket.socket())
assert refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
assert refused(lambda: subprocess.Popen(['/bin/true']))
assert refused(os.pipe)
answers = {{}}
for name, data in recordings.items():
    try:
        answers[name] = len(decode_audio(base64.b64decode(data)))
    except BadAudio as error:
        answers[name] = error.message
print(json.dumps(answers))
"""
    recordings = {name: base64.b64encode(data).decode() for name, data in KINDS.items()}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(recordings).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    expected: dict[str, int | str] = {}
    for name, data in KINDS.items():
        try:
            expected[name] = len(decode_audio(data))
        except BadAudio as error:
            expected[name] = error.message
    assert json.loads(done.stdout) == expected


async def test_a_decoder_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "school=s3cret")
    monkeypatch.setenv("REDIS_URL", "redis://:s3cret@db")
    program = (
        READ_ALL + "import os, json\n"
        "print(json.dumps({'outcome': 'refused', 'message': ' '.join([*os.environ, *os.environ.values()])}))"
    )
    async with pool(Seen(), program=program) as decoders:
        with pytest.raises(BadAudio) as refused:
            await decoders.decode(WAV)
    assert "s3cret" not in refused.value.message
    assert "API_KEYS" not in refused.value.message
