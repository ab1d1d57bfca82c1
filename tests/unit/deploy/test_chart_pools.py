"""Worker pools and their scaling: what each value of the chart does to the objects."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.settings import GatewaySettings
from tests.unit.deploy.objects import pool, released


def test_every_pool_is_a_deployment_that_serves_it() -> None:
    objects = released({"pools": {"fast": {}, "accurate": {"replicas": 4}}, "gateway": {"pool": "fast"}})
    assert objects.variables("worker-fast")["ASR_POOL"] == "fast"
    assert objects.one("Deployment", "worker-accurate")["spec"]["replicas"] == 4
    assert objects.variables("gateway")["ASR_POOL"] == "fast"


def test_gateways_know_several_pools_by_their_names_and_models() -> None:
    pools = {"fast": {}, "accurate": {"model": {"delivery": "pvc", "name": "base", "claimName": "models"}}}
    objects = released({"pools": pools, "gateway": {"pool": "fast"}})
    told = objects.variables("gateway")["POOLS"]
    settings = GatewaySettings(pools=told, asr_pool=objects.variables("gateway")["ASR_POOL"])
    models = {"accurate": "base", "default": "rattil-tiny", "fast": "rattil-tiny"}
    assert dict(settings.pool_models) == models
    assert (settings.default_pool, settings.judging_pool) == ("fast", "accurate")
    for name in pools:
        assert objects.variables(f"worker-{name}")["ASR_POOL"] == name
    assert "POOLS" not in released().variables("gateway")


def test_a_pool_of_zero_stays_zero() -> None:
    objects = released({"pools": {"default": {"replicas": 0}}})
    assert objects.one("Deployment", "worker-default")["spec"]["replicas"] == 0


def test_a_gpu_pool_gets_the_gpu_the_image_and_the_device() -> None:
    objects = released(pool(gpu={"enabled": True, "resource": "nvidia.com/mig-1g.10gb", "count": 2}))
    container = objects.container("worker-default")
    assert container["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == 2
    assert container["image"].startswith("rattil/worker-cuda:")
    assert objects.variables("worker-default")["ASR_DEVICE"] == "cuda"


def test_a_cpu_pool_gets_no_gpu() -> None:
    objects = released()
    assert list(objects.container("worker-default")["resources"]["limits"]) == ["memory"]
    assert objects.variables("worker-default")["ASR_DEVICE"] == "cpu"


def test_placing_pods_by_selector_toleration_and_runtime() -> None:
    where = {
        "nodeSelector": {"gpu": "l4"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "runtimeClassName": "nvidia",
        "priorityClassName": "high",
    }
    pod = released(pool(**where)).pod("worker-default")
    assert {name: pod[name] for name in where} == where


def test_a_baked_model_is_named() -> None:
    objects = released(pool(model={"name": "rattil-tiny"}))
    assert objects.variables("worker-default")["ASR_MODEL"] == "rattil-tiny"
    assert "initContainers" not in objects.pod("worker-default")


def test_a_model_may_be_copied_by_an_init_container() -> None:
    objects = released(pool(model={"delivery": "initContainer", "name": "m", "image": "models/m:1"}))
    pod = objects.pod("worker-default")
    assert pod["initContainers"][0]["image"] == "models/m:1"
    assert pod["initContainers"][0]["command"][-1] == "/models/m"
    assert objects.variables("worker-default")["ASR_MODEL"] == "/models/m"


def test_a_model_may_be_on_a_claim_read_only() -> None:
    objects = released(pool(model={"delivery": "pvc", "name": "m", "claimName": "claim"}))
    volume = objects.pod("worker-default")["volumes"][1]
    assert volume["persistentVolumeClaim"] == {"claimName": "claim", "readOnly": True}
    assert objects.variables("worker-default")["ASR_MODEL"] == "/models/m"


def test_a_worker_starts_only_after_a_real_decode() -> None:
    """/ready of a worker answers 200 after its warm-up batches; until then it is starting, not dead."""
    container = released().container("worker-default")
    assert container["startupProbe"]["httpGet"]["path"] == "/ready"
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 180


def test_a_worker_is_known_by_the_name_of_its_pod() -> None:
    name = released().variables("worker-default")["ASR_WORKER_ID"]
    assert name == {"fieldRef": {"fieldPath": "metadata.name"}}


def keda(**values: Any) -> dict[str, Any]:
    return pool(autoscaling={"type": "keda", **values})


def test_keda_takes_what_the_router_computes() -> None:
    scaled = released(keda(minReplicas=2, maxReplicas=9)).one("ScaledObject", "worker-default")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 9)
    trigger = scaled["triggers"][0]
    wanted = 'max(rattil_router_pool_desired_replicas{namespace="rattil",pool="default"})'
    assert trigger["metadata"]["query"] == wanted
    assert (trigger["metricType"], trigger["metadata"]["threshold"]) == ("AverageValue", "1")


@pytest.mark.parametrize(
    ("pools", "lowest", "highest"),
    [
        ({"default": {}}, None, None),
        ({"default": {"autoscaling": {"type": "keda", "maxReplicas": 100}}}, None, None),
        ({"default": {"autoscaling": {"type": "keda", "minReplicas": 0}}}, "0", None),
        ({"default": {"autoscaling": {"minReplicas": 0, "maxReplicas": 300}}}, None, None),
        (
            {
                "default": {"autoscaling": {"type": "keda", "maxReplicas": 300}},
                "slow": {"autoscaling": {"type": "keda", "minReplicas": 0, "maxReplicas": 200}},
            },
            "0",
            "300",
        ),
    ],
)
def test_the_signal_reaches_as_far_as_the_pools(
    pools: dict[str, Any], lowest: str | None, highest: str | None
) -> None:
    router = released({"pools": pools}).variables("router")
    assert router.get("ROUTER_SCALE_MIN_REPLICAS") == lowest
    assert router.get("ROUTER_SCALE_MAX_REPLICAS") == highest


def test_who_says_how_far_the_signal_reaches_is_heeded() -> None:
    sleeps = {"default": {"autoscaling": {"type": "keda", "minReplicas": 0}}}
    router = released({"pools": sleeps, "router": {"config": {"ROUTER_SCALE_MIN_REPLICAS": 2}}})
    assert router.variables("router")["ROUTER_SCALE_MIN_REPLICAS"] == "2"


def test_a_metric_that_is_away_never_takes_workers_away() -> None:
    scaled = released(keda(fallbackReplicas=5)).one("ScaledObject", "worker-default")["spec"]
    assert scaled["fallback"] == {
        "failureThreshold": 3,
        "replicas": 5,
        "behavior": "currentReplicasIfHigher",
    }
    assert scaled["triggers"][0]["metadata"]["ignoreNullValues"] == "false"


def test_scale_in_is_staged_and_scale_out_is_not() -> None:
    scaled = released(keda()).one("ScaledObject", "worker-default")["spec"]
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["policies"] == [
        {"type": "Pods", "value": 1, "periodSeconds": 60},
        {"type": "Percent", "value": 25, "periodSeconds": 60},
    ]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_stream_length_has_a_trigger_a_shard_and_never_takes_the_lag() -> None:
    values = keda(trigger="streamLength") | {"redis": {"shards": ["a:6379/2", "b:6379"]}}
    triggers = released(values).one("ScaledObject", "worker-default")["spec"]["triggers"]
    assert [t["metadata"]["address"] for t in triggers] == ["a:6379", "b:6379"]
    assert [t["metadata"]["databaseIndex"] for t in triggers] == ["2", "0"]
    for trigger in triggers:
        assert trigger["metadata"]["stream"] == "asr:segments:default"
        assert not {"lagCount", "consumerGroup", "pendingEntriesCount"} & set(trigger["metadata"])


def test_trigger_authentications_are_there_when_needed() -> None:
    values = keda() | {"keda": {"prometheusTokenSecret": {"name": "t", "key": "k"}}}
    objects = released(values)
    authentication = objects.one("TriggerAuthentication", "-prometheus")
    assert authentication["spec"]["secretTargetRef"][0] == {
        "parameter": "bearerToken",
        "name": "t",
        "key": "k",
    }
    trigger = objects.one("ScaledObject", "worker-default")["spec"]["triggers"][0]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert not released(keda()).has("TriggerAuthentication")


def test_an_hpa_takes_the_same_number_as_an_external_metric() -> None:
    spec = released(pool(autoscaling={"type": "hpa"})).one("HorizontalPodAutoscaler")["spec"]
    external = spec["metrics"][0]["external"]
    assert external["metric"]["name"] == "rattil_router_pool_desired_replicas"
    assert external["metric"]["selector"]["matchLabels"] == {"pool": "default"}
    assert external["target"] == {"type": "AverageValue", "averageValue": "1"}


def test_gateways_scale_on_sessions_or_on_cpu() -> None:
    by_sessions = released({"gateway": {"autoscaling": {"type": "keda", "sessionsPerPod": 700}}})
    trigger = by_sessions.one("ScaledObject", "-gateway")["spec"]["triggers"][0]["metadata"]
    assert trigger["query"].startswith("sum(rattil_gateway_connections{")
    assert trigger["threshold"] == "700"
    by_cpu = released({"gateway": {"autoscaling": {"type": "hpa", "targetCpu": 60}}})
    metric = by_cpu.one("HorizontalPodAutoscaler", "-gateway")["spec"]["metrics"][0]
    assert metric["resource"]["target"]["averageUtilization"] == 60


@pytest.mark.parametrize("kind", ["keda", "hpa"])
def test_who_scales_owns_the_number_of_pods(kind: str) -> None:
    objects = released({"gateway": {"autoscaling": {"type": kind}}, **pool(autoscaling={"type": kind})})
    assert "replicas" not in objects.one("Deployment", "-gateway")["spec"]
    assert "replicas" not in objects.one("Deployment", "worker-default")["spec"]


def test_without_autoscaling_there_is_no_scaler() -> None:
    objects = released()
    assert not objects.has("ScaledObject")
    assert not objects.has("HorizontalPodAutoscaler")
    assert objects.one("Deployment", "-gateway")["spec"]["replicas"] == 2
