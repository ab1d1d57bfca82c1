"""A worker that is told `POOLS` takes the model of its pool."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from asr_worker.settings import WorkerSettings

POOLS = "fast=rattil-tiny,accurate=rattil-base"


@pytest.mark.parametrize(
    ("given", "pool", "model"),
    [
        ({}, "default", "rattil-tiny"),
        ({"pools": POOLS}, "fast", "rattil-tiny"),
        ({"pools": POOLS, "pool": "accurate"}, "accurate", "rattil-base"),
        ({"pools": POOLS, "pool": "accurate", "model": "/models/mine"}, "accurate", "/models/mine"),
        ({"pool": "large", "model": "small"}, "large", "small"),
    ],
)
def test_the_pool_says_the_model(given: dict[str, Any], pool: str, model: str) -> None:
    settings = WorkerSettings(**given)
    assert (settings.pool, settings.model) == (pool, model)


def test_a_worker_of_no_pool_does_not_start() -> None:
    with pytest.raises(pydantic.ValidationError, match="fast, accurate"):
        WorkerSettings(pools=POOLS, pool="large")
