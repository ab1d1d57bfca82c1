"""Settings of the gateway: names, bounds, and what makes no sense."""

from __future__ import annotations

import pydantic
import pytest

from gateway.settings import GatewaySettings
from shared.service.settings_help import load_settings


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
        {"api_keys": "acme="},
        {"host": "0.0.0.0"},
        {"host": "", "api_keys": ""},
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


def test_an_address_that_others_reach_needs_keys_or_a_clear_word() -> None:
    assert GatewaySettings(host="0.0.0.0", api_keys="k1").host == "0.0.0.0"
    assert GatewaySettings(host="0.0.0.0", allow_anonymous=True).api_keys == ""


def test_a_refused_key_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_KEYS", "acme=s3cret,acme=other")
    with pytest.raises(SystemExit) as left:
        load_settings(GatewaySettings, [], "rattil gateway", "")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("rattil gateway: API_KEYS: entry 2: an entry before it has the same tenant")
    assert "s3cret" not in said
