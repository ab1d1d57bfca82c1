"""Which of N independent Redis instances holds a session: Lamping and Veach's jump hash (2014)."""

from __future__ import annotations

import zlib

from shared.ids import SessionId

_MULTIPLIER = 2862933555777941757
"""The linear congruential step of the published algorithm (arXiv 1406.2294)."""


def jump_hash(key: int, buckets: int) -> int:
    """Bucket in [0, buckets) for a 64-bit key; growing by one bucket moves only 1/n of the keys."""
    if buckets < 1:
        raise ValueError("a jump hash needs at least one bucket")
    chosen, candidate = -1, 0
    while candidate < buckets:
        chosen = candidate
        key = (key * _MULTIPLIER + 1) & 0xFFFFFFFFFFFFFFFF
        candidate = int((chosen + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return chosen


def shard_of(session_id: SessionId, shards: int) -> int:
    """The shard of a session: stable across processes, machines and Python versions."""
    if shards == 1:
        return 0
    data = session_id.encode()
    key = (zlib.crc32(data) << 32) | zlib.crc32(data[::-1] + b"rattil")
    return jump_hash(key, shards)
