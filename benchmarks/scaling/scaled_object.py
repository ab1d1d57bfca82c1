"""What a KEDA ScaledObject says, read from its manifest. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Policy:
    """How many may come or go within a period (s): `value` pods, or `value` percent of those there were."""

    kind: str
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class ScaledObject:
    """One pool's rules. Times in seconds. `query` asks for the metric, of which each worker takes
    `threshold`; above `activation` the pool is awake. After `failure_threshold` failures in a row to read it
    there are at least `fallback` workers."""

    query: str
    threshold: float
    activation: float
    least: int
    most: int
    polling_s: float
    cooldown_s: float
    failure_threshold: int
    fallback: int
    calm_s: float
    """Scale-in takes the highest number wanted within this time (`stabilizationWindowSeconds`)."""
    scale_out: Sequence[Policy]
    scale_in: Sequence[Policy]


def read_scaled_object(manifest: Mapping[str, Any], hurry: float = 1.0) -> ScaledObject:
    """`hurry`: every wait is divided by it. Raises `ValueError` for what the controller does not follow."""
    spec = manifest["spec"]
    if len(spec["triggers"]) != 1 or spec["triggers"][0]["type"] != "prometheus":
        raise ValueError("the controller follows one trigger of type prometheus")
    asked = spec["triggers"][0]["metadata"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    if spec["fallback"]["behavior"] != "currentReplicasIfHigher":
        raise ValueError("the controller falls back to currentReplicasIfHigher only")
    if {behavior[way]["selectPolicy"] for way in ("scaleUp", "scaleDown")} != {"Max"}:
        raise ValueError("the controller takes the policy that changes most (selectPolicy Max) only")
    if behavior["scaleUp"]["stabilizationWindowSeconds"]:
        raise ValueError("the controller scales out at once")
    return ScaledObject(
        query=asked["query"],
        threshold=float(asked["threshold"]),
        activation=float(asked["activationThreshold"]),
        least=spec["minReplicaCount"],
        most=spec["maxReplicaCount"],
        polling_s=spec["pollingInterval"] / hurry,
        cooldown_s=spec["cooldownPeriod"] / hurry,
        failure_threshold=spec["fallback"]["failureThreshold"],
        fallback=spec["fallback"]["replicas"],
        calm_s=behavior["scaleDown"]["stabilizationWindowSeconds"] / hurry,
        scale_out=_policies(behavior["scaleUp"], hurry),
        scale_in=_policies(behavior["scaleDown"], hurry),
    )


def rendered(values: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    """The ScaledObject of the pool `default` as the chart renders it with these values.

    Raises `ImportError` where Helm's engine (package `helm-python-sdk`) is not installed.
    """
    render: Callable[..., list[dict[str, Any]]]
    from deploy.manifests.chart import render

    redis = {"url": "redis://redis:6379/0"}
    found = [
        item
        for item in render({"redis": redis, **values}, namespace=namespace)
        if item["kind"] == "ScaledObject" and item["metadata"]["name"].endswith("-worker-default")
    ]
    return found[0]


def _policies(behavior: Mapping[str, Any], hurry: float) -> tuple[Policy, ...]:
    return tuple(
        Policy(policy["type"], policy["value"], policy["periodSeconds"] / hurry)
        for policy in behavior["policies"]
    )
