"""Values that make no sense are refused with a sentence, by the schema or by the chart."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.manifests.chart import ChartRefused, render
from tests.unit.deploy.objects import REDIS

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no redis": ({}, "exactly one of redis.url"),
    "two ways to redis": ({"redis": {"url": "redis://a:1", "dev": {"enabled": True}}}, "exactly one of"),
    "a user without password": (
        {"redis": {"shards": ["a:1"], "username": "u"}},
        "needs redis.passwordSecret",
    ),
    "a password in the url": ({"redis": {"url": "redis://u:secret@a:1"}}, "redis/url"),
    "sentinels of nobody": ({"redis": {"sentinel": {"hosts": ["s:26379"]}}}, "redis.sentinel.services"),
    "routers without a key": (REDIS | {"router": {"apiKeys": {"generate": False}}}, "apiKeys.existingSecret"),
    "not a redis url": ({"redis": {"url": "http://a"}}, "redis/url"),
    "the same shard twice": ({"redis": {"shards": ["a:1", "a:1"]}}, "redis/shards"),
    "a typing mistake": (REDIS | {"gatway": {}}, "gatway"),
    "a typing mistake inside": (REDIS | {"gateway": {"replica": 3}}, "replica"),
    "a typing mistake in a pool": (REDIS | {"pools": {"default": {"gpus": 1}}}, "gpus"),
    "a number as text": (REDIS | {"gateway": {"replicas": "3"}}, "gateway/replicas"),
    "an unknown autoscaler": (REDIS | {"poolDefaults": {"autoscaling": {"type": "vpa"}}}, "autoscaling/type"),
    "no pool": (REDIS | {"pools": {"default": None}}, "/pools"),
    "a pool that is not there": (REDIS | {"gateway": {"pool": "gpu"}}, 'gateway.pool is "gpu"'),
    "a pool name that is no label": (REDIS | {"pools": {"Fast Pool": {}}}, "Fast Pool"),
    "no image of the model": (
        REDIS | {"poolDefaults": {"model": {"delivery": "initContainer"}}},
        "model.image",
    ),
    "no claim of the model": (REDIS | {"poolDefaults": {"model": {"delivery": "pvc"}}}, "model.claimName"),
    "a hpa to zero": (
        REDIS | {"poolDefaults": {"autoscaling": {"type": "hpa", "minReplicas": 0}}},
        "scale to 0",
    ),
    "a pool that only segments could wake": (
        {
            "redis": {"shards": ["a:1"]},
            "poolDefaults": {"autoscaling": {"type": "keda", "trigger": "streamLength", "minReplicas": 0}},
        },
        "never wakes it",
    ),
    "streams nobody can name": (
        REDIS | {"poolDefaults": {"autoscaling": {"type": "keda", "trigger": "streamLength"}}},
        "streamAddresses",
    ),
    "an ingress for nobody": (REDIS | {"ingress": {"enabled": True}}, "ingress.hosts"),
    "a route without a gateway": (REDIS | {"httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
    "a short digest": (REDIS | {"images": {"edge": {"digest": "sha256:12"}}}, "images/edge/digest"),
    "a variable in small letters": (REDIS | {"config": {"log_level": "debug"}}, "log_level"),
    "a folder that nobody shares": (REDIS | {"recordings": {"url": "file:///kept"}}, "recordings.claimName"),
    "a claim for a bucket": (
        REDIS | {"recordings": {"url": "s3://bucket", "claimName": "shared"}},
        "recordings.url is no folder",
    ),
    "keys of no bucket": (
        REDIS | {"recordings": {"existingSecret": "bucket"}},
        "existingSecret needs recordings.url",
    ),
    "keys of a folder": (
        REDIS | {"recordings": {"url": "file:///kept", "claimName": "c", "existingSecret": "bucket"}},
        "recordings.existingSecret is for s3://",
    ),
    "not where recordings can be": (REDIS | {"recordings": {"url": "ftp://host/kept"}}, "recordings/url"),
    "no memory limit": (REDIS | {"gateway": {"resources": {"limits": {"memory": None}}}}, "memory"),
}


@pytest.mark.parametrize(("values", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused_with_a_word_to_what(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ChartRefused) as refused:
        render(values)
    assert said in str(refused.value)
