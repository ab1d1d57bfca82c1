"""When a word was said, and how long after it its client is told."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from gateway.connection.arrival_times import ArrivalTimes
from gateway.connection.word_delays import WordDelays
from gateway.metrics import GatewayMetrics
from gateway.session.interpreter import Said
from shared.service.metrics import exposition

RATE = 16_000


def test_a_frame_that_is_full_when_it_is_sent_was_said_until_then() -> None:
    times = ArrivalTimes(0, 10.0)
    for number in range(1, 21):
        times.note(number * RATE // 10, 10.0 + number / 10)
    for second in (0.05, 0.1, 0.73, 1.5, 2.0):
        assert times.said_s(int(second * RATE)) == pytest.approx(10.0 + second, abs=1e-4)


def test_of_what_comes_at_once_nothing_was_said_before_it_came() -> None:
    """A file, or what a client has kept while it was away."""
    times = ArrivalTimes(0, 10.0)
    times.note(RATE, 12.0)
    for number in range(2, 11):
        times.note(number * RATE, 12.0)
    assert times.said_s(RATE // 2) == pytest.approx(11.5)
    assert times.said_s(5 * RATE) == pytest.approx(12.0)
    assert times.said_s(10 * RATE) == pytest.approx(12.0)


@pytest.mark.parametrize("sample", [0, 4 * RATE, 5 * RATE - 1])
def test_what_came_over_another_connection_is_not_known(sample: int) -> None:
    times = ArrivalTimes(5 * RATE, 10.0)
    times.note(6 * RATE, 11.0)
    assert times.said_s(sample) is None
    assert times.said_s(6 * RATE) == pytest.approx(11.0)


def test_what_is_long_past_or_not_here_yet_is_not_known() -> None:
    times = ArrivalTimes(0, 0.0)
    for number in range(1, 601):
        times.note(number * RATE // 10, number / 10)
    assert times.said_s(10 * RATE) is None
    assert times.said_s(45 * RATE) == pytest.approx(45.0)
    assert times.said_s(61 * RATE) is None


def figures(metrics: GatewayMetrics, name: str) -> tuple[float, float]:
    """(count, sum) of a histogram of the dialect `x`."""
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(exposition(metrics.registry).decode())
        for sample in family.samples
        if sample.name.startswith(name) and sample.labels.get("protocol") == "x"
    }
    return found[f"{name}_count"], found[f"{name}_sum"]


def delays() -> tuple[GatewayMetrics, WordDelays]:
    metrics = GatewayMetrics(CollectorRegistry())
    made = WordDelays(metrics, "x", 0, 0.0)
    for number in range(1, 51):
        made.received(number * RATE // 10, number / 10)
    return metrics, made


def test_a_delay_is_from_the_end_of_the_word_to_the_event() -> None:
    metrics, words = delays()
    words.told(Said(shown=(RATE, 2 * RATE)), True, 5.0)
    words.told(Said(settled=(RATE,)), True, 6.0)
    assert figures(metrics, "rattil_gateway_word_shown_seconds") == pytest.approx((2, 7.0), abs=0.01)
    assert figures(metrics, "rattil_gateway_word_settled_seconds") == pytest.approx((1, 5.0), abs=0.01)


def test_what_a_dialect_keeps_back_is_shown_when_it_writes() -> None:
    metrics, words = delays()
    words.told(Said(shown=(RATE,)), False, 2.0)
    assert figures(metrics, "rattil_gateway_word_shown_seconds") == (0, 0)
    words.told(Said(), True, 4.0)
    assert figures(metrics, "rattil_gateway_word_shown_seconds") == pytest.approx((1, 3.0), abs=0.01)


def test_what_was_said_elsewhere_is_not_measured() -> None:
    metrics = GatewayMetrics(CollectorRegistry())
    words = WordDelays(metrics, "x", 5 * RATE, 0.0)
    words.told(Said(shown=(RATE,), settled=(RATE,)), True, 4.0)
    assert figures(metrics, "rattil_gateway_word_shown_seconds") == (0, 0)
