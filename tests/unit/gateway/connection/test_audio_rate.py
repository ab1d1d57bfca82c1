"""How fast audio is read."""

from __future__ import annotations

from gateway.connection.audio_rate import AudioRate


def test_real_time_is_never_slowed_down() -> None:
    rate = AudioRate(rate=2, burst_s=1, now_s=0)
    assert all(rate.delay_s(8000, now_s=turn * 0.5) == 0 for turn in range(100))


def test_above_the_rate_reading_waits() -> None:
    rate = AudioRate(rate=2, burst_s=1, now_s=0)
    assert rate.delay_s(16_000, 0) == 0
    assert rate.delay_s(16_000, 0) == 0.5
    assert rate.delay_s(0, 0.5) == 0
