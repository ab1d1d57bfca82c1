"""CPU and memory of the processes under test, from /proc (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """One process at one moment. `cpu_s`: user and system time since it started, all threads.

    `pss_kb` shares pages among the processes that map them, which makes sums meaningful; `anon_kb` is what
    the process itself has allocated (heap, stacks), whoever else maps the same libraries.
    """

    cpu_s: float
    rss_kb: int
    pss_kb: int
    anon_kb: int


def usage(pid: int) -> Usage:
    """Raises `ProcessLookupError` when the process is gone."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        rollup = (folder / "smaps_rollup").read_text(encoding="ascii")
    except OSError as error:
        raise ProcessLookupError(pid) from error
    # Fields 14 and 15 of proc(5), counted after the name in parentheses.
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return Usage(cpu_s, _kb(rollup, "Rss"), _kb(rollup, "Pss"), _kb(rollup, "Anonymous"))


def _kb(rollup: str, name: str) -> int:
    for line in rollup.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process used over a stretch: CPU in percent of one core, memory at the end."""

    name: str
    cpu_percent: float
    rss_mb: float
    pss_mb: float


class Meter:
    """Watches named processes from `start` on."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._began: dict[str, Usage] = {}

    def start(self) -> None:
        """Begin a stretch."""
        self._began = {name: usage(pid) for name, pid in self._pids.items()}

    def spent(self, seconds: float) -> list[Spent]:
        """What each used since `start`, `seconds` ago."""
        found = []
        for name, pid in self._pids.items():
            now, before = usage(pid), self._began[name]
            percent = 100 * (now.cpu_s - before.cpu_s) / seconds
            found.append(Spent(name, round(percent, 1), now.rss_kb / 1024, now.pss_kb / 1024))
        return found
