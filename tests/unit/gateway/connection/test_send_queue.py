"""What waits for a client is bounded, in order, and kept until it is sent."""

from __future__ import annotations

import asyncio

import pytest

from gateway.connection.dialect import Frame
from gateway.connection.end_reason import End
from gateway.connection.send_queue import SendQueue, SlowConsumer
from gateway.connection.transport import Take
from tests.unit.gateway.harness import eventually


class Sink:
    """A socket that takes frames while it is open."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.open = asyncio.Event()

    async def pour(self, take: Take) -> None:
        raise NotImplementedError

    def send_now(self, frame: Frame) -> bool:
        return False

    async def send(self, frame: Frame) -> None:
        await self.open.wait()
        self.sent.append(frame)

    async def end(self, end: End) -> None:
        return None

    def abort(self, after_s: float) -> None:
        return None


class Eager(Sink):
    """One that takes frames at once while it is open."""

    def send_now(self, frame: Frame) -> bool:
        if self.open.is_set():
            self.sent.append(frame)
        return self.open.is_set()


async def test_the_send_queue_sends_at_once_to_who_reads_and_keeps_the_order() -> None:
    send_queue, sink = SendQueue(max_bytes=10, max_events=3, send_timeout_s=1), Eager()
    send_queue.put("1")  # nobody writes yet
    sink.open.set()
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(send_queue.write(sink))
        await asyncio.sleep(0)
        send_queue.put("2")
        assert sink.sent == ["1", "2"]
        sink.open.clear()
        send_queue.put("3")
        await asyncio.sleep(0)
        sink.open.set()
        send_queue.put("4")  # after the one that waits
        assert sink.sent == ["1", "2"]
        await eventually(lambda: sink.sent == ["1", "2", "3", "4"])
        writer.cancel()
    send_queue.put("5")  # nobody writes any more
    assert sink.sent == ["1", "2", "3", "4"]


async def test_the_send_queue_keeps_order_and_its_bounds() -> None:
    send_queue, sink = SendQueue(max_bytes=10, max_events=3, send_timeout_s=1), Sink()
    for text in ("aaaa", "bbbb"):
        send_queue.put(text)
    with pytest.raises(SlowConsumer):
        send_queue.put("cccc")
    sink.open.set()
    await send_queue.flush(sink, 1)
    assert sink.sent == ["aaaa", "bbbb"]
    for text in ("1", "2", "3"):
        send_queue.put(text)
    with pytest.raises(SlowConsumer):
        send_queue.put("4")


async def test_one_frame_always_fits() -> None:
    SendQueue(max_bytes=10, max_events=3, send_timeout_s=1).put("x" * 1000)


async def test_a_frame_stays_in_the_box_until_it_is_sent() -> None:
    send_queue, sink = SendQueue(100, 10, send_timeout_s=0.01), Sink()
    send_queue.put("kept")
    with pytest.raises(SlowConsumer):
        await send_queue.write(sink)
    sink.open.set()
    await send_queue.flush(sink, 1)
    assert sink.sent == ["kept"]
