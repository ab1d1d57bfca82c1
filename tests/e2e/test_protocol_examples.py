"""The examples of docs/protocol.md, as they stand there, against a running service."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.sample_files import samples_folder
from rattil.client.sound_source import read_file
from tests.e2e.browser import DESK, chromium, tab
from tests.e2e.microphones import recording, write_wav
from tests.e2e.system import system

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
ADDRESS = "ws://127.0.0.1:8000"
MODEL = ROOT / "models" / "rattil-tiny" / "model.bin"
RATES = (16_000, 44_100, 48_000)
"""What devices have; a browser gives its `AudioContext` the rate of the device."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not MODEL.exists(), reason="the bundled model is not in models/"),
]

WATCH = """
socket.addEventListener('message', ({ data }) => window.events.push(JSON.parse(data)));
window.stopReciting = stop;
"""


def block(language: str) -> str:
    """The one example in this language."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_file_of_the_python_example_is_made_as_the_page_says(tmp_path: Path) -> None:
    line = next(line for line in PAGE.splitlines() if "read_file" in line and "fatiha.pcm" in line)
    target = tmp_path / "fatiha.pcm"
    command = line.replace(".venv/bin/python", sys.executable).replace("'fatiha.pcm'", f"'{target}'")
    subprocess.run(["bash", "-c", command], cwd=ROOT, check=True, timeout=60)
    assert len(target.read_bytes()) > 20 * 32_000


async def test_the_python_example_recites_a_file(tmp_path: Path) -> None:
    (tmp_path / "fatiha.pcm").write_bytes(read_file(samples_folder() / "fatiha_clean.opus"))
    async with system() as running:
        source = block("python").replace(ADDRESS, running.ws_urls[0])
        (tmp_path / "client.py").write_text(source, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "client.py", cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
    text = said.decode()
    assert process.returncode == 0
    assert '"type": "final_result"' in text
    assert ":correct" in text


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
async def test_the_browser_example_recites_at_any_rate_of_the_device(tmp_path: Path) -> None:
    heard = write_wav(recording(samples_folder() / "fatiha_clean.opus"), tmp_path / "heard.wav")
    async with system() as running:
        source = block("js").replace(ADDRESS, running.ws_urls[0]) + WATCH
        for rate in RATES:
            async with tab(running.plan.gateway_urls[0], size=DESK, microphone=heard) as page:
                await page.page.evaluate(
                    f"""(async () => {{
                      window.events = [];
                      const Device = AudioContext;
                      const rateOfDevice = {{ sampleRate: {rate} }};
                      {{
                        const AudioContext = class extends Device {{
                          constructor() {{ super(rateOfDevice); }}
                        }};
                        {source}
                      }}
                    }})()"""
                )
                correct = "e.word_feedback?.filter((w) => w.status === 'correct').length >= 4"
                await page.until(f"window.events.some((e) => {correct})", 60)
                await page.page.evaluate("window.stopReciting()")
                await page.until("window.events.some((e) => e.type === 'final_result')", 60)
                assert page.problems == [], rate
