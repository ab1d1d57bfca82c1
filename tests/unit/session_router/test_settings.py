from __future__ import annotations

import pytest

from session_router.settings import RouterSettings, parse_degrade_pools
from shared.service.settings_help import setting_rows


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in setting_rows(RouterSettings):
        monkeypatch.delenv(row.env, raising=False)


def test_the_control_redis_is_the_first_shard_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://a:1/0, redis://b:2/0")
    assert RouterSettings().control_url == "redis://a:1/0"
    monkeypatch.setenv("CONTROL_REDIS_URL", "redis://c:3/0")
    assert RouterSettings().control_url == "redis://c:3/0"


def test_degrade_pools_are_pairs() -> None:
    assert parse_degrade_pools("") == {}
    assert parse_degrade_pools("large:default, default:tiny") == {"large": "default", "default": "tiny"}


@pytest.mark.parametrize("text", ["large", "large:", ":x", "a:b,a:c", "a:b,b:a", "a:a", "x:a,a:b,b:a"])
def test_degrade_pools_without_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pair|circle"):
        parse_degrade_pools(text)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROUTER_PORT", "70000"),
        ("ROUTER_OVERFLOW", "panic"),
        ("ROUTER_LEASE_TTL_S", "0"),
        ("ROUTER_DEGRADE_POOLS", "a:a"),
        ("ROUTER_SCALE_MIN_REPLICAS", "500"),
        ("REDIS_URL", ""),
        ("REDIS_URL", "http://x"),
    ],
)
def test_bad_values_are_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match="validation error"):
        RouterSettings()


def test_every_setting_is_described() -> None:
    assert all(row.description for row in setting_rows(RouterSettings))
