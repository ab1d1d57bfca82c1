"""What the gateway's routes and connections are given; composed once, in `gateway/__main__.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.admission.circuits import Circuits
from gateway.admission.lease_keeper import LeaseKeeper
from gateway.admission.pools import ModelCatalogue
from gateway.admission.quality import Quality
from gateway.admission.router_client import Admission
from gateway.auth.api_keys import Authenticator
from gateway.connection.registry import ConnectionRegistry
from gateway.connection.window_encoder import PlainEncoder, WindowEncoder
from gateway.enhancement.enhancements import Enhancements
from gateway.metrics import GatewayMetrics
from gateway.offline.arq_client import BatchVerifier
from gateway.offline.arq_transcriber import BatchTranscriber
from gateway.settings import GatewaySettings
from gateway.usage.meter import UsageMeter
from gateway.vad.detector import SpeechDetector
from gateway.vad.silero import SileroDetector
from shared.audio.decoder_pool import AudioDecoder
from shared.bus.ports import ResultFeed, SessionStore
from shared.clock import Clock
from shared.service.tracing import Tracing, Untraced


@dataclass(frozen=True, slots=True)
class GatewayPorts:
    """Everything with a life of its own that a gateway needs.

    `store`/`feed`: the bus. `admission`: the router. `leases`: the leases this process holds.
    `batch`: final reports. `transcriber`: transcripts of whole recordings. `connections`: live connections,
    their limit, and the drain. `expect_storage`: raises `NoCapacity` where the bus has no room for a new
    session's audio. `workers_ready`: how many workers are ready; raises `Unavailable` when nobody can say.
    `decoder`: decodes uploads. `encoder`: how audio is encoded for the bus. `speech`: where speech is in the
    audio. `usage`: what tenants use. `models`: which models clients may choose, and whose pool each is.
    `circuits`: which services are not asked for a while. `quality`: what new sessions get under load.
    `enhancements`: sessions that are transcribed once more; None: no recordings are kept.
    `tracing`: where the time of segments goes.
    """

    settings: GatewaySettings
    clock: Clock
    store: SessionStore
    feed: ResultFeed
    admission: Admission
    leases: LeaseKeeper
    batch: BatchVerifier
    transcriber: BatchTranscriber
    auth: Authenticator
    quality: Quality
    metrics: GatewayMetrics
    connections: ConnectionRegistry
    workers_ready: Callable[[], Awaitable[int]]
    decoder: AudioDecoder
    usage: UsageMeter
    models: ModelCatalogue
    circuits: Circuits
    expect_storage: Callable[[], None] = lambda: None
    encoder: WindowEncoder = field(default_factory=PlainEncoder)
    speech: SpeechDetector = field(default_factory=SileroDetector)
    enhancements: Enhancements | None = None
    tracing: Tracing = field(default_factory=Untraced)
