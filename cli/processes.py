"""Child processes of the launcher: started in order, each gated on its readiness, stopped in reverse.

A child that dies ends everything, with its last lines of log: nothing is restarted silently.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from cli.parent_death import die_with_parent

LAST_LINES = 25
"""Log lines kept per child, to be shown when it dies."""

LONGEST_LINE = 64 * 1024
"""Bytes of one log line; a longer one is cut."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process to run; up when `ready_url` answers 200. `drain_s`: how long it may take to stop."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str = ""
    ready_within_s: float = 60.0
    drain_s: float = 15.0


class ChildDied(Exception):
    """A child ended by itself; `last_lines` is the tail of its log."""

    def __init__(self, name: str, status: int, last_lines: Sequence[str]) -> None:
        super().__init__(f"{name} ended by itself with {_describe_status(status)}")
        self.name = name
        self.status = status
        self.last_lines = tuple(last_lines)


class NotReady(Exception):
    """A child is alive but not ready in time."""

    def __init__(self, service: Service, last_answer: str, last_lines: Sequence[str]) -> None:
        super().__init__(
            f"{service.name} was not ready within {service.ready_within_s:g} s "
            f"(last answer of {service.ready_url}: {last_answer})"
        )
        self.name = service.name
        self.last_lines = tuple(last_lines)


class PortInUse(Exception):
    """An address that a service needs is taken."""


LogSink = Callable[[str, str], None]
"""Called with (service name, line without its end) for each line a child writes."""


class Child:
    """A running service: its process, the task that reads its log, the tail of that log."""

    def __init__(self, service: Service, process: asyncio.subprocess.Process, sink: LogSink) -> None:
        self.service = service
        self._process = process
        self._tail: deque[str] = deque(maxlen=LAST_LINES)
        self._sink = sink
        self._reader = asyncio.create_task(self._read_log(), name=f"log-{service.name}")

    @classmethod
    async def start(cls, service: Service, sink: LogSink) -> Child:
        """Run the service in its own process group, so that a Ctrl-C in the terminal reaches only us."""
        process = await asyncio.create_subprocess_exec(
            *service.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **service.env},
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        return cls(service, process, sink)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_lines(self) -> list[str]:
        return list(self._tail)

    async def died(self) -> ChildDied:
        """Wait until the process ends; returns (does not raise) what to say about it."""
        status = await self._process.wait()
        await asyncio.shield(self._reader)
        return ChildDied(self.service.name, status, self._tail)

    async def ready(self) -> None:
        """Wait for readiness. Raises `ChildDied` if it ends before, `NotReady` if it takes too long."""
        if not self.service.ready_url:
            return
        probe = asyncio.create_task(self._probe(), name=f"probe-{self.service.name}")
        death = asyncio.create_task(self.died(), name=f"death-{self.service.name}")
        try:
            await asyncio.wait({probe, death}, return_when=asyncio.FIRST_COMPLETED)
            if death.done():
                raise death.result()
            await probe
        finally:
            probe.cancel()
            death.cancel()
            await asyncio.gather(probe, death, return_exceptions=True)

    async def stop(self) -> int:
        """SIGTERM, then SIGKILL once the drain time is over; returns the exit status."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(self.service.drain_s):
                    await self._process.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)
        status = await self._process.wait()
        await asyncio.shield(self._reader)
        return status

    def kill(self) -> None:
        """SIGKILL at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _probe(self) -> None:
        last_answer = "none"
        try:
            # The client first: on a busy machine it takes a second to make, which is no time of the service.
            async with httpx.AsyncClient(timeout=2) as client, asyncio.timeout(self.service.ready_within_s):
                while True:
                    try:
                        answer = await client.get(self.service.ready_url)
                        if answer.status_code == httpx.codes.OK:
                            return
                        last_answer = f"{answer.status_code} {answer.text[:200]}"
                    except httpx.TransportError as error:
                        last_answer = type(error).__name__
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NotReady(self.service, last_answer, self._tail) from None

    async def _read_log(self) -> None:
        stream = self._process.stdout
        assert stream is not None, "started with a pipe"
        lines = LogLines()
        while piece := await stream.read(LONGEST_LINE):
            self._note(lines.feed(piece))
        self._note(lines.rest())

    def _note(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._tail.append(line)
            self._sink(self.service.name, line)


class LogLines:
    """Bytes in, whole lines out; a line longer than `LONGEST_LINE` is named, not kept."""

    def __init__(self) -> None:
        self._open = bytearray()
        self._too_long = False

    def feed(self, piece: bytes) -> list[str]:
        """The lines that end in this piece."""
        *ended, last = piece.split(b"\n")
        lines = []
        for part in ended:
            self._grow(part)
            lines.append(self._end())
        self._grow(last)
        return lines

    def rest(self) -> list[str]:
        """What is left when no more comes."""
        return [self._end()] if self._open or self._too_long else []

    def _grow(self, part: bytes) -> None:
        self._open += part
        if len(self._open) > LONGEST_LINE:
            self._too_long = True
            self._open.clear()

    def _end(self) -> str:
        text = "(a line too long to show)" if self._too_long else self._open.decode(errors="replace")
        self._open.clear()
        self._too_long = False
        return text


class Stack:
    """The children of one launch. Use `start` in dependency order; `stop` goes the other way."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._stopping: list[Child] = []
        self.children: list[Child] = []
        self.complete = False
        """Set by whoever starts the stack, once all of it is ready."""

    async def start(self, services: Sequence[Service]) -> None:
        """Start these together and wait until all are ready; raises `ChildDied` or `NotReady`."""
        started = [await self.spawn(service) for service in services]
        await _all_ready(started)

    async def start_next(self, services: Sequence[Service]) -> None:
        """The same, but `ChildDied` is also raised if a part that was started before ends meanwhile: another
        launch may answer at its address, and would hide that it is gone."""
        started = [await self.spawn(service) for service in services]
        death = asyncio.create_task(self.first_death(), name="any-death")
        ready = asyncio.create_task(_all_ready(started), name="all-ready")
        try:
            await asyncio.wait({ready, death}, return_when=asyncio.FIRST_COMPLETED)
            if death.done():
                raise death.result()
            await ready
        finally:
            ready.cancel()
            death.cancel()
            await asyncio.gather(ready, death, return_exceptions=True)

    async def spawn(self, service: Service) -> Child:
        """Start one without waiting for it to be ready; it is stopped with the others."""
        child = await Child.start(service, self._sink)
        self.children.append(child)
        return child

    async def first_death(self) -> ChildDied:
        """Wait until any child ends."""
        deaths = [asyncio.create_task(c.died(), name=f"death-{c.service.name}") for c in self.children]
        try:
            done, _ = await asyncio.wait(deaths, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for death in deaths:
                death.cancel()
            await asyncio.gather(*deaths, return_exceptions=True)

    async def stop(self) -> None:
        """Stop what was started last first; services of one kind (`worker-1`, `worker-fast-1`) together."""
        while self.children:
            kind = _kind(self.children[-1])
            last = [child for child in self.children if _kind(child) == kind]
            self.children = [child for child in self.children if _kind(child) != kind]
            self._stopping += last
            await asyncio.gather(*(child.stop() for child in last))

    def kill(self) -> None:
        """Kill everything at once: the answer to a second signal."""
        for child in (*self.children, *self._stopping):
            child.kill()


async def _all_ready(children: Sequence[Child]) -> None:
    for child in children:
        await child.ready()


def require_free(host: str, port: int, setting: str) -> None:
    """Raises `PortInUse`, naming the setting to change, if `host:port` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"cannot listen on {host}:{port} ({error.strerror}); "
                f"stop what uses it or choose another with {setting}"
            ) from error


def _kind(child: Child) -> str:
    return child.service.name.partition("-")[0]


def _describe_status(status: int) -> str:
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"
