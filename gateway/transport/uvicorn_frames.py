"""uvicorn's WebSockets with a short way in and out for what a live session does all day.

uvicorn gives each message to its application through a queue: the socket is paused and read again for
every one (two system calls), a task is resumed, and on the way in lies a general parser. Here a whole
binary message is cut out of the bytes that came and given to a plain function at once; everything else
(text in fragments, control frames, whatever breaks a rule) goes uvicorn's way, frame by frame, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, apply_mask  # type: ignore[attr-defined]
from websockets.protocol import OPEN

from gateway.connection.token_bucket import TokenBucket
from gateway.transport.frame_limits import FrameLimits
from gateway.transport.websocket_frame import (
    CLOSE,
    FINAL_BIT,
    FIRST_CONTROL,
    LONG,
    LONG_BINARY,
    OPCODE_BITS,
    WHOLE_BINARY,
    head_at,
    text_frame,
)

Take = Callable[[bytes | str], bool]
"""Takes one message; says whether it may be given the next one."""

_AFTER_CLOSE_BYTES: Final = 1 << 20
"""What is read from a client after the close frame was sent to it, while its answer is awaited."""


class _Messages(asyncio.Queue[Any]):
    """Messages that go uvicorn's way; `stirred` is told of the next one."""

    stirred: asyncio.Future[None] | None = None

    def _put(self, item: Any) -> None:
        super()._put(item)
        if self.stirred is not None and not self.stirred.done():
            self.stirred.set_result(None)


class FrameProtocol(WebSocketsSansIOProtocol):
    """See the module. Without `pour` and `send_now` it behaves as uvicorn's own, within `limits`."""

    def __init__(self, *args: Any, limits: FrameLimits | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits or FrameLimits()
        self._control = TokenBucket(self._limits.control_per_s, self._limits.control_burst, self.loop.time())
        self._pong = b""
        """The answer to the last ping, while the client does not read."""
        self._after_close = 0
        """Bytes that came after a close frame was sent."""
        self.queue: _Messages = _Messages()
        self._take: Take | None = None
        self._pours = False
        """Whether `pour` was ever asked: before that every message waits for the one before it."""
        self._held = 0
        """Bytes of messages in the queue."""
        self._enough = False
        self._largest = self.config.ws_max_size
        self._by_the_book = False
        """From now on uvicorn's parser reads everything."""
        self._in_fragments = False
        self._begun = bytearray()
        """A frame that has not come whole: at most `_largest` bytes and a head."""
        self._read_s = self.loop.time()
        """When the socket was last read, or reading began again."""
        self._due = 0
        """How many bytes of it there must be before it is worth a look."""

    # -- for the application -----------------------------------------------------------------------
    async def pour(self, take: Take) -> bool:
        """Give `take` every message as it comes, in order, until it returns False; then return True.

        While it is poured the socket is always read. Returns False when the client is gone. Raises
        what `take` raises.
        """
        self._pours = True
        while True:
            while not self.queue.empty():
                message = await self.receive()
                if message["type"] != "websocket.receive":
                    return False
                data = message.get("bytes")
                if not take(message.get("text") or "" if data is None else data):
                    return True
            self._read_s = self.loop.time()
            stirred = self.queue.stirred = self.loop.create_future()
            self._take, self._enough = take, False
            try:
                await stirred
            finally:
                self._take = self.queue.stirred = None
            if self._enough:
                return True

    async def receive(self) -> Any:
        message: dict[str, Any] = dict(await super().receive())
        self._hold(-min(self._held, len(message.get("bytes") or message.get("text") or "")))
        return message

    def send_now(self, text: str) -> bool:
        """Send a text message if that needs no waiting. False: it was not sent, `send` must be asked."""
        if not self.writable.is_set() or self.disconnected or self.close_sent:
            return False
        if not self.handshake_complete or self.conn.state is not OPEN or self.transport.is_closing():
            return False
        self.transport.write(text_frame(text.encode()))
        return True

    async def send(self, message: Any) -> None:
        was_complete = self.handshake_complete
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # An answer instead of a WebSocket is an end, too: uvicorn would call it the application's fault.
            self.handshake_complete = True
            return
        if self.handshake_complete and not was_complete and not self.close_sent and self._begun:
            early = bytes(self._begun)
            self._begun.clear()
            self.transport.resume_reading()
            self.data_received(early)

    # -- asyncio.Protocol --------------------------------------------------------------------------
    def data_received(self, data: bytes) -> None:
        self._read_s = self.loop.time()
        if self.close_sent and not self._readable_after_close(data):
            return
        if self._by_the_book:
            super().data_received(data)
        elif self.handshake_complete:
            self._read_frames(data)
        else:
            self._before_answer(data)

    def _read_frames(self, data: bytes) -> None:
        begun = self._begun
        if not begun and data.startswith(LONG_BINARY) and not self._in_fragments:
            # Nearly always: one message of 126 bytes or more, whole.
            size = len(data) - 8
            if LONG <= size <= self._largest and size == data[2] << 8 | data[3]:
                self._give(apply_mask(memoryview(data)[8:], data[4:8]))
                return
        if begun:
            begun += data
            if len(begun) < self._due:
                return
            data = bytes(begun)
            begun.clear()
        at = 0
        while at < len(data) and not self.transport.is_closing():
            end = self._frame(data, at)
            if end == 0:
                begun += memoryview(data)[at:]
                return
            at = end

    def _readable_after_close(self, data: bytes) -> bool:
        self._after_close += len(data)
        if self._after_close <= _AFTER_CLOSE_BYTES:
            return True
        self.transport.pause_reading()  # uvicorn closes it when the time for the client's answer is over
        return False

    def _before_answer(self, data: bytes) -> None:
        """The request, or frames of a client that does not wait for the answer to it: those are kept."""
        if not self.handshake_initiated:
            super().data_received(data)
            return
        self._begun += data
        if len(self._begun) > self._largest:
            self.transport.pause_reading()

    def _frame(self, data: bytes, at: int) -> int:
        """Handle the frame at `at`. Returns where it ends, 0 if it has not come whole."""
        head = head_at(data, at)
        if head is None:
            self._due = 0
            return 0
        first, payload_at, size, masked, shortest = head
        if not shortest:
            self._fail(1002, "a length is not written in the fewest bytes")
            return len(data)
        if not masked or size > self._largest:
            self._by_the_book = True
            super().data_received(data[at:])
            return len(data)
        end = payload_at + size
        if len(data) < end:
            self._due = end - at
            return 0
        if first == WHOLE_BINARY and not self._in_fragments:
            # A copy in any case: what is kept must not keep the frames beside it.
            self._give(apply_mask(memoryview(data)[payload_at:end], data[payload_at - 4 : payload_at]))
            return end
        return self._odd_frame(first, data, at, end)

    def _odd_frame(self, first: int, data: bytes, at: int, end: int) -> int:
        """Uvicorn's own way, for one frame, or for all that follows."""
        opcode = first & OPCODE_BITS
        if opcode < FIRST_CONTROL:
            self._in_fragments = first & FINAL_BIT == 0
        if opcode == CLOSE or self.conn.state is not OPEN:
            self._by_the_book = True
            end = len(data)
        super().data_received(data[at:end])
        if self.conn.parser_exc is not None:
            self._by_the_book = True
            end = len(data)
        return end

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._hold(-self._held)
        # A suspended generator that knows `conn`: the two would wait for the garbage collector.
        self.conn.parser.close()

    def keepalive_timeout(self) -> None:
        """A ping was not answered in time: the client is gone, unless its answer cannot have been read yet.

        While the socket is not read (back-pressure) answers wait after the client's audio, and who sends
        audio lives. Reading goes on or the session ends within bounds of its own.
        """
        timeout_s = self.ping_timeout or 0.0
        if self.read_paused or self.loop.time() - self._read_s < timeout_s:
            self.pong_timer = self.loop.call_later(timeout_s, self.keepalive_timeout)
            return
        super().keepalive_timeout()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pong and not self.close_sent and not self.transport.is_closing():
            self.transport.write(self._pong)
        self._pong = b""

    # -- frames that go uvicorn's way --------------------------------------------------------------
    def handle_ping(self) -> None:
        pong = b"".join(self.conn.data_to_send())
        if not self._within_rate():
            return
        if self.writable.is_set():
            self.transport.write(pong)
        else:
            self._pong = pong  # of several pings the last one may be answered alone (RFC 6455, 5.5.3)

    def handle_pong(self, event: Frame) -> None:
        if self._within_rate():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if self._within_rate():
            super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        if event.fin or self._within_rate():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if event.fin or self._within_rate():
            super().handle_bytes(event)

    def _within_rate(self) -> bool:
        """Count a control frame or a fragment; False, and the connection ends, if there were too many."""
        if self.transport.is_closing():
            return False
        if self._control.take(1, self.loop.time()) <= 0:
            return True
        self._limits.on_refused("too_many_control_frames")
        self._fail(1008, f"too_many_control_frames: at most {self._limits.control_per_s:g} a second")
        return False

    def _fail(self, code: int, reason: str) -> None:
        """Close at once, with this code."""
        if self.conn.state is not OPEN or self.close_sent:
            self.transport.close()
            return
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    # -- in between --------------------------------------------------------------------------------
    def send_receive_event_to_app(self) -> None:
        """A whole text message, or any in fragments."""
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self._give(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._fail(1007, "")
            return
        self._give(text)

    def _hold(self, size: int) -> bool:
        """Count bytes in the queue; whether more may be read."""
        self._held += size
        room = self._limits.held_by_all.add(size)
        return room and self._pours and self._held <= self._limits.held_bytes

    def _give(self, message: bytes | str) -> None:
        take = self._take
        if take is None:
            kind = "bytes" if isinstance(message, bytes) else "text"
            self.queue.put_nowait({"type": "websocket.receive", kind: message})
            if not self._hold(len(message)) and not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()
            return
        if self.close_sent:
            return
        stirred = self.queue.stirred
        try:
            if take(message):
                return
        except Exception as error:
            if stirred is not None and not stirred.done():
                stirred.set_exception(error)
        else:
            if stirred is not None and not stirred.done():
                stirred.set_result(None)
        self._take, self._enough = None, True
