"""The short way through uvicorn's WebSockets says and does what uvicorn's own does, for any bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from gateway.transport.frame_limits import FrameLimits, HeldBytes
from gateway.transport.uvicorn_frames import FrameProtocol
from gateway.transport.websocket_frame import head_at, text_frame

MAX_SIZE = 100_000
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Wire(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    @property
    def answer(self) -> bytes:
        """What came after the handshake."""
        return self.written.partition(b"\r\n\r\n")[2]


App = Callable[[Any, Any, Any], Awaitable[None]]


class Peer:
    """A server's protocol on a wire, and its application's log."""

    def __init__(self, kind: Callable[..., WebSocketsSansIOProtocol], app: App) -> None:
        config = uvicorn.Config(
            app, log_config=None, ws_max_size=MAX_SIZE, ws_per_message_deflate=False, ws_ping_interval=None
        )
        config.load()
        self.wire = Wire()
        self.protocol = kind(config, ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.wire)

    async def hear(self, data: bytes, step: int = 1 << 30) -> None:
        for at in range(0, len(data), step):
            if not self.wire.closed:
                self.protocol.data_received(data[at : at + step])
            if at % 50 == 0:
                await turns()
        await turns()


async def turns(count: int = 10) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


def reader(log: list[object]) -> App:
    """An application that reads message by message, as ASGI has it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            log.append(message.get("bytes") if message.get("text") is None else message["text"])
        log.append("gone")

    return app


def pourer(log: list[object]) -> App:
    """One that has the messages poured."""

    def take(message: bytes | str) -> bool:
        log.append(message)
        return True

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert not await receive.__self__.pour(take)
        log.append("gone")

    return app


def frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


TEXT, BINARY, CONT, PING, CLOSE = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.CLOSE
BYE = frame(CLOSE, b"\x03\xe8bye")
TALK = b"".join(
    (
        frame(BINARY, b"ab"),
        frame(BINARY, bytes(range(256)) * 2),
        frame(TEXT, "قل".encode()),
        frame(PING, b"there?"),
        frame(BINARY, b"x" * 70_000),
        frame(BINARY, b"one ", fin=False),
        frame(PING, b"still?"),
        frame(CONT, b"message"),
        frame(TEXT, b"two ", fin=False),
        frame(CONT, b"parts"),
        frame(BINARY, b""),
        frame(BINARY, b"last"),
    )
)
BROKEN = {
    "not masked": Frame(BINARY, b"ab").serialize(mask=False),
    "too large": frame(BINARY, b"x" * (MAX_SIZE + 1)),
    "too large in fragments": frame(BINARY, b"x" * 90_000, fin=False) + frame(CONT, b"x" * 90_000),
    "no such opcode": b"\x83\x80" + bytes(4),
    "a reserved bit": b"\xc2\x81" + bytes(5),
    "a long ping": b"\x89\xfe\x00\x80" + bytes(4 + 128),
    "going on with nothing": frame(CONT, b"ab"),
    "a message within a message": frame(BINARY, b"a", fin=False) + frame(BINARY, b"b"),
    "not UTF-8": frame(TEXT, b"\xff\xfe"),
    "bytes after the close": BYE + frame(BINARY, b"late"),
}


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000, 1448, 1 << 30])
async def test_every_message_comes_once_and_in_order_however_the_bytes_are_cut(step: int) -> None:
    there: list[object] = []
    peer = Peer(FrameProtocol, pourer(there))
    await peer.hear(REQUEST)
    await peer.hear(TALK, step)
    assert there == [
        b"ab",
        bytes(range(256)) * 2,
        "قل",
        b"x" * 70_000,
        b"one message",
        "two parts",
        b"",
        b"last",
    ]
    assert peer.wire.answer == Frame(Opcode.PONG, b"there?").serialize(mask=False) + Frame(
        Opcode.PONG, b"still?"
    ).serialize(mask=False)
    assert peer.wire.reading
    await peer.hear(BYE)
    assert there[-1] == "gone"


@pytest.mark.parametrize("step", [3, 1 << 30])
@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
async def test_what_breaks_a_rule_is_answered_as_uvicorn_does(
    sent: bytes, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="uvicorn.error")
    logs: tuple[list[object], list[object]] = ([], [])
    plain, short = Peer(WebSocketsSansIOProtocol, reader(logs[0])), Peer(FrameProtocol, pourer(logs[1]))
    for peer in (plain, short):
        await peer.hear(REQUEST)
        await peer.hear(frame(BINARY, b"before"))
        await peer.hear(sent, step)
    assert short.wire.answer == plain.wire.answer
    assert (logs[1], short.wire.closed) == (logs[0], plain.wire.closed)


async def test_who_does_not_wait_for_the_answer_is_understood_too() -> None:
    there: list[object] = []
    peer = Peer(FrameProtocol, pourer(there))
    peer.protocol.data_received(REQUEST)
    early = frame(BINARY, b"early")
    peer.protocol.data_received(early[:4])
    await turns()
    await peer.hear(early[4:] + frame(BINARY, b"next"))
    assert there == [b"early", b"next"]


async def test_a_lost_connection_ends_the_pouring() -> None:
    there: list[object] = []
    peer = Peer(FrameProtocol, pourer(there))
    await peer.hear(REQUEST)
    peer.protocol.connection_lost(None)
    await turns()
    assert there == ["gone"]


async def test_who_has_enough_is_given_the_rest_later_and_meanwhile_the_socket_is_not_read() -> None:
    taken: list[bytes | str] = []
    again = asyncio.Event()
    pours: list[bool] = []

    def until(enough: int) -> Callable[[bytes | str], bool]:
        def take(message: bytes | str) -> bool:
            taken.append(message)
            return len(taken) < enough

        return take

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for enough in (2, 3, 9):
            pours.append(await receive.__self__.pour(until(enough)))
            await again.wait()

    peer = Peer(partial(FrameProtocol, limits=FrameLimits(held_bytes=0)), app)
    await peer.hear(REQUEST)
    await peer.hear(b"".join(frame(BINARY, bytes((number,))) for number in range(5)))
    assert (taken, peer.wire.reading) == ([b"\0", b"\1"], False)
    again.set()
    await turns()
    assert (taken, pours, peer.wire.reading) == ([bytes((n,)) for n in range(5)], [True, True], True)
    await peer.hear(frame(TEXT, b"end"))
    assert taken[-1] == "end"
    await peer.hear(BYE)
    assert pours == [True, True, False]


async def test_a_pong_that_cannot_be_read_is_not_missing() -> None:
    """While audio is held back the answer lies unread behind it; the limit counts once reading goes on."""
    again = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive.__self__.pour(lambda message: False)
        await again.wait()
        await receive.__self__.pour(lambda message: True)

    peer = Peer(partial(FrameProtocol, limits=FrameLimits(held_bytes=1)), app)
    protocol = peer.protocol
    await peer.hear(REQUEST)
    await peer.hear(b"".join(frame(BINARY, bytes((number,))) for number in range(3)))
    protocol.ping_timeout = 0.0  # over at once
    assert protocol.read_paused
    protocol.keepalive_timeout()
    assert peer.wire.answer == b""
    protocol.stop_keepalive()  # it waits for another while
    again.set()
    await turns()
    protocol.ping_timeout = 3600.0  # it has just been read
    protocol.keepalive_timeout()
    assert peer.wire.answer == b""
    protocol.ping_timeout = 0.0
    protocol.keepalive_timeout()
    assert (1011).to_bytes(2, "big") in peer.wire.answer
    protocol.connection_lost(None)


async def test_pings_are_answered_while_audio_is_held_back_within_bounds() -> None:
    again = asyncio.Event()
    taken: list[int] = []

    def take(message: bytes | str) -> bool:
        taken.append(len(message))
        return True

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive.__self__.pour(lambda message: False)
        await again.wait()
        await receive.__self__.pour(take)

    shared = HeldBytes(most=1000)
    peer = Peer(partial(FrameProtocol, limits=FrameLimits(held_bytes=250, held_by_all=shared)), app)
    await peer.hear(REQUEST)
    await peer.hear(b"".join(frame(BINARY, bytes(100)) for _ in range(3)))  # one is refused, two are held
    await peer.hear(frame(PING, b"there?"))
    pong = Frame(Opcode.PONG, b"there?").serialize(mask=False)
    assert (peer.wire.reading, peer.wire.answer) == (True, pong)
    await peer.hear(frame(BINARY, bytes(100)))
    assert (peer.wire.reading, peer.wire.answer) == (False, pong)
    again.set()
    await turns()
    assert (peer.wire.reading, taken) == (True, [100] * 3)
    assert shared.add(999)  # nothing is held any more
    await peer.hear(BYE)


async def test_what_all_sockets_hold_together_is_bounded_and_given_back() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive.__self__.pour(lambda message: False)
        await asyncio.Event().wait()

    shared = HeldBytes(most=250)
    peers = [Peer(partial(FrameProtocol, limits=FrameLimits(held_by_all=shared)), app) for _ in range(2)]
    for peer in peers:
        await peer.hear(REQUEST)
        await peer.hear(frame(BINARY, bytes(100)) * 3)
    assert [peer.wire.reading for peer in peers] == [True, False]
    for peer in peers:
        peer.protocol.connection_lost(None)
    assert shared.add(249)


async def test_what_the_taker_raises_comes_out_of_the_pouring() -> None:
    raised: list[Exception] = []

    def take(message: bytes | str) -> bool:
        raise ValueError(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await receive.__self__.pour(take)
        except ValueError as error:
            raised.append(error)

    peer = Peer(FrameProtocol, app)
    await peer.hear(REQUEST)
    await peer.hear(frame(BINARY, b"no") + frame(BINARY, b"more"))
    assert [error.args for error in raised] == [(b"no",)]


@pytest.mark.parametrize("size", [0, 5, 125, 126, 200, 65_535, 65_536, 70_000])
def test_frames_are_written_and_read_as_the_standard_has_them(size: int) -> None:
    payload = b"p" * size
    assert text_frame(payload) == Frame(TEXT, payload).serialize(mask=False)
    sent = b"??" + frame(BINARY, payload)
    head = head_at(sent, 2)
    assert head is not None
    assert (head.first, head.size, head.masked) == (0x82, size, True)
    assert head.payload_at + size == len(sent)
    assert all(head_at(sent[:end], 2) is None for end in (2, 3))


async def test_an_event_is_sent_at_once_unless_the_client_does_not_read() -> None:
    there: list[object] = []
    peer = Peer(FrameProtocol, pourer(there))
    protocol = peer.protocol
    assert isinstance(protocol, FrameProtocol)
    assert not protocol.send_now("too early")
    await peer.hear(REQUEST)
    assert protocol.send_now("سلام")
    assert peer.wire.answer == text_frame("سلام".encode())
    protocol.pause_writing()
    assert not protocol.send_now("full")
    protocol.resume_writing()
    assert protocol.send_now("!")
    await peer.hear(BYE)
    assert not protocol.send_now("too late")


def closed_with(code: int, reason: str = "") -> bytes:
    return Frame(CLOSE, code.to_bytes(2, "big") + reason.encode()).serialize(mask=False)


def bounded(log: list[object], refused: list[str]) -> Peer:
    """A peer that takes ten control frames at once, and hardly any after them."""
    limits = FrameLimits(control_per_s=0.001, control_burst=10, on_refused=refused.append)
    return Peer(partial(FrameProtocol, limits=limits), pourer(log))


@pytest.mark.parametrize(
    "odd",
    [
        frame(PING, b""),
        frame(Opcode.PONG, b"x"),
        frame(CONT, b"", fin=False),
    ],
    ids=["pings", "pongs", "empty fragments"],
)
@pytest.mark.parametrize("step", [7, 1 << 30])
async def test_too_many_control_frames_and_fragments_close_with_1008(odd: bytes, step: int) -> None:
    there: list[object] = []
    refused: list[str] = []
    peer = bounded(there, refused)
    await peer.hear(REQUEST)
    if odd[0] == 0:
        await peer.hear(frame(BINARY, b"", fin=False))
    await peer.hear(odd * 1000, step)
    assert peer.wire.closed
    assert refused == ["too_many_control_frames"]
    assert peer.wire.answer.endswith(closed_with(1008, "too_many_control_frames: at most 0.001 a second"))
    assert peer.wire.answer.count(Frame(Opcode.PONG, b"").serialize(mask=False)) <= 10
    assert there == ["gone"]


async def test_whole_messages_are_no_control_frames() -> None:
    there: list[object] = []
    refused: list[str] = []
    peer = bounded(there, refused)
    await peer.hear(REQUEST)
    await peer.hear((frame(BINARY, b"a") + frame(TEXT, b"b")) * 100)
    assert (len(there), refused) == (200, [])


async def test_pings_before_the_answer_are_counted_too() -> None:
    there: list[object] = []
    refused: list[str] = []
    peer = bounded(there, refused)
    peer.protocol.data_received(REQUEST)
    peer.protocol.data_received(frame(PING, b"") * 1000)
    await turns()
    assert peer.wire.closed
    assert refused == ["too_many_control_frames"]


async def test_before_the_answer_only_so_much_is_read() -> None:
    peer = Peer(FrameProtocol, pourer([]))
    peer.protocol.data_received(REQUEST)
    for _ in range(3):
        peer.protocol.data_received(frame(BINARY, b"x" * (MAX_SIZE // 2)))
    assert not peer.wire.reading
    await turns()
    assert peer.wire.reading


async def test_a_client_that_does_not_read_gets_one_pong_when_it_reads_again() -> None:
    peer = Peer(FrameProtocol, pourer([]))
    await peer.hear(REQUEST)
    peer.protocol.pause_writing()
    for number in range(100):
        await peer.hear(frame(PING, str(number).encode()))
    assert peer.wire.answer == b""
    peer.protocol.resume_writing()
    assert peer.wire.answer == Frame(Opcode.PONG, b"99").serialize(mask=False)


@pytest.mark.parametrize(
    "head",
    [b"\x82\xfe\x00\x02", b"\x82\xff" + bytes(7) + b"\x02", b"\x81\xff" + bytes(6) + b"\xff\xff"],
)
@pytest.mark.parametrize("step", [1, 1 << 30])
async def test_a_length_in_more_bytes_than_needed_closes_with_1002(head: bytes, step: int) -> None:
    there: list[object] = []
    peer = Peer(FrameProtocol, pourer(there))
    await peer.hear(REQUEST)
    await peer.hear(head + bytes(4) + b"ab", step)
    assert there == ["gone"]
    assert peer.wire.answer == closed_with(1002, "a length is not written in the fewest bytes")


async def test_after_the_close_frame_only_so_much_is_read() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})

    peer = Peer(FrameProtocol, app)
    await peer.hear(REQUEST)
    for _ in range(11):
        await peer.hear(frame(BINARY, b"x" * 99_000))
    assert not peer.wire.reading


async def test_an_answer_instead_of_a_socket_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    peer = Peer(FrameProtocol, app)
    await peer.hear(REQUEST)
    assert peer.wire.written.startswith(b"HTTP/1.1 403")
    assert peer.wire.closed
    assert caplog.records == []


async def test_text_that_is_not_utf8_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(FrameProtocol, pourer([]))
    await peer.hear(REQUEST)
    await peer.hear(frame(TEXT, b"\xff\xfe"))
    assert peer.wire.answer == closed_with(1007)
    assert caplog.records == []
