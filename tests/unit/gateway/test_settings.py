"""Settings of the gateway: names, bounds, and what makes no sense."""

from __future__ import annotations

import pydantic
import pytest

from gateway.settings import GatewaySettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_s": 0.1},
        {"window_min_s": 4, "window_max_s": 2},
        {"overlap_s": 2},
        {"adaptive_low_ms": 900},
        {"max_queue": 0},
        {"store_audio": "some"},
        {"log_level": "loud"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        GatewaySettings.model_validate(wrong)


def test_known_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WS_WINDOW_SECONDS": "3",
        "WS_OVERLAP_SECONDS": "0.25",
        "WS_MAX_QUEUE": "5",
        "ADAPTIVE_LATENCY_HIGH_MS": "700",
        "WS_BUFFER_THRESHOLD": "64000",
        "WS_PARTIAL_RESULT_INTERVAL": "2",
        "REDIS_URL": "redis://a:1,redis://b:2",
    }.items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    assert (settings.window_s, settings.overlap_s, settings.max_queue) == (3, 0.25, 5)
    assert (settings.adaptive_high_ms, settings.buffer_threshold, settings.partial_interval_s) == (
        700,
        64000,
        2,
    )
    assert settings.control_url == "redis://a:1"


def test_the_buffer_always_holds_two_windows() -> None:
    assert GatewaySettings(max_buffer_s=1, window_max_s=5).max_buffer_samples == 10 * 16_000
