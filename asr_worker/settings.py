"""Settings of the worker, from the environment."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from asr_worker.engines.model_files import BUNDLED
from shared.bus.settings import BusSettings
from shared.enhancement.settings import RecordingSettings
from shared.pools import POOL_PATTERN, default_pool, parse_pools
from shared.service.http_settings import HttpSettings
from shared.service.logging import LogFormat
from shared.service.tracing_settings import TracingSettings
from shared.speaker_settings import SpeakerSettings


class WorkerSettings(RecordingSettings, SpeakerSettings, BusSettings, HttpSettings, TracingSettings):
    """One ASR worker process: its model, its batches, its place in the pool."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, protected_namespaces=())

    model: str = Field(
        default=BUNDLED,
        validation_alias=AliasChoices("ASR_MODEL", "STREAM_MODEL"),
        description="A CTranslate2 Whisper directory, a Whisper name (small, large-v3, …), "
        "a Hugging Face id of a converted model, or a bundled model's name (rattil-tiny, rattil-base).",
    )
    engine: Literal["ctranslate2", "faster-whisper", "scripted"] = Field(
        default="ctranslate2",
        validation_alias=AliasChoices("ASR_ENGINE", "STREAM_BACKEND"),
        description="What decodes; faster-whisper is the older name of ctranslate2, "
        "scripted hears what a test wrote into the audio.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        validation_alias="ASR_DEVICE",
        description="Where the model runs; auto takes a GPU if there is one.",
    )
    compute_type: str = Field(
        default="auto",
        validation_alias="ASR_COMPUTE_TYPE",
        pattern="^[a-z0-9_]+$",
        description="CTranslate2 compute type (int8, int8_float16, float16, float32, …); auto: int8 on CPU, "
        "float16 on GPU.",
    )
    context_seconds: float = Field(
        default=0,
        ge=0,
        le=30,
        validation_alias="ASR_CONTEXT_SECONDS",
        description="A stock Whisper hears every window as 30 s, most of it silence; at least so many "
        "seconds instead cost a fraction (10: a third). 0: what is known to be good for the model. Models "
        "with a model.json of their own are not concerned.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        validation_alias="ASR_THREADS",
        description="CPU threads of one batch; 0: all cores but one, at most 4.",
    )
    pool: str = Field(
        default="default",
        validation_alias="ASR_POOL",
        pattern=POOL_PATTERN,
        description="The pool this worker serves; sessions are admitted to pools. With POOLS and without "
        "ASR_POOL it is the first pool of POOLS, or the one called default.",
    )
    pools: str = Field(
        default="",
        validation_alias="POOLS",
        description="Pools and their models, as gateways have them: fast=rattil-tiny,accurate=rattil-base. "
        "A worker without ASR_MODEL takes the model of its pool.",
    )
    worker_id: str = Field(
        default="",
        validation_alias="ASR_WORKER_ID",
        pattern="^[A-Za-z0-9_.-]{0,128}$",
        description="This worker's name in the registry, unique among all workers; "
        "empty: host name and random bits.",
    )
    max_batch: int = Field(
        default=16,
        ge=1,
        le=512,
        validation_alias="ASR_MAX_BATCH",
        description="Segments decoded together at most.",
    )
    max_in_flight: int = Field(
        default=32,
        ge=1,
        le=4096,
        validation_alias="ASR_MAX_IN_FLIGHT",
        description="Segments of one shard taken and not yet answered, at most; "
        "the rest stays for other workers.",
    )
    max_wait_ms: float = Field(
        default=10.0,
        ge=0,
        le=1000,
        validation_alias="ASR_MAX_WAIT_MS",
        description="Bound of how long a segment waits for company after a batch; it waits a quarter of a "
        "batch on a busy engine, less on a less busy one, and not at all on an idle one.",
    )
    prepare_ahead: bool = Field(
        default=True,
        validation_alias="ASR_PREPARE_AHEAD",
        description="Compute the features of waiting segments in a second thread while a batch is decoded.",
    )
    voice_gate: bool = Field(
        default=True,
        validation_alias="ASR_VOICE_GATE",
        description="Where the phoneme head hears nothing, do not ask the decoder; bound its text by the "
        "sounds heard. Models without such a head are not affected.",
    )
    beam_size: int = Field(
        default=8,
        ge=1,
        le=16,
        validation_alias="ASR_BEAM_SIZE",
        description="Where the decoder is unsure of a window, so many texts are searched, and the one that "
        "fits the sounds best is taken; 1: always greedy. Models without a phoneme head are always greedy.",
    )
    max_sessions: int = Field(
        default=0,
        ge=0,
        le=100_000,
        validation_alias="ASR_MAX_SESSIONS",
        description="Most live sessions this worker offers, whatever it measures; 0: as measured.",
    )
    min_sessions: int = Field(
        default=2,
        ge=1,
        le=100_000,
        validation_alias="ASR_MIN_SESSIONS",
        description="Live sessions this worker offers at least, however slow it is.",
    )
    target_latency_ms: float = Field(
        default=500.0,
        ge=20,
        le=60_000,
        validation_alias="ASR_TARGET_LATENCY_MS",
        description="95th percentile of a segment's time from push to result, ms, at which the capacity "
        "is measured.",
    )
    capacity: Literal["measured", "fixed"] = Field(
        default="measured",
        validation_alias="ASR_CAPACITY",
        description="measured: offer what holds ASR_TARGET_LATENCY_MS; fixed: always ASR_MAX_SESSIONS "
        "(0: by device and cores).",
    )
    window_s: float = Field(
        default=2.5,
        ge=0.5,
        le=30,
        validation_alias="WS_WINDOW_SECONDS",
        description="Window length of the gateways, s: what the capacity is first guessed for.",
    )
    overlap_s: float = Field(
        default=0.5,
        ge=0,
        le=5,
        validation_alias="WS_OVERLAP_SECONDS",
        description="Overlap of the gateways' windows, s: how often a session sends a segment.",
    )
    claim_block_ms: int = Field(
        default=250,
        ge=10,
        le=5000,
        validation_alias="ASR_CLAIM_BLOCK_MS",
        description="How long one read of an empty stream waits, ms; a drain waits for it, too.",
    )
    reclaim_ms: int = Field(
        default=5000,
        ge=200,
        le=600_000,
        validation_alias="ASR_RECLAIM_MS",
        description="A segment that its worker has not touched for so long is taken over, ms; "
        "must exceed a batch.",
    )
    reclaim_every_ms: int = Field(
        default=1000,
        ge=50,
        le=60_000,
        validation_alias="ASR_RECLAIM_EVERY_MS",
        description="How often to look for segments of dead workers, ms.",
    )
    max_deliveries: int = Field(
        default=3,
        ge=1,
        le=100,
        validation_alias="ASR_MAX_DELIVERIES",
        description="A segment delivered more often than this is dropped as poison and kept in asr:dead.",
    )
    drop_expired: bool = Field(
        default=False,
        validation_alias="ASR_DROP_EXPIRED",
        description="Answer partial segments whose deadline has passed with dropped(expired) "
        "instead of decoding them.",
    )
    stuck_s: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        validation_alias="ASR_STUCK_S",
        description="A batch that takes longer is stuck, s: /health fails and other workers take its "
        "segments.",
    )
    heartbeat_s: float = Field(
        default=2.0,
        ge=0.1,
        le=60,
        validation_alias="HEARTBEAT_S",
        description="How often the worker reports to the registry, s; "
        "it counts as dead after three missed reports.",
    )
    jobs: bool = Field(
        default=True,
        validation_alias="ASR_JOBS",
        description="Run verify jobs (final results, POST /verify).",
    )
    max_jobs: int = Field(
        default=2,
        ge=1,
        le=32,
        validation_alias="ASR_MAX_JOBS",
        description="Verify jobs at once in this worker.",
    )
    job_timeout_s: float = Field(
        default=30.0,
        ge=1,
        le=600,
        validation_alias="ASR_JOB_TIMEOUT_S",
        description="A verify job may take so long, s, and 0.25 s more for each second of audio.",
    )
    job_poll_s: float = Field(
        default=0.1,
        ge=0.01,
        le=5,
        validation_alias="ASR_JOB_POLL_S",
        description="How often to look for verify jobs, s.",
    )
    job_batch: int = Field(
        default=4,
        ge=1,
        le=64,
        validation_alias="ASR_JOB_BATCH",
        description="Windows of a verify job decoded together; "
        "live segments wait for at most one such batch.",
    )
    drain_timeout_s: float = Field(
        default=30.0,
        ge=0.1,
        le=600,
        validation_alias="WORKER_DRAIN_S",
        description="How long a drain may take, s; what is left then is taken over by other workers.",
    )
    http_host: str = Field(
        default="127.0.0.1",
        validation_alias="WORKER_HTTP_HOST",
        description="Address of /health, /ready and /metrics.",
    )
    http_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        validation_alias="WORKER_HTTP_PORT",
        description="Port of the same; 0 takes a free one and logs it.",
    )
    scripted_delay_ms: float = Field(
        default=0.0,
        ge=0,
        le=60_000,
        validation_alias="ASR_SCRIPTED_DELAY_MS",
        description="Scripted engine only: how long a batch takes, ms.",
    )
    scripted_hears: Literal["phones", "words", "both"] = Field(
        default="phones",
        validation_alias="ASR_SCRIPTED_HEARS",
        description="Scripted engine only: what it gives of what was written into the audio.",
    )
    scripted_crash: bool = Field(
        default=False,
        validation_alias="ASR_SCRIPTED_CRASH",
        description="Scripted engine only: honour the marker that ends the process.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="LOG_LEVEL", description="What is logged."
    )
    log_format: LogFormat = Field(
        default="auto", validation_alias="LOG_FORMAT", description="auto: JSON lines unless on a terminal."
    )

    @field_validator("pools")
    @classmethod
    def _check_pools(cls, value: str) -> str:
        parse_pools(value)
        return value

    @model_validator(mode="after")
    def _take_the_pools_model(self) -> Self:
        given = self.model_fields_set
        pools = parse_pools(self.pools)
        self.pool = default_pool(pools, self.pool if "pool" in given else None)
        if "model" not in given:
            self.model = next((one.model for one in pools if one.pool == self.pool), self.model)
        return self
