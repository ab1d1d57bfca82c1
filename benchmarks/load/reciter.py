"""One paced reciter: a bare asyncio protocol that sends on an absolute schedule and notes what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

from benchmarks.load.audio import Programme
from benchmarks.load.websocket import CLOSE, PING, PONG, TEXT, FrameReader, frame, handshake

END = frame(TEXT, b"end")


class LatencyBrief(msgspec.Struct):
    """Of an event's `latency_ms`, what the tables use."""

    buffer_ms: int = 0
    queued_ms: int = 0
    inference_ms: int = 0
    total_ms: int = 0


class EventBrief(msgspec.Struct):
    """Of the server's events, what the tables use; the rest is skipped while parsing."""

    type: str
    seq: int | None = None
    code: str = ""
    session_id: str = ""
    window_seconds: float = 0.0
    latency_ms: LatencyBrief | None = None


class Arrival(msgspec.Struct, frozen=True):
    """One answered segment: when (loop time, s) and by what (`partial_result` or an error code).

    `buffer_ms`: how long the segment is, 0 where the answer does not say.
    """

    seq: int
    at_s: float
    code: str
    inference_ms: int
    buffer_ms: int = 0


class Reciter(asyncio.Protocol):
    """Connects, waits for `begin`, then sends `frames` frames, one every `frame_s`."""

    def __init__(self, programme: Programme, first_frame: int, settled: Callable[[], None]) -> None:
        """`settled` is called once: ready to recite, or refused."""
        self._programme = programme
        self._next = first_frame
        self._settled = settled
        self._reader = FrameReader()
        self._upgraded = False
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.session_id = ""
        self.window_s = 0.0
        self.refused = ""
        self.closed = ""
        self.sent_s: list[float] = []
        self.arrivals: list[Arrival] = []
        self.troubles: list[str] = []
        self.events = 0
        self.reported = False
        """The final report is here."""

    # -- what the run does -------------------------------------------------------------------------
    def open(self, host: str, port: int) -> None:
        """Send the upgrade request; called once connected."""
        assert self._transport is not None
        target = f"/ws/recite?{self._programme.query()}"
        self._transport.write(handshake(host, port, target))

    def begin(self, at_s: float, frame_s: float, frames: int) -> None:
        """Recite: frame n is due at `at_s + n * frame_s`, loop time."""
        if self.session_id and not self.closed:
            self._timer = self._loop.call_at(at_s, self._send, at_s, frame_s, frames)

    def finish(self) -> None:
        """Say that the recitation is over; the final report follows, then the close."""
        if self._transport is not None and not self.closed:
            self._transport.write(END)

    def leave(self) -> None:
        """Hang up."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    @property
    def accepted(self) -> bool:
        return bool(self.session_id)

    # -- asyncio.Protocol --------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.closed = self.closed or f"lost: {error}"
        self._settle("" if self.accepted else self.closed)

    def data_received(self, data: bytes) -> None:
        if not self._upgraded:
            self._head += data
            head, found, data = bytes(self._head).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._settle(head.split(b"\r\n", 1)[0].decode())
                self.leave()
                return
            self._upgraded = True
        for opcode, payload in self._reader.feed(data):
            self._on_message(opcode, payload)

    # -- inside ------------------------------------------------------------------------------------
    def _send(self, due_s: float, frame_s: float, left: int) -> None:
        assert self._transport is not None
        frames = self._programme.frames
        self._transport.write(frames[self._next % len(frames)])
        self.sent_s.append(self._loop.time())
        self._next += 1
        if left > 1:
            due_s += frame_s
            self._timer = self._loop.call_at(due_s, self._send, due_s, frame_s, left - 1)

    def _on_message(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self._on_event(_events.decode(payload))
        elif opcode == PING and self._transport is not None:
            self._transport.write(frame(PONG, payload))
        elif opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self.closed = self.closed or f"{code} {payload[2:].decode(errors='replace')}".strip()
            self._settle(self.closed)

    def _on_event(self, event: EventBrief) -> None:
        self.events += 1
        if event.type == "ready":
            self.session_id, self.window_s = event.session_id, event.window_seconds
            self._settle("")
        elif event.type == "partial_result" and event.seq is not None:
            latency = event.latency_ms or LatencyBrief()
            self.arrivals.append(
                Arrival(event.seq, self._loop.time(), "", latency.inference_ms, latency.buffer_ms)
            )
        elif event.type == "error" and event.seq is not None:
            self.arrivals.append(Arrival(event.seq, self._loop.time(), event.code, 0))
        elif event.type == "error":
            self.troubles.append(event.code)
        elif event.type == "final_result":
            self.reported = True

    def _settle(self, refused: str) -> None:
        if not self.accepted and not self.refused:
            self.refused = ", ".join([*self.troubles, refused])
        settled, self._settled = self._settled, lambda: None
        settled()


_events = msgspec.json.Decoder(EventBrief)
