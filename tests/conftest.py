"""A real Redis for every test that wants one: two embedded shards, or the servers of TEST_REDIS_URL.

* `redis_urls`: the two shards, emptied before the test. * `redis_url`: the same as one REDIS_URL.
* `redis_server`: a server of the test's own, to kill and restart.

Property tests have no time limit of their own: how fast a machine is says nothing of what is right.
A test that configures logging does so for itself only: `own_logging`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import hypothesis
import pytest
import redis
import structlog

from cli.embedded_redis import EmbeddedRedis
from tests import no_skips

SHARDS = 2

_configure: Callable[..., None] = structlog.configure

hypothesis.settings.register_profile(
    "rattil", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("rattil")


def pytest_configure(config: pytest.Config) -> None:
    if no_skips.wanted():
        config.pluginmanager.register(no_skips.NoSkips(), "no-skips")


@pytest.fixture(autouse=True)
def own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No logger keeps the configuration that it was first used with, and none outlives the test."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(structlog, "configure", _configure_without_cache)
    yield
    structlog.reset_defaults()


def _configure_without_cache(**settings: object) -> None:
    _configure(**settings | {"cache_logger_on_first_use": False})


@pytest.fixture(scope="session")
def shared_redis_urls() -> Iterator[tuple[str, ...]]:
    """Servers for the whole run; tests take `redis_urls`, which empties them."""
    external = os.environ.get("TEST_REDIS_URL", "")
    if external:
        yield tuple(url.strip() for url in external.split(","))
        return
    with ExitStack() as stack:
        yield tuple(stack.enter_context(EmbeddedRedis()).url for _ in range(SHARDS))


@pytest.fixture
def redis_urls(shared_redis_urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in shared_redis_urls:
        with redis.Redis.from_url(url) as client:
            client.flushdb()
    return shared_redis_urls


@pytest.fixture
def redis_url(redis_urls: tuple[str, ...]) -> str:
    return ",".join(redis_urls)


@pytest.fixture
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server
