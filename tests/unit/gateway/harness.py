"""A whole gateway in one event loop: memory bus, a scripted worker, and clients that speak ASGI."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import numpy as np
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from gateway.admission.circuit import CircuitPolicy
from gateway.admission.circuits import Circuits
from gateway.admission.lease_keeper import LeaseKeeper
from gateway.admission.pools import catalogue_of
from gateway.admission.quality import Quality
from gateway.admission.router_client import Admission, OpenAdmission
from gateway.auth.api_keys import Authenticator
from gateway.connection.registry import ConnectionRegistry
from gateway.connection.window_encoder import open_encoder
from gateway.dependencies import GatewayPorts
from gateway.dialects.deepgram import dialect as deepgram
from gateway.dialects.openai.realtime import socket as openai_realtime
from gateway.dialects.recite import dialect as recite
from gateway.dialects.stream import dialect as stream
from gateway.dialects.transcriptions import dialect as transcriptions
from gateway.dialects.transcriptions import jobs as transcription_jobs
from gateway.dialects.whisperlive import dialect as whisperlive
from gateway.enhancement.enhancements import Enhancements
from gateway.http import health, metrics
from gateway.metrics import GatewayMetrics
from gateway.offline.upload_decoder import open_decoder
from gateway.session.endpointer import FRAME
from gateway.settings import GatewaySettings
from gateway.transport.entry_check import EntryCheck
from gateway.usage.meter import UsageMeter
from gateway.vad.detector import TakeProbabilities
from shared.bus.ports import Claim, ResultFeed, SessionStore, WorkQueue
from shared.clock import SystemClock
from shared.errors import BusUnavailable, RattilError
from shared.ids import Epoch, PoolName, SessionId, TraceId, WorkerId
from shared.protocol.segments import Segment, SegmentResult, TaskOptions
from shared.recitation.live.feedback import Feedback, WordFeedback
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.report import VerifyReport, build_report
from shared.service.tracing import Tracing, Untraced
from shared.transcription.recording import Stretch
from tests.memory.bus import MemoryResultFeed, MemorySessionStore
from tests.memory.bus_state import MemoryBus
from tests.memory.usage import MemoryUsage
from tests.memory.work_queue import MemoryWorkQueue
from tests.unit.gateway import speech

Listen = Callable[[Segment], SegmentResult]
WAIT_S = 5.0
"""Longest wait for anything in these tests; only reached when something is broken."""
_SOCKET_FRAMES = 4
"""Frames on their way to the server before the client has to wait, like a small TCP window."""


def report_on(passage: str) -> VerifyReport:
    """A report in which every word is still pending."""
    words = load_passage(VerseRange.parse(passage))
    feedback = Feedback(tuple(WordFeedback(w.index, w.display, w.verse.key) for w in words.words))
    return build_report(words, feedback, {})


class ScriptedBatch:
    """A `BatchVerifier` that answers at once, or fails as told; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[SessionId, Epoch, str]] = []
        self.judges: list[tuple[PoolName, ...]] = []
        self.forgotten: list[tuple[SessionId, Epoch]] = []
        self.failure: RattilError | None = None
        self.hold = asyncio.Event()
        self.hold.set()

    async def verify_session(
        self,
        session_id: SessionId,
        epoch: Epoch,
        passage: str,
        trace_id: TraceId | None = None,
        samples: int = 0,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        self.asked.append((session_id, epoch, passage))
        self.judges.append(tuple(pools))
        await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        return report_on(passage)

    async def verify_upload(
        self,
        pcm16: bytes,
        passage: str,
        trace_id: TraceId | None = None,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        return report_on(passage)

    async def forget(self, session_id: SessionId, epoch: Epoch) -> None:
        self.forgotten.append((session_id, epoch))

    async def close(self) -> None:
        return None


class ScriptedTranscriber:
    """A `BatchTranscriber` that hears what it was told to, or fails; remembers what it was asked."""

    def __init__(self) -> None:
        self.heard: list[Stretch] = [Stretch(0, 1000, "Hello there.", language="en")]
        self.heard_first: deque[list[Stretch]] = deque()
        """What is heard in the first recordings, before `heard`."""
        self.asked: list[tuple[bytes, TaskOptions]] = []
        self.pools: list[PoolName] = []
        self.failure: RattilError | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.begun = asyncio.Event()
        self.left = 0
        """How many followers were closed, by their client or at the end."""

    async def transcribe(self, pcm16: bytes, options: TaskOptions, pool: PoolName) -> Sequence[Stretch]:
        return [stretch async for stretch in self.follow(pcm16, options, pool)]

    async def follow(
        self, pcm16: bytes, options: TaskOptions, pool: PoolName
    ) -> AsyncGenerator[Stretch, None]:
        """All stretches, then, when it is let, the failure or the end."""
        self.asked.append((pcm16, options))
        self.pools.append(pool)
        self.begun.set()
        heard = self.heard_first.popleft() if self.heard_first else self.heard
        try:
            for stretch in heard:
                yield stretch
            await self.hold.wait()
            if self.failure is not None:
                raise self.failure
        finally:
            self.left += 1

    async def close(self) -> None:
        return None


class ScriptedWorker:
    """Takes segments from the bus and answers them as `listen` says, while it is not held."""

    def __init__(self, queue: WorkQueue, listen: Listen) -> None:
        self.queue = queue
        self.listen = listen
        self.seen: list[Segment] = []
        self.working = asyncio.Event()
        self.working.set()

    async def run(self) -> None:
        while True:
            await self.working.wait()
            try:
                for shard in range(self.queue.shards):
                    await self._answer(await self.queue.claim(shard, 16, 5))
            except BusUnavailable:
                await asyncio.sleep(0.01)

    async def _answer(self, claims: list[Claim]) -> None:
        """Commit until it has worked: a commit may be repeated."""
        self.seen += [claim.segment for claim in claims]
        answers = [(claim, self.listen(claim.segment)) for claim in claims]
        while answers:
            try:
                await self.queue.commit(answers)
                return
            except BusUnavailable:
                await asyncio.sleep(0.01)


class Closed(Exception):
    """The server closed the socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Client:
    """One WebSocket client of the application, over ASGI."""

    def __init__(self, app: Any, path: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._app = app
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_SOCKET_FRAMES)
        self._from_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.events: list[dict[str, Any]] = []
        where, _, query = path.partition("?")
        self._scope = {
            "type": "websocket",
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            "subprotocols": [],
            "scheme": "ws",
            "server": ("test", 80),
            "client": ("test", 1),
            "root_path": "",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "extensions": {},
        }
        self._to_server.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async def send(message: dict[str, Any]) -> None:
            await self.reads.wait()
            self._from_server.put_nowait(message)

        try:
            await self._app(self._scope, self._to_server.get, send)
        finally:
            self._from_server.put_nowait(
                {"type": "websocket.close", "code": 1006, "reason": "no close frame"}
            )

    async def send(self, frame: bytes | str) -> None:
        """Hand one frame over; like TCP with a small window, waits until the server reads."""
        key = "text" if isinstance(frame, str) else "bytes"
        async with asyncio.timeout(WAIT_S):
            await self._to_server.put({"type": "websocket.receive", key: frame})

    async def stream(self, pcm: bytes, frame_bytes: int = 6400) -> None:
        for start in range(0, len(pcm), frame_bytes):
            await self.send(pcm[start : start + frame_bytes])

    async def receive(self) -> dict[str, Any]:
        """The next event. Raises `Closed` at the end."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self._from_server.get()
                if message["type"] == "websocket.close":
                    raise Closed(message["code"], message.get("reason", ""))
                if message["type"] == "websocket.send":
                    event: dict[str, Any] = json.loads(message["text"])
                    self.events.append(event)
                    return event

    async def until(self, kind: str) -> dict[str, Any]:
        """The next event of this type."""
        while True:
            event = await self.receive()
            if event["type"] == kind:
                return event

    async def rest(self) -> Closed:
        """Everything up to the close."""
        try:
            while True:
                await self.receive()
        except Closed as closed:
            return closed

    async def drained(self) -> None:
        """All events that have been sent so far."""
        while not self._from_server.empty():
            await self.receive()

    async def leave(self, code: int = 1001) -> None:
        """Disconnect, and wait until the server has noticed."""
        await self._to_server.put({"type": "websocket.disconnect", "code": code, "reason": ""})
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait([self.task])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def seqs(self) -> list[int]:
        """The seqs of all events about segments, as they came."""
        return [event["seq"] for event in self.events if "seq" in event]


class LoudnessStream:
    """A `SpeechStream`: what is loud is speech."""

    def __init__(self, take: TakeProbabilities) -> None:
        self._take = take
        self._waiting = b""

    def feed(self, pcm: bytes) -> None:
        self._waiting += pcm
        whole = len(self._waiting) // (2 * FRAME) * 2 * FRAME
        frames = np.frombuffer(self._waiting[:whole], "<i2").astype(np.int32).reshape(-1, FRAME)
        self._waiting = self._waiting[whole:]
        self._take([float(np.abs(frame).max() > 100) for frame in frames])

    def close(self) -> None:
        self._take = lambda probabilities: None


class LoudnessDetector:
    """A `SpeechDetector` that answers at once."""

    def open(self, take: TakeProbabilities) -> LoudnessStream:
        return LoudnessStream(take)

    async def close(self) -> None:
        return None


class Gateway:
    """One gateway process's worth of ports on a bus."""

    def __init__(
        self,
        store: SessionStore,
        feed: ResultFeed,
        batch: ScriptedBatch,
        admission: Admission,
        tracing: Tracing | None = None,
        enhancements: Enhancements | None = None,
        **overrides: Any,
    ) -> None:
        defaults: dict[str, Any] = {
            "adaptive": False,
            "segment_check_s": 0.1,
            "max_buffer_s": 10,
            "drain_s": 0.05,
        }
        settings = GatewaySettings(**(defaults | overrides))
        self.batch = batch
        self.transcriber = ScriptedTranscriber()
        gateway_metrics = GatewayMetrics(CollectorRegistry())
        self.ports = GatewayPorts(
            settings=settings,
            clock=SystemClock(),
            store=store,
            feed=feed,
            admission=admission,
            leases=LeaseKeeper(
                admission, settings.lease_renew_s, settings.refusal_memory_s, metrics=gateway_metrics
            ),
            batch=batch,
            transcriber=self.transcriber,
            auth=Authenticator(settings.api_keys),
            quality=Quality(settings, catalogue_of(settings), gateway_metrics),
            metrics=gateway_metrics,
            connections=ConnectionRegistry(
                settings.ws_max_connections,
                per_address=settings.max_sessions_per_address,
                per_tenant=settings.max_sessions_per_tenant,
                per_protocol=settings.connections_by_protocol,
            ),
            workers_ready=admission.workers_ready,
            decoder=open_decoder(settings, gateway_metrics),
            encoder=open_encoder(settings),
            speech=LoudnessDetector(),
            usage=UsageMeter(MemoryUsage(), SystemClock(), gateway_metrics),
            models=catalogue_of(settings),
            circuits=Circuits(CircuitPolicy(settings.circuit_failures), SystemClock(), gateway_metrics),
            enhancements=enhancements,
            tracing=tracing or Untraced(),
        )
        app = Starlette(
            routes=[
                *recite.routes(self.ports),
                *stream.routes(self.ports),
                *transcriptions.routes(self.ports),
                *transcription_jobs.routes(self.ports),
                *deepgram.routes(self.ports),
                *whisperlive.routes(self.ports),
                *openai_realtime.routes(self.ports),
                *health.routes(self.ports),
                *metrics.routes(self.ports),
            ]
        )
        self.app = EntryCheck(app, settings.entry_policy(), self.ports.metrics.count_refused_entry)
        self.clients: list[Client] = []

    def transcribe(self, **query: object) -> Client:
        """A client of `/v1/audio/transcriptions/stream`."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        client = Client(self.app, f"{transcriptions.PATH}?{asked}")
        self.clients.append(client)
        return client

    def listen(self, **query: object) -> Client:
        """A client of `/v1/listen`, by default with PCM16 at 16 kHz."""
        asked: dict[str, object] = {"encoding": "linear16", "sample_rate": 16_000} | query
        chosen = {name: value for name, value in asked.items() if value is not None}
        client = Client(self.app, f"{deepgram.PATH}?{urlencode(chosen, doseq=True)}")
        self.clients.append(client)
        return client

    def realtime(self, headers: Sequence[tuple[str, str]] = (), **query: object) -> Client:
        """A client of `/v1/realtime`."""
        asked: dict[str, object] = {"intent": "transcription"} | query
        client = Client(self.app, f"{openai_realtime.PATH}?{urlencode(asked)}", headers)
        self.clients.append(client)
        return client

    def stream(self, headers: Sequence[tuple[str, str]] = (), **query: object) -> Client:
        """A client of `/ws/stream`, by default for al-Fatiha."""
        asked: dict[str, object] = {"surah": 1, "ayah": 1, "to": 7} | query
        client = Client(self.app, f"{stream.PATH}?{urlencode(asked)}", headers)
        self.clients.append(client)
        return client

    def connect(self, headers: Sequence[tuple[str, str]] = (), **query: object) -> Client:
        """A client of `/ws/recite`, by default for al-Fatiha."""
        asked: dict[str, object] = {"surah": 1, "ayah": 1, "to": 7} | query
        chosen = {name: value for name, value in asked.items() if value is not None}
        client = Client(self.app, f"{recite.PATH}?{urlencode(chosen)}", headers)
        self.clients.append(client)
        return client


class World:
    """A memory bus, a worker, and as many gateways as a test wants."""

    def __init__(self, listen: Listen = speech.listen) -> None:
        self.bus = MemoryBus()
        self.batch = ScriptedBatch()
        self.worker = ScriptedWorker(MemoryWorkQueue(self.bus, PoolName("default"), WorkerId("w1")), listen)
        self.gateways: list[Gateway] = []

    def gateway(self, admission: Admission | None = None, **overrides: Any) -> Gateway:
        store, feed = MemorySessionStore(self.bus), MemoryResultFeed(self.bus)
        gateway = Gateway(store, feed, self.batch, admission or OpenAdmission(), **overrides)
        self.gateways.append(gateway)
        return gateway


@asynccontextmanager
async def world(listen: Listen = speech.listen) -> AsyncIterator[World]:
    """A world whose worker works; everything in it is stopped afterwards."""
    made = World(listen)
    async with AsyncExitStack() as stack:
        working = asyncio.create_task(made.worker.run(), name="scripted-worker")
        stack.push_async_callback(stop, [working])
        try:
            yield made
        finally:
            clients = [client for gateway in made.gateways for client in gateway.clients]
            for client in clients:
                client.reads.set()
            await stop([client.task for client in clients])


async def stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel and wait."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(done: Callable[[], bool]) -> None:
    """Wait until `done`; fails after `WAIT_S`."""
    async with asyncio.timeout(WAIT_S):
        while not done():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)
