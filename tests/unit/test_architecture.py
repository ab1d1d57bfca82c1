"""The dependency rule: services import `shared` and never one another; `shared` imports none of them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("gateway", "asr_worker", "session_router")
FORBIDDEN = {
    "gateway": {"asr_worker", "session_router", "cli", "training", "benchmarks", "tests"},
    "asr_worker": {"gateway", "session_router", "cli", "training", "benchmarks", "tests"},
    "session_router": {"gateway", "asr_worker", "cli", "training", "benchmarks", "tests"},
    "shared": {*SERVICES, "cli", "training", "benchmarks", "tests"},
    "shared/recitation": {"asyncio", "redis", "starlette", "time", "os", "logging", "structlog", "socket"},
    "shared/transcription": {"asyncio", "redis", "starlette", "time", "os", "logging", "structlog", "socket"},
    "gateway/session": {"asyncio", "redis", "starlette", "time", "os", "logging", "structlog", "socket"},
    "cli": {"training", "benchmarks", "tests"},
}


def imported_by(source: Path) -> Iterator[str]:
    """Top-level packages a file imports."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_import_only_what_they_may(room: str) -> None:
    offences = [
        f"{source.relative_to(ROOT)} imports {name}"
        for source in sorted((ROOT / room).rglob("*.py"))
        for name in sorted(set(imported_by(source)) & FORBIDDEN[room])
    ]
    assert offences == []


def test_the_map_leads_to_places_that_exist() -> None:
    """Every path of docs/architecture.md, and one row for at least 15 changes."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = ("gateway", "asr_worker", "session_router", "shared", "cli", "training", "models", "tests")
    paths = {one for one in re.findall(r"`([\w/.-]+)`", page) if one.split("/")[0] in rooms and "/" in one}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    table = page[page.index("## To change X") :]
    assert len(re.findall(r"^\| .*`.*\|$", table, re.MULTILINE)) >= 15


def test_no_word_of_recitation_is_in_the_core() -> None:
    words = re.compile(r"passage|verse|surah|ayah|walk|feedback|recit", re.IGNORECASE)
    found = [
        f"{source.relative_to(ROOT)}:{number} {line.strip()}"
        for room in ("gateway/session", "gateway/connection")
        for source in sorted((ROOT / room).rglob("*.py"))
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


def test_import_linter_agrees() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    checked = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
