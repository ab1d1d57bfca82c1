"""Restarts processes one by one, as pods are replaced: `python -m deploy.rolling_restart PID=READY_URL …`.

Each process gets SIGTERM and `--grace` seconds to drain (then SIGKILL), is started again with its own
command, environment and folder, and must answer 200 at its READY_URL before the next one is touched.
For machines without an orchestrator. Linux only: what a process was started with is read from /proc.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Process:
    """A running process: how to start it again, and where it says that it is ready."""

    pid: int
    ready_url: str
    argv: tuple[str, ...]
    env: dict[str, str]
    folder: str

    @classmethod
    def of(cls, pid: int, ready_url: str) -> Process:
        """Raises `ProcessLookupError` if there is none."""
        proc = Path("/proc") / str(pid)
        try:
            argv = _split((proc / "cmdline").read_bytes())
            env = dict(pair.split("=", 1) for pair in _split((proc / "environ").read_bytes()) if "=" in pair)
            folder = os.readlink(proc / "cwd")
        except FileNotFoundError as error:
            raise ProcessLookupError(f"there is no process {pid}") from error
        return cls(pid, ready_url, argv, env, folder)


class NotReady(Exception):
    """A process that was started again does not answer; those after it were left alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all were restarted; 1 where one did not come back; 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="python -m deploy.rolling_restart", description=__doc__)
    parser.add_argument("processes", nargs="+", metavar="PID=READY_URL")
    parser.add_argument("--grace", type=float, default=60, help="seconds to drain (default %(default)s)")
    parser.add_argument("--ready", type=float, default=180, help="seconds to become ready again")
    chosen = parser.parse_args(argv)
    try:
        processes = [_process(text) for text in chosen.processes]
    except (ValueError, ProcessLookupError) as error:
        print(error, file=sys.stderr)
        return 2
    for process in processes:
        try:
            new_pid = restart(process, chosen.grace, chosen.ready)
        except NotReady as error:
            print(error, file=sys.stderr)
            return 1
        print(f"restarted {process.pid} {new_pid} {process.ready_url}", flush=True)
    return 0


def restart(process: Process, grace_s: float, ready_s: float) -> int:
    """The pid of the new process, which is ready. Raises `NotReady`."""
    os.kill(process.pid, signal.SIGTERM)
    if not _gone(process.pid, grace_s):
        os.kill(process.pid, signal.SIGKILL)
        _gone(process.pid, grace_s)
    started = subprocess.Popen(
        process.argv, env=process.env, cwd=process.folder, stdin=subprocess.DEVNULL, start_new_session=True
    )
    deadline_s = time.monotonic() + ready_s
    while time.monotonic() < deadline_s:
        if started.poll() is not None:
            raise NotReady(f"{' '.join(process.argv)} ended with status {started.returncode}")
        if _answers(process.ready_url):
            return started.pid
        time.sleep(_POLL_S)
    raise NotReady(f"{process.ready_url} did not answer 200 within {ready_s:g} s")


def _process(text: str) -> Process:
    pid, separator, url = text.partition("=")
    if not separator or not pid.isdigit():
        raise ValueError(f"{text!r} is not PID=READY_URL, as in 4711=http://127.0.0.1:8000/ready")
    return Process.of(int(pid), url)


def _gone(pid: int, within_s: float) -> bool:
    """Whether a process has ended; one that its parent has not yet asked about (a zombie) has."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            if " Z " in (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2][:4]:
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(_POLL_S)
    return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _split(text: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(part) for part in text.split(b"\0") if part)


if __name__ == "__main__":
    sys.exit(main())
