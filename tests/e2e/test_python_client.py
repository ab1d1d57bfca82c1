"""The examples of the Python client's page and the commands that stand on it, as people run them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from cli.sample_files import samples_folder
from tests.e2e.system import system
from tests.e2e.talk import MOST_WRONG, SAMPLE, SLOW_MODEL, wrong_words

PAGE = Path(__file__).parents[2] / "docs" / "clients" / "python.md"
ADDRESS = "ws://127.0.0.1:8000"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def printed(*command: str) -> str:
    """What a Python program prints; it must end well."""
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


def example(heading: str, url: str, folder: Path) -> str:
    """The example under a heading, as a file that asks this gateway."""
    part = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1]
    code = re.findall(r"```python\n(.*?)```", part, re.DOTALL)[0]
    script = folder / "example.py"
    assert ADDRESS in code
    script.write_text(code.replace(ADDRESS, url), encoding="utf-8")
    return str(script)


async def test_the_recitation_example(tmp_path: Path) -> None:
    async with system() as running:
        script = example("A recitation", running.ws_urls[0], tmp_path)
        lines = (await printed(script, str(samples_folder() / "ikhlas_clean.opus"))).splitlines()
    assert lines[-1] == "score 100.0"
    assert lines[-2].count(":correct") == 15


async def test_the_transcription_example_and_the_command(tmp_path: Path) -> None:
    async with system(env=SLOW_MODEL) as running:
        url = running.ws_urls[0]
        shown = await printed(example("A live transcription", url, tmp_path), str(SAMPLE))
        lines = await printed("-m", "cli", "transcribe", str(SAMPLE), "--json", "--url", url)
        plain = await printed("-m", "cli", "transcribe", str(SAMPLE), "--url", url)
    events = [json.loads(line) for line in lines.splitlines()]
    assert events[-1]["type"] == "session.end"
    assert wrong_words(events[-1]["transcript"]) <= MOST_WRONG
    assert wrong_words(" ".join(line[9:] for line in shown.splitlines())) <= MOST_WRONG
    assert wrong_words(" ".join(line[19:] for line in plain.splitlines())) <= MOST_WRONG
