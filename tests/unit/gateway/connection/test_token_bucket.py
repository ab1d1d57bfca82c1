"""How fast a client may do something."""

from __future__ import annotations

from gateway.connection.token_bucket import TokenBucket


def test_within_the_rate_nothing_waits() -> None:
    bucket = TokenBucket(rate=2, burst=1, now_s=0)
    assert all(bucket.take(0.5, now_s=turn * 0.5) == 0 for turn in range(100))


def test_above_the_rate_there_is_a_wait() -> None:
    bucket = TokenBucket(rate=2, burst=1, now_s=0)
    assert bucket.take(1, 0) == 0
    assert bucket.take(1, 0) == 0.5
    assert bucket.take(0, 0.5) == 0
