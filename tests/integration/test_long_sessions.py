"""A session as long as it may be ends in a report, within the memory and the time that are set for it."""

from __future__ import annotations

from threading import get_ident

import msgspec
import pytest

from asr_worker.batching.executor import EngineExecutor
from asr_worker.engines.scripted import ScriptedEngine, speak
from asr_worker.offline.verify import Verifier
from gateway.settings import GatewaySettings
from shared.audio.formats import SAMPLE_RATE
from shared.bus import stored_audio
from shared.bus.limits import AudioCodec, BusLimits
from shared.bus.ports import AudioChunk
from shared.bus.redis_connections import RedisConnections
from shared.bus.redis_sessions import RedisSessionStore
from shared.clock import SystemClock
from shared.errors import AudioLost
from shared.protocol.jobs import VerifySession
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.report import VerifyReport
from tests.contract.bus_harness import a_record

PASSAGE = "112:1-4"
CHUNK_S = 30


class _NoUploads:
    async def fetch(self, upload_id: str) -> bytes | None:
        return None


def verifier(store: RedisSessionStore) -> Verifier:
    executor = EngineExecutor(ScriptedEngine(), SystemClock())
    return Verifier(executor, store, _NoUploads(), SystemClock(), batch=4)


async def record_session(store: RedisSessionStore, samples: int, without: int | None = None) -> int:
    """A session of this length: the first verses at its beginning, the last ones at its end, silence between.
    `without`: the number of a chunk that is not stored."""
    words = load_passage(VerseRange.parse(PASSAGE)).words
    first, last = (
        speak([phone for word in part for phone in word.phones]).tobytes() for part in (words[:8], words[8:])
    )
    pcm = bytearray(samples * 2)
    pcm[: len(first)], pcm[-len(last) :] = first, last
    record, size = a_record(), CHUNK_S * SAMPLE_RATE
    await store.open(record)
    for number, start in enumerate(range(0, samples, size)):
        if number != without:
            chunk = AudioChunk(start, bytes(pcm[start * 2 : (start + size) * 2]))
            await store.push(msgspec.structs.replace(record, safe_sample=start), None, chunk)
    return samples


@pytest.mark.parametrize("codec", ["pcm16", "flac"])
async def test_the_longest_session_ends_in_a_report(redis_url: str, codec: AudioCodec) -> None:
    connections = RedisConnections(redis_url)
    store = RedisSessionStore(connections, BusLimits(audio_codec=codec))
    longest = int(GatewaySettings().session_limit_s * SAMPLE_RATE)
    assert longest == 3600 * SAMPLE_RATE
    samples = await record_session(store, longest)
    reply = await verifier(store).verify(VerifySession(a_record().session_id, PASSAGE, samples=samples))
    report = msgspec.msgpack.decode(reply.report, type=VerifyReport)
    assert {word.status for word in report.word_analysis} == {"correct"}
    assert report.timing_data[-1].end_time == pytest.approx(3600, abs=2)
    await connections.close()


@pytest.mark.parametrize("without", [0, 2, 4], ids=["its beginning", "its middle", "its end"])
async def test_a_session_whose_audio_has_a_hole_has_no_report(redis_url: str, without: int) -> None:
    connections = RedisConnections(redis_url)
    store = RedisSessionStore(connections)
    samples = await record_session(store, 5 * CHUNK_S * SAMPLE_RATE, without)
    with pytest.raises(AudioLost):
        await verifier(store).verify(VerifySession(a_record().session_id, PASSAGE, samples=samples))
    await connections.close()


async def test_stored_audio_is_put_together_beside_the_loop(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FLAC of an hour takes seconds to decode: other sessions of the service must not wait for it."""
    connections = RedisConnections(redis_url)
    store = RedisSessionStore(connections, BusLimits(audio_codec="flac"))
    await record_session(store, 2 * CHUNK_S * SAMPLE_RATE)
    threads: set[int] = set()
    unpack = stored_audio.unpack

    def noted(entry: bytes) -> bytes:
        threads.add(get_ident())
        return unpack(entry)

    monkeypatch.setattr(stored_audio, "unpack", noted)
    await store.audio_from(a_record().session_id, 0)
    assert threads
    assert get_ident() not in threads
    await connections.close()
