"""The Helm chart as a function: values in, Kubernetes objects out. Helm's own engine renders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import HelmError
from helm_python.chart import Chart
from helm_python.chart import lint as helm_lint

CHART = Path(__file__).parent.parent / "helm" / "rattil"
VALUES_FILES = sorted((CHART / "ci").glob("*.yaml"))
"""The matrix: one file per way of running Rattil."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where there is one: ten times as quick."""

_INFO = 1
"""Helm's severity of a remark (no icon); above it are warnings and errors."""

Manifest = dict[str, Any]


class ChartRefused(Exception):
    """The chart does not take these values: the schema or a template says why."""


def read_values(path: Path) -> dict[str, Any]:
    """One values file."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


def lint(values: Mapping[str, Any], kube_version: str) -> list[str]:
    """What `helm lint --strict` says about the chart with these values; empty if it is content."""
    report = helm_lint(CHART, dict(values), strict=True, kube_version=f"v{kube_version}.0")
    found = [f"{item['path']}: {item['error']}" for item in report["messages"] if item["severity"] > _INFO]
    return found + [error for error in report["errors"] if not any(error in line for line in found)]


def render(values: Mapping[str, Any], name: str = "rattil", namespace: str = "rattil") -> list[Manifest]:
    """All objects of a release, in a stable order. Raises `ChartRefused`."""
    texts = _texts(values, name, namespace)
    return [item for text in texts for item in yaml.load_all(text, _LOADER) if item]


def notes(values: Mapping[str, Any]) -> str:
    """What an operator reads after the installation. Raises `ChartRefused`."""
    with Chart.load(CHART) as chart:
        return _rendered(chart, values, "rattil", "rattil")["rattil/templates/NOTES.txt"]


def _texts(values: Mapping[str, Any], name: str, namespace: str) -> list[str]:
    with Chart.load(CHART) as chart:
        rendered = _rendered(chart, values, name, namespace)
    return [rendered[path] for path in sorted(rendered) if path.endswith(".yaml")]


def _rendered(chart: Chart, values: Mapping[str, Any], name: str, namespace: str) -> dict[str, str]:
    try:
        chart.validate_schema(dict(values))
        return chart.render(dict(values), name=name, namespace=namespace)
    except HelmError as error:
        raise ChartRefused(str(error)) from error
