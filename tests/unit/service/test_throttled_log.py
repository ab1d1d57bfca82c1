from __future__ import annotations

import structlog

from shared.service.throttled_log import ThrottledLog


def test_a_warning_is_said_at_once_then_once_per_interval_and_those_left_out_are_counted() -> None:
    now_s = 100.0
    with structlog.testing.capture_logs() as lines:
        log = ThrottledLog(structlog.get_logger("t"), every_s=10, monotonic=lambda: now_s)
        for _ in range(50):
            log.warning("away", key=0, shard=0)
        log.warning("away", key=1, shard=1)
        now_s = 111.0
        log.warning("away", key=0, shard=0)
        now_s = 122.0
        log.warning("away", key=0, shard=0)
    assert [(line["shard"], line.get("left_out")) for line in lines] == [
        (0, None),
        (1, None),
        (0, 49),
        (0, None),
    ]
