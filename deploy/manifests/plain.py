"""Plain manifests for those without Helm: the chart rendered into one file a part, for kustomize.

`base` and what the overlays add to it are written; how the overlays put them together is theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.manifests.chart import Manifest, render

K8S = Path(__file__).parent.parent / "k8s"
BASE = K8S / "base"
OVERLAYS = K8S / "overlays"

_HEAD = "# Rendered from deploy/helm/rattil by `make manifests`: change the chart, not this file.\n"
_HELMS_OWN = ("helm.sh/chart", "app.kubernetes.io/managed-by")

_BASE_VALUES = {
    # Where Redis is comes from the Secret, so that the base holds no address.
    "redis": {"existingSecret": {"name": "rattil-redis"}},
    "router": {"apiKeys": {"existingSecret": "rattil-router-keys"}},
    "tests": {"enabled": False},
}
_KEDA = {"autoscaling": {"type": "keda", "minReplicas": 2, "maxReplicas": 40}}
_PRODUCTION_VALUES = {
    **_BASE_VALUES,
    "gateway": _KEDA,
    "poolDefaults": _KEDA,
    "ingress": {"enabled": True, "hosts": ["recite.example.org"]},
    "monitoring": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
}
_DEV_VALUES = {**_BASE_VALUES, "redis": {"dev": {"enabled": True}}}


@cache
def files() -> dict[Path, str]:
    """Path to content of everything that is rendered."""
    return {
        **base_files(),
        OVERLAYS / "dev" / "redis.yaml": _of_kinds(_DEV_VALUES, component="redis"),
        OVERLAYS / "production" / "autoscaling.yaml": _of_kinds(_PRODUCTION_VALUES, "ScaledObject"),
        OVERLAYS / "production" / "ingress.yaml": _of_kinds(_PRODUCTION_VALUES, "Ingress"),
        OVERLAYS / "production" / "monitoring.yaml": _of_kinds(
            _PRODUCTION_VALUES, "ServiceMonitor", "PrometheusRule", component="monitoring"
        ),
    }


def base_files() -> dict[Path, str]:
    """Path to content of everything in the base, the kustomization included."""
    parts: dict[str, list[Manifest]] = defaultdict(list)
    for item in _plain(_BASE_VALUES):
        parts[item["metadata"]["labels"]["app.kubernetes.io/component"]].append(item)
    names = {part: f"{part if part != 'all' else 'serviceaccount'}.yaml" for part in sorted(parts)}
    found = {BASE / name: _HEAD + _dump(parts[part]) for part, name in names.items()}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(names.values()),
    }
    found[BASE / "kustomization.yaml"] = _HEAD + _dump([kustomization])
    return found


def _of_kinds(values: Mapping[str, Any], *kinds: str, component: str = "") -> str:
    chosen = [
        item
        for item in _plain(values)
        if item["kind"] in kinds
        or (component and item["metadata"]["labels"]["app.kubernetes.io/component"] == component)
    ]
    # Queries stand on one line in a dashboard, however long they are.
    unbroken = "# yamllint disable rule:line-length\n" if component == "monitoring" else ""
    return _HEAD + unbroken + _dump(chosen)


def _plain(values: Mapping[str, Any]) -> list[Manifest]:
    """The rendered objects without what only Helm cares for."""
    items = render(values)
    for item in items:
        for label in _HELMS_OWN:
            item["metadata"]["labels"].pop(label, None)
    return items


def _dump(items: list[Manifest]) -> str:
    return "---\n".join(
        yaml.dump(item, Dumper=_Dumper, sort_keys=True, width=200, allow_unicode=True) for item in items
    )


class _Dumper(yaml.SafeDumper):
    """Indents lists, as yamllint wants it, and writes a text of several lines (a dashboard) as it is."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
