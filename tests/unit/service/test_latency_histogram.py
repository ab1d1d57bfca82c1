"""Shown as prometheus_client shows its own histogram, whatever is observed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from shared.service.latency_histogram import LatencyHistogram

BOUNDS = (0.005, 0.5, 1, 2.5)
values = st.one_of(st.sampled_from([0.0, *BOUNDS, 2.6]), st.floats(0, 20))


@given(st.lists(st.tuples(st.sampled_from(["one", "two"]), values)))
def test_the_same_is_shown_as_of_the_library_s_histogram(observed: list[tuple[str, float]]) -> None:
    own, theirs = CollectorRegistry(), CollectorRegistry()
    histogram = LatencyHistogram(own, "rattil_test_seconds", "Time.", ["pool"], BOUNDS)
    reference = Histogram("rattil_test_seconds", "Time.", ["pool"], buckets=BOUNDS, registry=theirs)
    for pool, value in observed:
        histogram.labels(pool).observe(value)
        reference.labels(pool).observe(value)
    shown = [line for line in generate_latest(theirs).decode().splitlines() if "_created" not in line]
    assert sorted(generate_latest(own).decode().splitlines()) == sorted(shown)


def test_without_labels_it_is_there_before_anything_was_observed() -> None:
    registry = CollectorRegistry(auto_describe=True)
    histogram = LatencyHistogram(registry, "rattil_test_seconds", "Time.", [], BOUNDS)
    assert registry.get_sample_value("rattil_test_seconds_count") == 0
    histogram.observe(0.7)
    assert registry.get_sample_value("rattil_test_seconds_bucket", {"le": "1.0"}) == 1
    assert registry.get_sample_value("rattil_test_seconds_sum") == 0.7


def test_a_name_is_given_once() -> None:
    registry = CollectorRegistry(auto_describe=True)
    LatencyHistogram(registry, "rattil_test_seconds", "Time.", [], BOUNDS)
    with pytest.raises(ValueError, match="Duplicated"):
        LatencyHistogram(registry, "rattil_test_seconds", "Time.", [], BOUNDS)


def test_labels_must_all_be_given() -> None:
    histogram = LatencyHistogram(CollectorRegistry(), "rattil_test_seconds", "Time.", ["pool"], BOUNDS)
    with pytest.raises(ValueError, match="labels"):
        histogram.labels()
