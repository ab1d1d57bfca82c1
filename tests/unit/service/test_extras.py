"""Messages that ask for an optional part name a command that works: Rattil is on no package index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from cli.commands import app
from shared.extras import how_to_install

ROOT = Path(__file__).parents[3]
ROOMS = ("asr_worker", "benchmarks", "cli", "gateway", "rattil", "session_router", "shared", "training")


def sources() -> list[tuple[str, str]]:
    paths = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths]


def test_each_extra_that_a_message_asks_for_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    asked = {name for _, text in sources() for name in re.findall(r"how_to_install\(['\"](.+?)['\"]\)", text)}
    assert {"microphone", "convert", "otel", "recordings", "cuda"} <= asked <= extras


def test_no_message_installs_rattil_from_an_index() -> None:
    assert [path for path, text in sources() if re.search(r"pip install ['\"]?rattil", text)] == []


def test_the_command_names_the_extra() -> None:
    assert ".venv/bin/pip install -e '.[otel]'" in how_to_install("otel")


def test_the_help_of_listen_says_the_same() -> None:
    help_text = CliRunner().invoke(app, ["listen", "--help"], env={"COLUMNS": "200"}).output
    command = how_to_install("microphone").removeprefix("run ").partition(" in ")[0]
    assert command in help_text
