"""Prometheus metrics of the gateway, one object per process, on a registry that is passed in."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.service.metrics import WORD_BUCKETS_S, latency_histogram


class _UsageCounters(NamedTuple):
    """Of one tenant and pool: counted with every window, so looked up once."""

    audio: Counter
    sessions: Counter
    words: Counter


class GatewayMetrics:
    """Counters are also kept as plain numbers where `/metrics/streaming` shows them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.asr_failures = 0
        self.dropped_segments = 0
        self.connections = Gauge(
            "rattil_gateway_connections", "Live WebSocket connections.", ["protocol"], registry=registry
        )
        self.sessions = Counter(
            "rattil_gateway_sessions_total", "Sessions opened.", ["how"], registry=registry
        )
        self.closes = Counter(
            "rattil_gateway_closes_total",
            "Connections ended, by reason.",
            ["reason"],
            registry=registry,
        )
        self.audio_seconds = Counter(
            "rattil_gateway_audio_seconds_total", "Audio received, seconds.", registry=registry
        )
        self.segments = Counter(
            "rattil_gateway_segments_total", "Segments accepted onto the bus.", registry=registry
        )
        self.outcomes = Counter(
            "rattil_gateway_outcomes_total",
            "Terminal outcomes of segments seen by their client, by kind and code.",
            ["outcome", "code"],
            registry=registry,
        )
        self.silent_windows = Counter(
            "rattil_gateway_silent_windows_total", "Windows not decoded: silence.", registry=registry
        )
        self.retries = Counter(
            "rattil_gateway_bus_retries_total",
            "Bus calls tried again, by reason.",
            ["reason"],
            registry=registry,
        )
        self.state_lost = Counter(
            "rattil_gateway_state_lost_total", "Sessions whose state in Redis was lost.", registry=registry
        )
        self.uploads = Gauge(
            "rattil_gateway_uploads", "Uploads in work (VERIFY_MAX_CONCURRENT).", registry=registry
        )
        self.verifications = Counter(
            "rattil_gateway_verify_total",
            "POST /verify requests, by outcome code.",
            ["code"],
            registry=registry,
        )
        self.transcriptions = Counter(
            "rattil_gateway_transcriptions_total",
            "POST /v1/audio/transcriptions requests, by outcome code.",
            ["code"],
            registry=registry,
        )
        self.recordings = Counter(
            "rattil_gateway_listen_recordings_total",
            "POST /v1/listen requests, by outcome code.",
            ["code"],
            registry=registry,
        )
        self.bad_messages = Counter(
            "rattil_gateway_bad_messages_total",
            "Client messages refused, by code.",
            ["code"],
            registry=registry,
        )
        self.refusals = Counter(
            "rattil_gateway_refusals_total",
            "Sessions refused because of something that the service lacks, by code.",
            ["code"],
            registry=registry,
        )
        self.circuit_state = Gauge(
            "rattil_gateway_circuit_state",
            "Circuit breaker before a service: 0 closed, 1 half-open, 2 open.",
            ["service"],
            registry=registry,
        )
        self.quality_step = Gauge(
            "rattil_gateway_quality_step",
            "What new sessions of a pool get: 0 everything, 1 longer windows, 2 no interim results either, "
            "3 the fast model.",
            ["pool"],
            registry=registry,
        )
        self.lowered_sessions = Counter(
            "rattil_gateway_lowered_sessions_total",
            "New sessions that got less than they asked for, because of load, by step.",
            ["step"],
            registry=registry,
        )
        self.lease_renewals = Counter(
            "rattil_gateway_lease_renewals_total",
            "Leases renewed, restored after a loss, found taken by another connection; turns that failed.",
            ["outcome"],
            registry=registry,
        )
        self.refused_entries = Counter(
            "rattil_gateway_refused_entries_total",
            "Requests and sockets refused for who sent them or how, by code.",
            ["code"],
            registry=registry,
        )
        self.finals = Counter(
            "rattil_gateway_finals_total", "Final reports, by outcome.", ["outcome"], registry=registry
        )
        self.enhancements = Counter(
            "rattil_gateway_enhancements_total",
            "Recordings kept for enhance_on_end: accepted, dropped, expired, deleted by their clients.",
            ["outcome"],
            registry=registry,
        )
        self.latency = latency_histogram(
            registry,
            "rattil_gateway_latency_seconds",
            "From the end of a window to its event, by stage: queued, inference, total.",
            ["stage"],
        )
        self.word_shown = latency_histogram(
            registry,
            "rattil_gateway_word_shown_seconds",
            "From the end of a word in the audio to the first event that shows it, by dialect.",
            ["protocol"],
            WORD_BUCKETS_S,
        )
        self.word_settled = latency_histogram(
            registry,
            "rattil_gateway_word_settled_seconds",
            "From the end of a word in the audio to the event from which on it stands, by dialect.",
            ["protocol"],
            WORD_BUCKETS_S,
        )
        self.decoding = latency_histogram(
            registry,
            "rattil_gateway_decoding_seconds",
            "Decoding of uploads, by what became of them; the wait for a process included.",
            ["outcome"],
        )
        self.usage_audio = Counter(
            "rattil_usage_audio_seconds_total",
            "Accepted audio, by tenant and pool.",
            ["tenant", "pool"],
            registry=registry,
        )
        self.usage_sessions = Counter(
            "rattil_usage_sessions_total",
            "Sessions and uploads, by tenant and pool.",
            ["tenant", "pool"],
            registry=registry,
        )
        self.usage_words = Counter(
            "rattil_usage_words_total",
            "Words judged or transcribed in finished sessions, by tenant and pool.",
            ["tenant", "pool"],
            registry=registry,
        )

        # Looked up once: these count with every window.
        self.queued = self.latency.labels("queued")
        self.inference = self.latency.labels("inference")
        self.total = self.latency.labels("total")
        self.results = self.outcomes.labels("result", "")
        self._usage: dict[tuple[str, str], _UsageCounters] = {}
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        """The rate of a counter that appears with its first event misses that event: show it before."""
        for code in ("timeout", "expired", "poison", "state_lost"):
            self.outcomes.labels("dropped", code)
        self.outcomes.labels("error", "asr_failed")
        for how in ("new", "resumed", "lost"):
            self.sessions.labels(how)
        for reason in ("bus_unavailable", "queue_full"):
            self.retries.labels(reason)
        for code in ("no_capacity", "draining"):
            self.refusals.labels(code)
        for reason in ("left", "done", "internal"):
            self.closes.labels(reason)
        self.finals.labels("report")

    def count_usage(self, tenant: str, pool: str, audio_s: float, sessions: int, words: int) -> None:
        """What a tenant has used; its bill is made from `gateway.usage`, not from these."""
        counters = self._usage.get((tenant, pool))
        if counters is None:
            counters = self._usage[tenant, pool] = _UsageCounters(
                self.usage_audio.labels(tenant, pool),
                self.usage_sessions.labels(tenant, pool),
                self.usage_words.labels(tenant, pool),
            )
        if audio_s:
            counters.audio.inc(audio_s)
        if sessions:
            counters.sessions.inc(sessions)
        if words:
            counters.words.inc(words)

    def count_refused_entry(self, code: str) -> None:
        """One request or socket that was not let in, or was closed for its manner."""
        self.refused_entries.labels(code).inc()

    def count_outcome(self, outcome: str, code: str) -> None:
        """One segment's terminal outcome other than a result, shown to its client."""
        self.outcomes.labels(outcome, code).inc()
        if outcome == "error":
            self.asr_failures += 1
        elif outcome == "dropped":
            self.dropped_segments += 1
