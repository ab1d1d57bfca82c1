"""The checks themselves: what they must catch, they catch."""

from __future__ import annotations

import copy
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from deploy.manifests.chart import Manifest
from deploy.manifests.plain import OVERLAYS
from deploy.manifests.policy import violations
from deploy.manifests.schemas import KUBERNETES, problems
from tests.unit.deploy.objects import Objects, released

BREAKS: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], Any], str]] = {
    "root": (lambda pod, c: pod["securityContext"].update(runAsNonRoot=False), "user other than root"),
    "no seccomp": (lambda pod, c: pod["securityContext"].pop("seccompProfile"), "seccomp"),
    "token": (lambda pod, c: pod.update(automountServiceAccountToken=True), "service account token"),
    "host network": (lambda pod, c: pod.update(hostNetwork=True), "hostNetwork"),
    "host path": (
        lambda pod, c: pod["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
        "path of the node",
    ),
    "unbounded volume": (lambda pod, c: pod["volumes"].append({"name": "e", "emptyDir": {}}), "size limit"),
    "privileged": (lambda pod, c: c["securityContext"].update(privileged=True), "privileges"),
    "writable root": (lambda pod, c: c["securityContext"].update(readOnlyRootFilesystem=False), "read-only"),
    "capability": (lambda pod, c: c["securityContext"].update(capabilities={"drop": []}), "capabilities"),
    "no limit": (lambda pod, c: c["resources"].pop("limits"), "memory limit"),
    "no request": (lambda pod, c: c["resources"].pop("requests"), "request CPU"),
    "no tag": (lambda pod, c: c.update(image="rattil/edge"), "tag or a digest"),
    "latest": (lambda pod, c: c.update(image="rattil/edge:latest"), "tag or a digest"),
    "no probe": (lambda pod, c: c.pop("livenessProbe"), "no livenessProbe"),
    "password": (lambda pod, c: c["env"].append({"name": "P", "value": "my-password"}), "holds a password"),
}


@pytest.mark.parametrize(("damage", "said"), BREAKS.values(), ids=BREAKS.keys())
def test_the_policy_sees_a_breach(damage: Callable[..., Any], said: str) -> None:
    deployment = copy.deepcopy(released().one("Deployment", "gateway"))
    pod = deployment["spec"]["template"]["spec"]
    damage(pod, pod["containers"][0])
    assert [line for line in violations(deployment) if said in line], violations(deployment)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("kind", ["Deployment", "ScaledObject", "HTTPRoute", "ServiceMonitor"])
def test_schemas_are_strict(kind: str, version: str) -> None:
    item = copy.deepcopy(_watched().one(kind, "gateway" if kind != "ServiceMonitor" else ""))
    assert problems(item, version) == []
    item["spec"]["aFieldThatIsNot"] = 1
    assert problems(item, version) != []


def test_a_count_as_text_is_caught() -> None:
    item = copy.deepcopy(_watched().one("ScaledObject", "gateway"))
    item["spec"]["minReplicaCount"] = "1"
    assert problems(item, KUBERNETES[0]) != []


def test_a_kind_without_a_schema_is_a_problem_not_a_pass() -> None:
    assert problems({"apiVersion": "x.y/v1", "kind": "Unknown", "metadata": {"name": "n"}}, KUBERNETES[0])


def _watched() -> Objects:
    return released(
        {
            "gateway": {"autoscaling": {"type": "keda"}},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]},
            "monitoring": {"serviceMonitor": {"enabled": True}},
        }
    )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the overlays")
@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_overlays_build_and_satisfy_all_checks(overlay: str) -> None:
    built = subprocess.run(
        ["kubectl", "kustomize", str(OVERLAYS / overlay)], check=True, capture_output=True, timeout=60
    )
    items: list[Manifest] = list(yaml.safe_load_all(built.stdout))
    found = [line for item in items for line in violations(item)]
    for version in KUBERNETES:
        found += [line for item in items for line in problems(item, version)]
    assert found == []
    assert all(item["metadata"]["namespace"] == f"rattil{'-dev' * (overlay == 'dev')}" for item in items)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the overlays")
def test_in_production_keda_owns_the_number_of_pods() -> None:
    built = subprocess.run(
        ["kubectl", "kustomize", str(OVERLAYS / "production")], check=True, capture_output=True, timeout=60
    )
    objects = Objects(list(yaml.safe_load_all(built.stdout)))
    for part in ("gateway", "worker-default"):
        assert "replicas" not in objects.one("Deployment", part)["spec"]
        assert objects.one("ScaledObject", part)["spec"]["scaleTargetRef"]["name"] == f"rattil-{part}"
