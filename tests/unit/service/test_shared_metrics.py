"""Every service exposes the process metrics and the same buckets, each on its own registry."""

from __future__ import annotations

import pytest
from prometheus_client import Counter

from shared.service.metrics import (
    LATENCY_BUCKETS_S,
    create_registry,
    exposition,
    latency_histogram,
    negotiated,
)


def test_registries_do_not_know_each_other() -> None:
    one, two = create_registry(), create_registry()
    Counter("rattil_test_things", "Things.", registry=one).inc()
    assert b"rattil_test_things_total 1.0" in exposition(one)
    assert b"rattil_test_things" not in exposition(two)
    assert b"process_resident_memory_bytes" in exposition(two)
    assert b"python_gc_objects_collected_total" in exposition(two)


def test_latency_buckets_are_seconds_and_hold_the_target_and_the_window_thresholds() -> None:
    assert list(LATENCY_BUCKETS_S) == sorted(LATENCY_BUCKETS_S)
    assert {0.3, 0.5, 0.8, 5.0} <= set(LATENCY_BUCKETS_S)
    registry = create_registry()
    waiting = latency_histogram(registry, "rattil_test_queued_seconds", "Waiting.", ["pool"])
    waiting.labels("default").observe(0.042)
    text = exposition(registry).decode()
    assert 'rattil_test_queued_seconds_bucket{le="0.05",pool="default"} 1.0' in text
    assert 'rattil_test_queued_seconds_bucket{le="0.035",pool="default"} 0.0' in text


def test_a_latency_in_another_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="seconds"):
        latency_histogram(create_registry(), "rattil_test_queued_ms", "Waiting.")


def test_exemplars_are_for_those_who_accept_them() -> None:
    registry = create_registry()
    latency_histogram(registry, "rattil_test_seconds", "Time.").observe(0.2, {"trace_id": "c-7"})
    plain, plain_type = negotiated(registry, "text/plain")
    rich, rich_type = negotiated(registry, "application/openmetrics-text; version=1.0.0")
    assert b"c-7" not in plain
    assert plain_type.startswith("text/plain")
    assert b'# {trace_id="c-7"} 0.2' in rich
    assert rich_type.startswith("application/openmetrics-text")
