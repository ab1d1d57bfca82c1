"""Server-sent events: comments while nothing happens, and an end for every kind of client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.transport.sse import EventStream

WAIT_S = 5.0


class Client:
    """The server's side of one request, as ASGI shows it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self.enough = asyncio.Event()
        self.wanted = 1
        self.outcome = ""

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)
        if self.text.count("\n\n") >= self.wanted:
            self.enough.set()

    def closed(self, outcome: str) -> None:
        assert self.outcome == ""
        self.outcome = outcome

    async def run(self, events: AsyncGenerator[str, None], **options: float) -> None:
        bounds: dict[str, float] = {"keepalive_s": 60, "send_timeout_s": 60} | options
        stream = EventStream(events, closed=self.closed, **bounds)
        async with asyncio.timeout(WAIT_S):
            await stream({"type": "http"}, self.receive, self.send)

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


class Source:
    """Events, then nothing until it is let; notes whether it was closed."""

    def __init__(self, *data: str, error: Exception | None = None) -> None:
        self.data = data
        self.error = error
        self.go_on = asyncio.Event()
        self.closed = False

    async def events(self) -> AsyncGenerator[str, None]:
        try:
            for one in self.data:
                yield one
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def test_events_are_sent_and_the_answer_ends() -> None:
    client, source = Client(), Source("one", "سلام")
    source.go_on.set()
    await client.run(source.events())
    assert client.text == "data: one\n\ndata: سلام\n\n"
    headers = dict(client.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert client.sent[-1]["more_body"] is False
    assert (client.outcome, source.closed) == ("ok", True)


async def test_a_comment_is_sent_while_nothing_happens_and_no_event_is_lost() -> None:
    client, source = Client(), Source("one")
    client.wanted = 4
    running = asyncio.create_task(client.run(source.events(), keepalive_s=0.01))
    await asyncio.wait_for(client.enough.wait(), WAIT_S)
    source.go_on.set()
    await running
    first, *comments = client.text.split("\n\n")[:-1]
    assert first == "data: one"
    assert len(comments) >= 3
    assert all(comment.startswith(":") for comment in comments)


async def test_the_source_is_closed_when_the_client_leaves() -> None:
    client, source = Client(), Source("one")
    running = asyncio.create_task(client.run(source.events()))
    await asyncio.wait_for(client.enough.wait(), WAIT_S)
    client.left.set()
    await running
    assert (client.outcome, source.closed) == ("aborted", True)


async def test_a_client_that_does_not_read_is_given_up() -> None:
    client, source = Client(), Source("one", "two")
    client.wanted = 1
    running = asyncio.create_task(client.run(source.events(), send_timeout_s=0.02, keepalive_s=0.01))
    await asyncio.wait_for(client.enough.wait(), WAIT_S)
    client.reads.clear()
    await running
    assert (client.outcome, source.closed) == ("slow_consumer", True)


async def test_a_connection_that_breaks_is_a_client_that_left() -> None:
    client, source = Client(), Source("one")

    async def broken(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    client.send = broken  # type: ignore[method-assign]
    await client.run(source.events())
    assert (client.outcome, source.closed) == ("aborted", True)


async def test_a_fault_of_ours_is_not_hidden() -> None:
    client, source = Client(), Source("one", error=ValueError("a fault"))
    source.go_on.set()
    with pytest.raises(ValueError, match="a fault"):
        await client.run(source.events())
    assert (client.outcome, source.closed) == ("internal", True)


async def test_cancelling_the_answer_closes_the_source() -> None:
    client, source = Client(), Source("one")
    running = asyncio.create_task(client.run(source.events()))
    await asyncio.wait_for(client.enough.wait(), WAIT_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert source.closed
