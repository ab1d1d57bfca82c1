"""The demo page in a real browser on a real stack: a sample, a broken connection, a microphone."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.sample_files import load_samples
from cli.sound_source import read_file
from tests.e2e.browser import Page, chromium, tab
from tests.e2e.system import system

MODEL = Path(__file__).parent.parent.parent / "models" / "rattil-tiny" / "model.bin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]

STATUSES = "[...document.querySelectorAll('.word')].map((word) => word.dataset.status)"
BREAK_KEY = "{altKey: true, shiftKey: true, code: 'KeyB'}"
RESULT = "!document.getElementById('result').hidden"


async def words(page: Page) -> list[str]:
    statuses: list[str] = await page.run(STATUSES)
    return statuses


async def judged(page: Page, count: int) -> None:
    await page.until(f"{STATUSES}.filter((status) => status !== 'pending').length >= {count}")


async def choose_sample(page: Page, name: str) -> None:
    await page.until("document.getElementById('sample').length > 0")
    await page.run(f"document.getElementById('sample').value = '{name}'")


async def test_a_sample_is_judged_live_and_a_broken_connection_is_resumed(tmp_path: Path) -> None:
    async with system() as running, tab(tmp_path / "profile") as page:
        await page.open(f"{running.plan.gateway_urls[0]}/")
        await page.until("document.querySelectorAll('.word').length === 29")
        await choose_sample(page, "ikhlas_clean")
        await page.run("document.getElementById('play').click()")
        await judged(page, 2)
        await page.run(f"document.dispatchEvent(new KeyboardEvent('keydown', {BREAK_KEY}))")
        await page.until("document.getElementById('status').textContent.includes('lost')")
        await page.until(RESULT)
        statuses = await words(page)
        score = await page.run("document.getElementById('score').textContent")
        problem = await page.run("document.getElementById('problem').textContent")
    assert len(statuses) == 15
    assert statuses.count("correct") >= 14
    assert score.endswith("%")
    assert problem == ""
    assert page.problems == []


async def test_a_microphone_is_recorded_at_any_rate(tmp_path: Path) -> None:
    sample = load_samples()["ikhlas_clean"]
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={as_wav(sample.path, tmp_path)}%noloop",
    ]
    async with system() as running, tab(tmp_path / "profile", arguments) as page:
        await page.open(f"{running.plan.gateway_urls[0]}/")
        await page.until("document.querySelectorAll('.word').length === 29")
        await page.run("document.getElementById('surah').value = '112'")
        await page.run("document.getElementById('surah').dispatchEvent(new Event('change'))")
        await page.until("document.querySelectorAll('.word').length === 15")
        await page.run("document.getElementById('record').click()")
        await judged(page, 13)
        await page.run("document.getElementById('stop').click()")
        await page.until(RESULT)
        statuses = await words(page)
    assert statuses.count("correct") >= 13
    assert page.problems == []


async def test_what_goes_wrong_is_said_on_the_page(tmp_path: Path) -> None:
    async with system(env={"API_KEYS": "school=s3cret"}) as running, tab(tmp_path / "profile") as page:
        await page.open(f"{running.plan.gateway_urls[0]}/")
        await choose_sample(page, "ikhlas_clean")
        await page.run("document.getElementById('play').click()")
        said: Any = await page.until("document.getElementById('problem').textContent")
        idle = await page.until("!document.getElementById('record').disabled")
    assert "API key" in said or "unauthorised" in said
    assert idle


def as_wav(path: Path, folder: Path) -> Path:
    """A sample as 48 kHz WAV, preceded by the second that a browser takes to open a microphone."""
    pcm = np.frombuffer(read_file(path), dtype="<i2")
    wide = np.interp(np.arange(pcm.size * 3) / 3, np.arange(pcm.size), pcm).astype("<i2")
    target = folder / "microphone.wav"
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes(np.concatenate([np.zeros(48_000, dtype="<i2"), wide]).tobytes())
    return target
