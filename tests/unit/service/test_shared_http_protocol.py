"""Heads without end, silence, and crowds: bounded before any application is asked."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from shared.service import http_limits
from shared.service.http_limits import HttpLimits, SilentSockets, TooFewDescriptors, need_descriptors
from shared.service.http_server import serve

WAIT_S = 10.0


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


LARGE = "x" * 8_000_000
"""More than the buffers of a socket hold."""


async def _large(_request: Request) -> PlainTextResponse:
    return PlainTextResponse(LARGE)


async def _refuse_unread(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("no", status_code=400)


class Served:
    def __init__(self, port: int, registry: CollectorRegistry) -> None:
        self.port = port
        self.registry = registry

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, *pieces: bytes) -> tuple[int, dict[str, object] | str]:
        """Status and body of the answer; the server must close afterwards."""
        reader, writer = await self.open()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(WAIT_S):
                answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        return status, json.loads(body) if b"application/json" in head else body.decode()

    def refused(self, reason: str) -> float:
        return self.registry.get_sample_value("rattil_http_refused_total", {"reason": reason}) or 0.0


@asynccontextmanager
async def served(**limits: float) -> AsyncIterator[Served]:
    registry = CollectorRegistry()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    running = asyncio.create_task(
        serve(
            Starlette(
                routes=[
                    Route("/large", _large),
                    Route("/refused", _refuse_unread, methods=["POST"]),
                    Route("/{path:path}", _length, methods=["GET", "POST"]),
                ]
            ),
            "127.0.0.1",
            0,
            ready=port.set_result,
            stop=stop,
            limits=HttpLimits(**limits),  # type: ignore[arg-type]
            registry=registry,
            websockets=WebSocketsSansIOProtocol,
        )
    )
    try:
        yield Served(await port, registry)
    finally:
        stop.set()
        await running


async def test_an_address_without_end_is_answered_with_414() -> None:
    async with served(max_line_bytes=2000) as server:
        status, body = await server.ask(b"GET /" + b"a" * 3000)
        assert (status, body) == (
            414,
            {"error": {"code": "line_too_long", "message": "the address is longer than 2000 bytes"}},
        )
        assert server.refused("line_too_long") == 1
        assert (await server.ask(b"GET /" + b"a" * 1000 + b" HTTP/1.0\r\n\r\n"))[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 2000,
        b"GET / HTTP/1.1\r\nX-A: " + b"b" * 9000,
        b"GET / HTTP/1.1\r\n" + b"b" * 9000,
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 2000 + b"\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + b"X-A: b\r\n" * 2000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: " + b"b" * 9000,
    ],
    ids=["lines", "one value", "one name", "whole", "trailers", "one trailer"],
)
async def test_headers_without_end_are_answered_with_431(head: bytes) -> None:
    async with served(max_head_bytes=8000) as server:
        reader, writer = await server.open()
        writer.write(head)
        async with asyncio.timeout(WAIT_S):
            # What came in the same piece as a body is not counted: the next ones are.
            with suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(head[-7:])
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(100), 0.001)
        writer.close()
        assert server.refused("head_too_large") == 1


async def test_the_answer_to_large_headers_says_what_is_wrong() -> None:
    async with served(max_head_bytes=8000) as server:
        status, body = await server.ask(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 2000)
        assert (status, body) == (
            431,
            {"error": {"code": "head_too_large", "message": "headers are longer than 8000 bytes"}},
        )


async def test_a_body_in_many_small_chunks_is_no_head() -> None:
    async with served(max_head_bytes=8000) as server:
        chunks = b"".join(b"1\r\na\r\n" for _ in range(5000))
        status, body = await server.ask(
            b"POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
            chunks,
            b"0\r\n\r\n",
        )
        assert (status, body) == (200, "5000")


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", b"\r\n\r\n"],
    ids=["silent", "half a line", "half an upgrade", "empty lines"],
)
async def test_a_head_that_does_not_come_is_answered_with_408(begun: bytes) -> None:
    async with served(head_timeout_s=0.1) as server:
        status, body = await server.ask(begun)
        assert status == 408
        assert body == {"error": {"code": "head_timeout", "message": "no whole request came within 0.1 s"}}


async def test_the_second_head_of_a_socket_has_a_deadline_too() -> None:
    async with served(head_timeout_s=0.1) as server:
        reader, writer = await server.open()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTT")
        async with asyncio.timeout(WAIT_S):
            rest = await reader.read()
        writer.close()
        assert b"408 Request Timeout" in rest


async def test_an_upgrade_that_cannot_be_read_is_answered_and_closed() -> None:
    async with served() as server:
        head = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + b"X-A: b\r\n" * 200
        status, _ = await server.ask(head + b"\r\n")
        assert status == 400
        assert server.refused("bad_upgrade") == 1


REFUSED = b"POST /refused HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"


@pytest.mark.parametrize("began", [b"", b"a"], ids=["nothing", "a byte"])
async def test_the_body_of_an_answered_request_has_a_deadline(began: bytes) -> None:
    async with served(head_timeout_s=0.1) as server:
        assert await server.ask(REFUSED, began) == (400, "no")
        assert server.refused("body_timeout") == 1
        assert server.registry.get_sample_value("rattil_http_silent_sockets") == 0


async def test_a_byte_now_and_then_does_not_move_that_deadline() -> None:
    async with served(head_timeout_s=0.3) as server:
        reader, writer = await server.open()
        writer.write(REFUSED)
        answer = asyncio.create_task(reader.read())
        async with asyncio.timeout(WAIT_S):
            while not answer.done():
                writer.write(b"a")
                await asyncio.sleep(0.02)
        writer.close()
        assert server.refused("body_timeout") == 1


async def test_a_socket_whose_body_comes_whole_serves_the_next_request() -> None:
    async with served(head_timeout_s=5.0) as server:
        reader, writer = await server.open()
        writer.write(REFUSED)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.write(bytes(4000) + b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
        async with asyncio.timeout(WAIT_S):
            rest = await reader.read()
        writer.close()
        assert rest.endswith(b"3")
        assert server.refused("body_timeout") == 0


async def test_answered_requests_without_their_body_count_as_silent() -> None:
    async with served(head_timeout_s=0.5, max_silent_per_address=2) as server:
        answers = await asyncio.gather(*(server.ask(REFUSED) for _ in range(5)))
        assert {status for status, _ in answers} == {400}
        assert (server.refused("too_many_silent"), server.refused("body_timeout")) == (3, 2)


async def test_silent_sockets_of_one_address_are_bounded() -> None:
    # Silent from 1 s on: those that are counted stay until all five have become so, however slow the machine.
    async with served(head_timeout_s=4.0, max_silent_per_address=2) as server:
        answers = await asyncio.gather(*(server.ask(b"") for _ in range(5)))
        assert sorted(status for status, _ in answers) == [408, 408, 429, 429, 429]
        assert server.registry.get_sample_value("rattil_http_silent_sockets") == 0


async def test_one_socket_too_many_is_told_so() -> None:
    async with served(max_sockets=1) as server:
        reader, writer = await server.open()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readline()
        status, body = await server.ask(b"")
        assert (status, body) == (
            503,
            {"error": {"code": "too_many_sockets", "message": "1 sockets are open already"}},
        )
        writer.close()


async def test_what_is_no_http_is_answered_with_400() -> None:
    async with served() as server:
        status, body = await server.ask(b"\x16\x03\x01\x02\x00\x01\x00")
        assert status == 400
        assert isinstance(body, dict)


def test_silent_sockets_are_counted_by_address() -> None:
    silent = SilentSockets(1)
    assert silent.add("a")
    assert not silent.add("a")
    assert silent.add("b")
    assert len(silent) == 2
    silent.remove("a")
    assert silent.add("a")


def test_the_limit_of_open_files_is_raised_as_far_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(100, 1000)]

    def change(_which: int, wanted: tuple[int, int]) -> None:
        limits.append(wanted)

    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", change)
    assert need_descriptors(50) == 100
    assert need_descriptors(900) == 900
    assert limits[-1] == (900, 1000)
    with pytest.raises(TooFewDescriptors, match="lower WS_MAX_CONNECTIONS"):
        http_limits.need_descriptors(1001)


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async with served(send_timeout_s=0.2) as server:
        _, writer = await server.open()
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        async with asyncio.timeout(WAIT_S):
            while not server.refused("send_timeout"):  # noqa: ASYNC110 - another side of a socket
                await asyncio.sleep(0.01)
            while server.registry.get_sample_value("rattil_http_sockets"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        writer.close()


async def test_who_reads_slowly_gets_the_whole_answer() -> None:
    async with served(send_timeout_s=1.0) as server:
        reader, writer = await server.open()
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        read = 0
        async with asyncio.timeout(WAIT_S):
            while piece := await reader.read(64_000):
                read += len(piece)
                await asyncio.sleep(0.01)
        writer.close()
        assert read > len(LARGE)
        assert not server.refused("send_timeout")
