"""Every service exposes the process metrics and the same buckets, each on its own registry."""

from __future__ import annotations

from prometheus_client import Counter

from shared.service.metrics import LATENCY_BUCKETS_MS, create_registry, exposition, latency_histogram


def test_registries_do_not_know_each_other() -> None:
    one, two = create_registry(), create_registry()
    Counter("rattil_test_things", "Things.", registry=one).inc()
    assert b"rattil_test_things_total 1.0" in exposition(one)
    assert b"rattil_test_things" not in exposition(two)
    assert b"process_resident_memory_bytes" in exposition(two)
    assert b"python_gc_objects_collected_total" in exposition(two)


def test_latency_buckets_are_ms_and_hold_the_window_thresholds() -> None:
    assert list(LATENCY_BUCKETS_MS) == sorted(LATENCY_BUCKETS_MS)
    assert {300, 800, 5_000} <= set(LATENCY_BUCKETS_MS)
    registry = create_registry()
    latency_histogram(registry, "rattil_test_queued_ms", "Waiting.", ["pool"]).labels("default").observe(42)
    text = exposition(registry).decode()
    assert 'rattil_test_queued_ms_bucket{le="50.0",pool="default"} 1.0' in text
    assert 'rattil_test_queued_ms_bucket{le="35.0",pool="default"} 0.0' in text
