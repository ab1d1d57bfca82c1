"""A gateway, real Redis and the bundled model: what is heard must not depend on how audio travels."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import BUNDLED, locate
from asr_worker.metrics import WorkerMetrics
from asr_worker.worker import Worker, WorkerPolicy
from cli.embedded_redis import EmbeddedRedis
from cli.sample_files import load_samples
from gateway.admission.router_client import OpenAdmission
from shared.audio.decode import decode_file
from shared.bus.limits import AudioCodec, BusLimits
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_feed import RedisResultFeed
from shared.bus.redis_queue import RedisWorkQueue
from shared.bus.redis_sessions import RedisSessionStore
from shared.clock import SystemClock
from shared.ids import PoolName, WorkerId
from shared.protocol.segments import Codec
from tests.unit.gateway.harness import Client, Gateway, ScriptedBatch, stop

POOL = PoolName("default")
Words = list[tuple[str, str]]


@lru_cache(maxsize=1)
def recitation() -> bytes:
    """Al-Ikhlas without a mistake."""
    return decode_file(load_samples()["ikhlas_clean"].path)


async def recite(url: str, codec: Codec, stored: AudioCodec = "pcm16", **settings: Any) -> Client:
    """One session from its first sample to its end, through a worker with the bundled model."""
    async with AsyncExitStack() as stack:
        connections = RedisConnections(url)
        stack.push_async_callback(connections.close)
        lane = EngineExecutor(CTranslate2Engine(locate(BUNDLED)), SystemClock())
        stack.callback(lane.close)
        worker_id, metrics = WorkerId(f"w-{codec}"), WorkerMetrics(CollectorRegistry())
        queue = RedisWorkQueue(connections, POOL, worker_id)
        policy = WorkerPolicy(claim_block_ms=20)
        worker = Worker(worker_id, queue, lane, policy, metrics, SystemClock())
        finished = asyncio.Event()
        work = asyncio.create_task(worker.run(finished), name="worker")
        feed = RedisResultFeed(connections)
        stack.push_async_callback(feed.close)
        gateway = Gateway(
            RedisSessionStore(connections, BusLimits(audio_codec=stored)),
            feed,
            ScriptedBatch(),
            OpenAdmission(),
            segment_codec=codec,
            store_audio_codec=stored,
            coalesce=False,  # where windows end must not depend on how fast this machine is
            segment_check_s=5.0,
            **settings,
        )
        stack.callback(gateway.ports.encoder.close)
        client = gateway.connect(surah=112, ayah=1, to=4)
        stack.push_async_callback(stop, [client.task])
        await client.until("ready")
        await client.stream(recitation())
        await client.send("end")
        assert (await client.rest()).code == 1000
        finished.set()
        await work
    return client


def states(client: Client) -> list[Words]:
    """The words of each event, in order."""
    return [
        [(word["word"], word["status"]) for word in event["word_feedback"]]
        for event in client.of("partial_result")
    ]


@pytest.fixture(scope="module")
def plain() -> list[Words]:
    with EmbeddedRedis() as server:
        return states(asyncio.run(recite(server.url, "pcm16")))


def test_plain_pcm_is_heard_correctly(plain: list[Words]) -> None:
    assert len(plain) > 3
    assert {status for _word, status in plain[-1]} == {"correct"}


@pytest.mark.parametrize(("codec", "stored"), [("flac", "flac"), ("flac", "pcm16"), ("pcm16", "flac")])
async def test_lossless_codecs_change_nothing(
    redis_url: str, plain: list[Words], codec: Codec, stored: AudioCodec
) -> None:
    assert states(await recite(redis_url, codec, stored)) == plain


@pytest.mark.parametrize("codec", ["mel_u8", "opus"])
async def test_lossy_codecs_end_with_the_same_words(redis_url: str, plain: list[Words], codec: Codec) -> None:
    client = await recite(redis_url, codec)
    assert states(client)[-1] == plain[-1]
    assert client.of("error") == []


async def test_features_for_another_model_are_a_named_error_for_every_segment(redis_url: str) -> None:
    client = await recite(redis_url, "mel_u8", mel_hop=160)
    errors = client.of("error")
    assert {error["code"] for error in errors} == {"unsupported_codec"}
    assert client.seqs == list(range(len(errors)))
