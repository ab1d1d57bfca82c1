"""From a title and queries to a panel and a dashboard as Grafana reads them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = 24
"""Width of Grafana's grid."""
PANEL_WIDTH = 8
PANEL_HEIGHT = 8

HERE = 'namespace=~"$namespace"'
"""The label filter of every query; a Prometheus without namespaces matches, too."""
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and how its lines are called; `$rate` is `[$__rate_interval]`, `$here` the filter."""

    promql: str
    legend: str = ""

    @property
    def expr(self) -> str:
        return self.promql.replace("$rate", "[$__rate_interval]").replace("$here", HERE)


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph. `unit` is Grafana's (s, percentunit, reqps, short, bytes). `limit`: a line to stay below."""

    title: str
    unit: str
    queries: Sequence[Query]
    description: str
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page of panels."""

    uid: str
    title: str
    panels: Sequence[Panel]

    def to_json(self) -> str:
        """The text of its file."""
        return json.dumps(self._page(), indent=1, ensure_ascii=False) + "\n"

    def _page(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["rattil"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "refresh": "15s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "",
            "templating": {"list": _variables()},
            "panels": [_panel(at, panel) for at, panel in enumerate(self.panels)],
        }


def _variables() -> list[dict[str, Any]]:
    namespaces = "label_values(rattil_router_pool_desired_replicas, namespace)"
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {
            "name": "namespace",
            "type": "query",
            "label": "Namespace",
            "datasource": _SOURCE,
            "query": {"query": namespaces, "refId": "namespaces"},
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _panel(at: int, panel: Panel) -> dict[str, Any]:
    per_row = COLUMNS // PANEL_WIDTH
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "id": at + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": {
            "x": at % per_row * PANEL_WIDTH,
            "y": at // per_row * PANEL_HEIGHT,
            "w": PANEL_WIDTH,
            "h": PANEL_HEIGHT,
        },
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "exemplar": "rattil_gateway_latency_seconds" in query.promql,
            }
            for number, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {
                    "fillOpacity": 8,
                    "thresholdsStyle": {"mode": "line" if panel.limit is not None else "off"},
                },
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }
