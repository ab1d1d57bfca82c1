"""The gateway's small parts, each by itself."""

from __future__ import annotations

import asyncio

import pydantic
import pytest
from prometheus_client import CollectorRegistry

from gateway.admission.adaptive_window import AdaptivePolicy, AdaptiveWindow
from gateway.auth.api_keys import Authenticator, Unauthorised
from gateway.connection.bus_retry import BusRetry
from gateway.connection.close_reasons import EndConnection, closing_for
from gateway.connection.registry import ConnectionRegistry, Draining
from gateway.connection.result_inbox import ResultInbox
from gateway.connection.send_queue import SendQueue, SlowConsumer
from gateway.dialects.passage_limit import AudioRate
from gateway.dialects.recite.commands import BadMessage, Command, UnsupportedSampleRate, parse_command
from gateway.metrics import GatewayMetrics
from gateway.session.snapshot import decode_snapshot
from gateway.settings import GatewaySettings
from gateway.transport.websocket import shorten
from shared.clock import ManualClock
from shared.errors import (
    BadRequest,
    BusUnavailable,
    DecodeFailed,
    Fenced,
    NoCapacity,
    QueueFull,
    RattilError,
    StateLost,
    UnknownVerse,
)
from shared.ids import ConnectionId, Epoch, SessionId, TraceId
from shared.protocol.close_codes import DRAINING, Close
from shared.protocol.segments import LoggedResult, SegmentResult, Takeover
from shared.service.websocket_frames import Take
from tests.unit.gateway.harness import eventually

POLICY = AdaptivePolicy(start_s=2.5, min_s=1, max_s=5, high_ms=800, low_ms=300, samples=4)


# -- adaptive window -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("latencies", "window_s"),
    [
        ([900] * 3, 2.5),
        ([900] * 4, 3.0),
        ([900] * 7, 3.0),
        ([900] * 8, 3.5),
        ([900] * 400, 5.0),
        ([100] * 4, 2.0),
        ([100] * 400, 1.0),
        ([800] * 40, 2.5),
        ([300] * 40, 2.5),
        ([100, 100, 100, 3000], 3.0),
        ([900] * 4 + [100] * 4, 2.5),
    ],
)
def test_the_window_follows_the_rolling_average(latencies: list[float], window_s: float) -> None:
    adaptive = AdaptiveWindow(POLICY)
    for latency in latencies:
        adaptive.observe(latency)
    assert adaptive.window_s == window_s
    assert adaptive.sample_count == len(latencies)


@pytest.mark.parametrize(
    ("load", "window_s"),
    [(0.0, 1.0), (0.59, 1.0), (0.6, 2.5), (0.9, 2.5), (0.95, 3.5), (1.0, 5.0), (7.5, 5.0)],
)
def test_a_pool_that_fills_up_gets_longer_windows(load: float, window_s: float) -> None:
    adaptive = AdaptiveWindow(POLICY)
    for _ in range(400):
        adaptive.observe(100)
    adaptive.note_load(load)
    assert adaptive.window_s == window_s
    adaptive.note_load(0.1)
    assert adaptive.window_s == 1.0


def test_a_slow_service_keeps_its_long_windows_however_empty_the_pool_is() -> None:
    adaptive = AdaptiveWindow(POLICY)
    for _ in range(8):
        adaptive.observe(900)
    adaptive.note_load(0.7)
    assert adaptive.window_s == 3.5


def test_without_adaptation_the_window_stays() -> None:
    adaptive = AdaptiveWindow(AdaptivePolicy(2.5, 1, 5, 800, 300, 1, enabled=False))
    adaptive.observe(10_000)
    adaptive.note_load(1.0)
    assert (adaptive.window_s, adaptive.average_ms(), adaptive.p95_ms()) == (2.5, 10_000, 10_000)


def test_average_and_95th_percentile() -> None:
    adaptive = AdaptiveWindow(POLICY)
    assert (adaptive.average_ms(), adaptive.p95_ms()) == (0, 0)
    for latency in range(1, 101):
        adaptive.observe(latency)
    assert (adaptive.average_ms(), adaptive.p95_ms()) == (50.5, 95)


# -- who may come in -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "query", "subprotocols", "tenant"),
    [
        ({"authorization": "Bearer k1"}, {}, (), "acme"),
        ({"x-api-key": "k2"}, {}, (), "default"),
        ({}, {"token": "k1"}, (), "acme"),
        ({}, {}, ("rattil.v1", "rattil.key.k2"), "default"),
    ],
)
def test_keys_are_found_wherever_clients_can_put_them(
    headers: dict[str, str], query: dict[str, str], subprotocols: tuple[str, ...], tenant: str
) -> None:
    assert Authenticator("acme=k1, k2").tenant(headers, query, subprotocols) == tenant


@pytest.mark.parametrize("key", ["", "k3", "K1", "acme=k1", "k1 "])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(Unauthorised, match="API key"):
        Authenticator("acme=k1,k2").tenant({}, {"token": key})


def test_without_keys_everybody_may_come_in() -> None:
    auth = Authenticator("")
    assert auth.tenant({}, {}) == ""
    assert not auth.required


# -- audio rate ------------------------------------------------------------------------------------
def test_real_time_is_never_slowed_down() -> None:
    rate = AudioRate(rate=2, burst_s=1, now_s=0)
    assert all(rate.delay_s(8000, now_s=turn * 0.5) == 0 for turn in range(100))


def test_above_the_rate_reading_waits() -> None:
    rate = AudioRate(rate=2, burst_s=1, now_s=0)
    assert rate.delay_s(16_000, 0) == 0
    assert rate.delay_s(16_000, 0) == 0.5
    assert rate.delay_s(0, 0.5) == 0


# -- outbox ----------------------------------------------------------------------------------------
class Sink:
    """A socket that takes frames while it is open."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open = asyncio.Event()

    async def pour(self, take: Take) -> None:
        raise NotImplementedError

    def send_now(self, text: str) -> bool:
        return False

    async def send(self, text: str) -> None:
        await self.open.wait()
        self.sent.append(text)

    async def close(self, close: Close) -> None:
        return None

    def abort(self, after_s: float) -> None:
        return None


class Eager(Sink):
    """One that takes frames at once while it is open."""

    def send_now(self, text: str) -> bool:
        if self.open.is_set():
            self.sent.append(text)
        return self.open.is_set()


async def test_the_outbox_sends_at_once_to_who_reads_and_keeps_the_order() -> None:
    outbox, sink = SendQueue(max_bytes=10, max_events=3, send_timeout_s=1), Eager()
    outbox.put("1")  # nobody writes yet
    sink.open.set()
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(outbox.write(sink))
        await asyncio.sleep(0)
        outbox.put("2")
        assert sink.sent == ["1", "2"]
        sink.open.clear()
        outbox.put("3")
        await asyncio.sleep(0)
        sink.open.set()
        outbox.put("4")  # behind the one that waits
        assert (sink.sent, outbox.waiting_bytes) == (["1", "2"], 2)
        await eventually(lambda: not outbox.waiting_bytes)
        writer.cancel()
    outbox.put("5")  # nobody writes any more
    assert (sink.sent, outbox.waiting_bytes) == (["1", "2", "3", "4"], 1)


async def test_the_outbox_keeps_order_and_its_bounds() -> None:
    outbox, sink = SendQueue(max_bytes=10, max_events=3, send_timeout_s=1), Sink()
    for text in ("aaaa", "bbbb"):
        outbox.put(text)
    with pytest.raises(SlowConsumer):
        outbox.put("cccc")
    sink.open.set()
    await outbox.flush(sink, 1)
    assert (sink.sent, outbox.waiting_bytes) == (["aaaa", "bbbb"], 0)
    for text in ("1", "2", "3"):
        outbox.put(text)
    with pytest.raises(SlowConsumer):
        outbox.put("4")


async def test_one_frame_always_fits() -> None:
    SendQueue(max_bytes=10, max_events=3, send_timeout_s=1).put("x" * 1000)


async def test_a_frame_stays_in_the_box_until_it_is_sent() -> None:
    outbox, sink = SendQueue(100, 10, send_timeout_s=0.01), Sink()
    outbox.put("kept")
    with pytest.raises(SlowConsumer):
        await outbox.write(sink)
    sink.open.set()
    await outbox.flush(sink, 1)
    assert sink.sent == ["kept"]


# -- inbox -----------------------------------------------------------------------------------------
def test_an_overfull_inbox_asks_for_the_log() -> None:
    inbox, woken = ResultInbox(ConnectionId("c1")), []
    inbox.connect(lambda: woken.append(1), lambda: None)
    result = SegmentResult(SessionId("s"), ConnectionId("c1"), Epoch("e"), 0, 0, 1, TraceId("t"), "result")
    for offset in range(1, 200):
        inbox.on_result(LoggedResult(offset, result))
    assert inbox.must_read_log
    assert len(inbox.take()) < 200
    assert len(woken) == 200


def test_a_takeover_before_the_driver_runs_is_not_lost() -> None:
    inbox, told = ResultInbox(ConnectionId("c1")), []
    inbox.on_takeover(Takeover(SessionId("s"), by=ConnectionId("c1")))
    inbox.on_takeover(Takeover(SessionId("s"), by=ConnectionId("c2")))
    inbox.connect(lambda: None, lambda: told.append("superseded"))
    assert told == ["superseded"]


# -- places and drain ------------------------------------------------------------------------------
class Leaver:
    """A connection that leaves its place when asked."""

    def __init__(self) -> None:
        self.asked: list[Close] = []
        self.left = asyncio.Event()

    def ask_to_close(self, close: Close) -> None:
        self.asked.append(close)
        self.left.set()

    async def stay(self, connections: ConnectionRegistry, name: str) -> None:
        with connections.place(), connections.live(ConnectionId(name), self):
            await self.left.wait()


async def test_a_drain_asks_everybody_and_waits_until_they_left() -> None:
    connections, leavers = ConnectionRegistry(10), [Leaver() for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        for turn, leaver in enumerate(leavers):
            tasks.create_task(leaver.stay(connections, str(turn)))
        await asyncio.sleep(0)
        assert connections.count == 4
        await connections.drain(0)
        assert connections.count == 0
    assert [leaver.asked for leaver in leavers] == [[DRAINING]] * 4
    with pytest.raises(Draining), connections.place():
        pass


async def test_who_comes_during_a_drain_is_asked_at_once() -> None:
    connections, leaver = ConnectionRegistry(10), Leaver()
    connections.stop_accepting()
    with connections.live(ConnectionId("c"), leaver):
        assert leaver.asked == [DRAINING]


async def test_there_are_only_so_many_places() -> None:
    connections = ConnectionRegistry(1)
    with connections.place(), pytest.raises(NoCapacity), connections.place():
        pass
    assert connections.count == 0


# -- patience --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "code"), [(BusUnavailable("away"), 4011), (QueueFull("the stream is full"), 4013)]
)
async def test_patience_ends_with_a_close_code(error: RattilError, code: int) -> None:
    clock = ManualClock()
    tries = []

    async def attempt() -> None:
        tries.append(1)
        clock.advance(1)
        raise error

    patience = BusRetry(clock, GatewayMetrics(CollectorRegistry()), grace_s=3)
    with pytest.raises(EndConnection) as ended:
        await patience.call(attempt)
    assert ended.value.close.code == code
    assert ended.value.trouble is not None
    assert len(tries) == 3


async def test_patience_is_only_for_absence() -> None:
    async def fenced() -> None:
        raise Fenced("a newer connection owns the session")

    with pytest.raises(Fenced):
        await BusRetry(ManualClock(), GatewayMetrics(CollectorRegistry()), 3).call(fenced)


# -- closing ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownVerse("there is no sura 115"), 1008),
        (BadRequest("surah is needed"), 1008),
        (Unauthorised("a key is needed"), 4502),
        (Draining("going away"), 4001),
        (NoCapacity("full"), 4013),
        (BusUnavailable("away"), 4011),
        (Fenced("newer"), 4501),
        (StateLost("gone"), 4010),
        (DecodeFailed("odd"), 4014),
    ],
)
def test_every_error_has_its_close_code(error: RattilError, code: int) -> None:
    closing = closing_for(error)
    assert closing.close.code == code
    assert closing.trouble is not None
    assert closing.trouble.code == error.code


def test_reasons_fit_into_a_close_frame() -> None:
    assert len(shorten("ب" * 200).encode()) <= 123
    assert shorten("short") == "short"


# -- client messages -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("end", Command.END),
        ("stop", Command.END),
        ("final", Command.END),
        (" END\n", Command.END),
        ('{"type":"end"}', Command.END),
        ('{"type":"stop","why":"done"}', Command.END),
        ('{"type":"flush"}', Command.FLUSH),
        ("flush", Command.FLUSH),
        ('{"type":"ping","id":7}', Command.PING),
        ('{"type":"config","sample_rate":16000}', Command.NOTHING),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert parse_command(text) is command


@pytest.mark.parametrize(
    ("text", "error"), [("[]", BadMessage), ('{"type":"config","sample_rate":8000}', UnsupportedSampleRate)]
)
def test_what_is_no_command_says_what_would_be(text: str, error: type[BadRequest]) -> None:
    with pytest.raises(error):
        parse_command(text)


# -- settings and snapshots ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "wrong",
    [
        {"window_s": 0.1},
        {"window_min_s": 4, "window_max_s": 2},
        {"overlap_s": 2},
        {"adaptive_low_ms": 900},
        {"max_queue": 0},
        {"store_audio": "some"},
        {"log_level": "loud"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        GatewaySettings.model_validate(wrong)


def test_known_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WS_WINDOW_SECONDS": "3",
        "WS_OVERLAP_SECONDS": "0.25",
        "WS_MAX_QUEUE": "5",
        "ADAPTIVE_LATENCY_HIGH_MS": "700",
        "WS_BUFFER_THRESHOLD": "64000",
        "WS_PARTIAL_RESULT_INTERVAL": "2",
        "REDIS_URL": "redis://a:1,redis://b:2",
    }.items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    assert (settings.window_s, settings.overlap_s, settings.max_queue) == (3, 0.25, 5)
    assert (settings.adaptive_high_ms, settings.buffer_threshold, settings.partial_interval_s) == (
        700,
        64000,
        2,
    )
    assert settings.control_url == "redis://a:1"


def test_the_buffer_always_holds_two_windows() -> None:
    assert GatewaySettings(max_buffer_s=1, window_max_s=5).max_buffer_samples == 10 * 16_000


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x91\x01"])
def test_a_damaged_snapshot_is_lost_state(data: bytes) -> None:
    with pytest.raises(StateLost):
        decode_snapshot(data)
