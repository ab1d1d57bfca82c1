"""What every pod of Rattil promises: the restricted pod security standard, bounds, and a clean end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.manifests.chart import Manifest

_RUN_FOREVER = ("Deployment", "StatefulSet", "DaemonSet")


def violations(manifest: Manifest) -> list[str]:
    """Rules that this object breaks, in words; empty for objects without pods."""
    name = f"{manifest['kind']}/{manifest['metadata']['name']}"
    pod = _pod(manifest)
    if pod is None:
        return []
    found = [*_pod_rules(pod)]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        found += [f"container {container['name']}: {rule}" for rule in _container_rules(container)]
    if manifest["kind"] in _RUN_FOREVER:
        found += [
            f"container {container['name']}: has no {probe}"
            for container in pod["containers"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
            if probe not in container
        ]
    return [f"{name}: {rule}" for rule in found]


def _pod(manifest: Manifest) -> dict[str, Any] | None:
    if manifest["kind"] == "Pod":
        pod: dict[str, Any] = manifest["spec"]
        return pod
    found: dict[str, Any] | None = manifest.get("spec", {}).get("template", {}).get("spec")
    return found


def _pod_rules(pod: dict[str, Any]) -> Iterator[str]:
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
        yield "must run as a user other than root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "must have the seccomp profile RuntimeDefault"
    if pod.get("automountServiceAccountToken") is not False:
        yield "must not mount a service account token"
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(flag):
            yield f"must not use {flag}"
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            yield f"volume {volume['name']} must not be a path of the node"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"volume {volume['name']} needs a size limit"


def _container_rules(container: dict[str, Any]) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "must not gain privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "must have a read-only root filesystem"
    if security.get("capabilities", {}).get("drop") != ["ALL"] or security["capabilities"].get("add"):
        yield "must drop all capabilities"
    resources = container.get("resources", {})
    if not resources.get("requests", {}).get("cpu") or not resources.get("requests", {}).get("memory"):
        yield "must request CPU and memory"
    if not resources.get("limits", {}).get("memory"):
        yield "must have a memory limit"
    image = str(container["image"])
    if image.endswith(":latest") or (":" not in image.rsplit("/", 1)[-1] and "@" not in image):
        yield f"image {image} needs a tag or a digest"
    for variable in container.get("env", []):
        if "password" in str(variable.get("value", "")).lower() and "$(" not in str(variable["value"]):
            yield f"variable {variable['name']} holds a password"
