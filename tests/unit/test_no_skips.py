"""A gate that was told to skip nothing fails when something is skipped, and says what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


MARKED = "@pytest.mark.skip(reason={reason!r})\ndef test_not(): pass\n"
WHOLE_FILE = "pytest.skip({reason!r}, allow_module_level=True)\n"


@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize("skipping", [MARKED, WHOLE_FILE])
@pytest.mark.parametrize(
    ("reason", "strict", "exit_code"),
    [("no Chromium", "1", 1), ("no Chromium", "", 0), ("needs a CUDA device", "1", 0)],
)
def test_a_skipped_test_fails_the_gate(
    tmp_path: Path, reason: str, strict: str, exit_code: int, skipping: str, processes: str
) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests import no_skips\n"
        "def pytest_configure(config):\n"
        "    if no_skips.wanted():\n"
        "        config.pluginmanager.register(no_skips.NoSkips())\n"
    )
    (tmp_path / "test_other.py").write_text("def test_good(): pass\n")
    (tmp_path / "test_one.py").write_text(
        "import pytest\ndef test_good(): pass\n" + skipping.format(reason=reason)
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            processes,
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
            str(tmp_path),
        ],
        env={"PYTHONPATH": str(ROOT), "PATH": "", "RATTIL_NO_SKIPS": strict},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout
    assert ("RATTIL_NO_SKIPS is set" in done.stdout) == (exit_code == 1)
