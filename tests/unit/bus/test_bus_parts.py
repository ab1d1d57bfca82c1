"""The small pure parts of the bus: addresses, errors, records, sharding, backoff, settings."""

from __future__ import annotations

import random

import pytest
from redis import exceptions

from shared.bus.ports import SessionRecord
from shared.bus.records import from_fields, to_fields
from shared.bus.redis_addresses import parse_urls
from shared.bus.redis_connections import MAX_BLOCK_MS, ConnectionLimits, RedisConnections
from shared.bus.redis_errors import redis_errors
from shared.bus.settings import BusSettings
from shared.bus.sharding import jump_hash, shard_of
from shared.errors import BusUnavailable, StateLost
from shared.ids import ConnectionId, Epoch, PoolName, SessionId, new_session_id
from shared.retry import Backoff

RECORD = SessionRecord(
    session_id=SessionId("s"),
    connection_id=ConnectionId("c"),
    epoch=Epoch("e"),
    protocol="recite",
    subject="112:1-4",
    pool=PoolName("default"),
    created_ms=5,
    core=b"\x00\xfe",
    core_seq=4,
    ended=True,
)


def as_hash(record: SessionRecord) -> dict[bytes, bytes]:
    """What Redis makes of the fields."""
    flat = [part if isinstance(part, bytes) else str(part).encode() for part in to_fields(record)]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_a_record_survives_as_a_hash() -> None:
    assert from_fields(as_hash(RECORD)) == RECORD
    assert set(as_hash(RECORD)) - {b"passage"} == {
        name.encode() for name in SessionRecord.__struct_fields__ if name != "subject"
    }


def test_a_hash_that_is_no_record_is_lost_state() -> None:
    stored = as_hash(RECORD)
    for broken in ({}, stored | {b"next_seq": b"x"}, stored | {b"tenant": b"\xff"}, stored | {b"v": b"9"}):
        with pytest.raises(StateLost):
            from_fields(broken)


def test_redis_url_lists_shards_in_order() -> None:
    assert parse_urls(" redis://a:1/0 , rediss://b:2 ,") == ("redis://a:1/0", "rediss://b:2")


@pytest.mark.parametrize("url", ["", " , ", "http://a", "redis://a,redis://a", "localhost:6379"])
def test_a_wrong_redis_url_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        parse_urls(url)


def test_a_reply_timeout_below_the_longest_block_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        RedisConnections("redis://a", ConnectionLimits(reply_s=MAX_BLOCK_MS / 1000))


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("refused"),
        exceptions.TimeoutError("slow"),
        exceptions.OutOfMemoryError("command not allowed"),
        exceptions.ResponseError("Error running script: @user_script:9: -OOM command not allowed"),
        exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        ConnectionResetError("reset"),
        TimeoutError(),
    ],
)
def test_what_time_can_cure_is_bus_unavailable(error: Exception) -> None:
    with pytest.raises(BusUnavailable, match="reading"), redis_errors("reading"):
        raise error


@pytest.mark.parametrize("error", [exceptions.ResponseError("WRONGTYPE Operation"), KeyError("mine")])
def test_programming_errors_stay_themselves(error: Exception) -> None:
    with pytest.raises(type(error)), redis_errors("reading"):
        raise error


def test_jump_hash_moves_few_keys_and_only_to_the_new_bucket() -> None:
    keys = [random.Random(index).getrandbits(64) for index in range(4_000)]
    moved = [key for key in keys if jump_hash(key, 4) != jump_hash(key, 5)]
    assert {jump_hash(key, 5) for key in moved} == {4}
    assert 600 < len(moved) < 1_000
    with pytest.raises(ValueError, match="at least one"):
        jump_hash(1, 0)


def test_sessions_spread_over_shards_and_stay() -> None:
    counts = [0] * 4
    for _ in range(4_000):
        session = new_session_id()
        counts[shard_of(session, 4)] += 1
        assert shard_of(session, 4) == shard_of(session, 4)
    assert min(counts) > 850
    assert shard_of(SessionId("fixed-for-ever"), 16) == 14


def test_backoff_has_full_jitter_and_a_cap() -> None:
    backoff, jitter = Backoff(base_s=0.1, cap_s=2.0), random.Random(4)
    for attempt, bound in ((0, 0.1), (3, 0.8), (5, 2.0), (10_000, 2.0)):
        waits = [backoff.wait_s(attempt, jitter) for _ in range(200)]
        assert 0 <= min(waits) < bound / 4
        assert bound * 3 / 4 < max(waits) <= bound


def test_settings_become_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://a:1/0,redis://b:2/0")
    monkeypatch.setenv("STORE_AUDIO", "tail")
    monkeypatch.setenv("BUS_MAX_STREAM_LENGTH", "7")
    settings = BusSettings()
    assert settings.control_url == "redis://a:1/0"
    assert settings.bus_limits().store_audio == "tail"
    assert settings.bus_limits().max_stream_length == 7


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
        AttributeError("'NoneType' object has no attribute 'writelines'"),
    ],
)
def test_a_write_on_a_connection_that_has_just_ended_is_an_absent_redis(error: Exception) -> None:
    with pytest.raises(BusUnavailable), redis_errors("testing"):
        raise error


def test_a_bug_is_still_a_bug() -> None:
    with pytest.raises(AttributeError), redis_errors("testing"):
        raise AttributeError("'NoneType' object has no attribute 'seq'")
