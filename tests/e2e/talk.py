"""A talk for tests of speech of any kind: what was said, how wrong a transcript is, the pages' clients."""

from __future__ import annotations

import asyncio
import re
import sys
import wave
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from shared.transcription.hypothesis_buffer import folded

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "samples" / "morning.opus"
SAID = (
    "Good morning everybody. The quick brown fox jumps over the lazy dog. "
    "We are testing a speech recognition service today."
)
MOST_WRONG = 6
"""Words of 20: what Whisper base makes of this synthetic voice in windows that grow; 4 on one CPU, 5 on
another, as they round otherwise."""
SLOW_MODEL = {
    "ASR_MODEL": "whisper-base",
    # One look takes seconds on a busy machine: nothing may be given up meanwhile.
    "SEGMENT_TIMEOUT_S": "120",
    "SEGMENT_DEADLINE_S": "120",
    "TRANSCRIPT_INTERIM_SECONDS": "2.5",
    "VERIFY_TIMEOUT_S": "120",
}


def wrong_words(text: str) -> int:
    """How many words must be changed to have what was said; punctuation that stands alone is none."""
    said, written = (
        [folded(word) for word in one.split() if any(letter.isalnum() for letter in word)]
        for one in (SAID, text)
    )
    return int(Levenshtein.distance(said, written))


def examples(page: str) -> list[str]:
    """The Python programs of a clients' page, as they stand there."""
    text = (ROOT / "docs" / "clients" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def changed(code: str, changes: dict[str, str]) -> str:
    """`changes`: of addresses in it."""
    for old, new in changes.items():
        assert old in code
        code = code.replace(old, new)
    return code


def write_wav(pcm: bytes, path: Path) -> Path:
    """16 kHz, mono, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(pcm)
    return path


async def documented_client(page: str, pcm: bytes, folder: Path, changes: dict[str, str]) -> str:
    """What the first example of a clients' page prints for this talk."""
    script, talk = folder / "client.py", write_wav(pcm, folder / "talk.wav")
    script.write_text(changed(examples(page)[0], changes), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(talk), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()
