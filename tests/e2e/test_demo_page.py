"""The page on a real stack: a sample, a broken connection, a microphone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.sample_files import load_samples
from tests.e2e.browser import Tab, chromium, tab
from tests.e2e.microphones import recording, write_wav
from tests.e2e.system import system

MODEL = Path(__file__).parent.parent.parent / "models" / "rattil-tiny" / "model.bin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]

BREAK_KEY = "{altKey: true, shiftKey: true, code: 'KeyB'}"
RIGHT = "document.querySelectorAll('.word[data-status=correct]').length"


async def play_sample(page: Tab, name: str) -> None:
    await page.until("!document.getElementById('samples').hidden")
    await page.page.click("#more-open")
    await page.page.select_option("#sample", name)
    await page.page.click("#sample-play")


async def test_a_sample_is_judged_live_and_a_broken_connection_is_resumed() -> None:
    async with system() as running, tab(f"{running.plan.gateway_urls[0]}/") as page:
        await play_sample(page, "ikhlas_clean")
        await page.judged(2)
        await page.page.evaluate(f"document.dispatchEvent(new KeyboardEvent('keydown', {BREAK_KEY}))")
        await page.until("/lost|again/.test(document.getElementById('status').textContent)")
        await page.page.wait_for_selector("#result[open]", timeout=60_000)
        words = await page.page.locator(".word").count()
        right = await page.page.evaluate(RIGHT)
        said = await page.page.inner_text("#result-right")
    assert words == 15
    assert right >= 14
    assert said == f"{right} of 15 words right"
    assert page.problems == []


async def test_a_microphone_is_recorded_at_any_rate(tmp_path: Path) -> None:
    sample = load_samples()["ikhlas_clean"]
    heard = write_wav(recording(sample.path), tmp_path / "microphone.wav")
    async with (
        system() as running,
        tab(f"{running.plan.gateway_urls[0]}/?verses=112", microphone=heard) as page,
    ):
        await page.page.click("#main")
        await page.judged(13)
        await page.page.click("#main[data-act=stop]")
        await page.page.wait_for_selector("#result[open]", timeout=60_000)
        right = await page.page.evaluate(RIGHT)
    assert right >= 13
    assert page.problems == []


async def test_a_service_that_wants_a_key_says_so_and_takes_it() -> None:
    async with (
        system(env={"API_KEYS": "school=s3cret"}) as running,
        tab(f"{running.plan.gateway_urls[0]}/") as page,
    ):
        await play_sample(page, "ikhlas_clean")
        await page.page.wait_for_selector("#notice:not([hidden])")
        said = await page.page.inner_text("#notice-text")
        await page.page.click("#notice-action")
        await page.page.fill("#key", "s3cret")
        await page.page.keyboard.press("Escape")
        await play_sample(page, "ikhlas_clean")
        await page.judged(2)
    assert "access key" in said
