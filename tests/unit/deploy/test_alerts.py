"""Alerts: unit-tested by promtool, each with a runbook, asking only for metrics that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.metrics_table import families, registries
from deploy.dashboards.boards import BOARDS
from deploy.manifests.chart import CHART
from tests.programs import needs
from tests.unit.deploy.objects import released

RULES = CHART / "rules" / "rattil.yaml"
CASES = Path(__file__).parent / "rules" / "alerts_test.yaml"
RUNBOOKS = (CHART.parent.parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
RECORDED = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
OF_PROMETHEUS = {"process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"}
ADDED_LABELS = {"namespace", "instance", "job", "le"}
"""What Prometheus and histograms add."""
METRIC = re.compile(r"\b(?:rattil|process)_[a-z0-9_]+\b|\brattil:[a-z0-9_:]+\b")

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def test_promtool_finds_every_alert_firing_and_silent_as_it_should(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES.read_text(encoding="utf-8").replace("RULES", str(RULES)), encoding="utf-8")
    ran = subprocess.run(
        [needs("promtool"), "test", "rules", str(cases)], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@each_alert
def test_every_alert_has_a_case_in_which_it_fires(alert: dict[str, Any]) -> None:
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    fired = {c["alertname"] for case in cases for c in case["alert_rule_test"] if c["exp_alerts"]}
    silent = {c["alertname"] for case in cases for c in case["alert_rule_test"] if not c["exp_alerts"]}
    assert alert["alert"] in fired & silent


@each_alert
def test_every_alert_has_a_runbook(alert: dict[str, Any]) -> None:
    link = alert["annotations"]["runbook_url"]
    assert link == f"docs/operations.md#{alert['alert'].lower()}"
    assert f"\n### {alert['alert']}\n" in RUNBOOKS
    assert alert["labels"]["severity"] in ("warning", "critical")


def test_no_runbook_is_for_an_alert_that_is_gone() -> None:
    assert set(re.findall(r"^### (Rattil\w+)$", RUNBOOKS, re.MULTILINE)) == {a["alert"] for a in ALERTS}


def test_queries_ask_for_metrics_that_the_services_export() -> None:
    asked = {name for group in GROUPS for rule in group["rules"] for name in METRIC.findall(rule["expr"])}
    for board in BOARDS.values():
        for panel in board.panels:
            asked |= {name for query in panel.queries for name in METRIC.findall(query.promql)}
    assert asked <= exported() | RECORDED | OF_PROMETHEUS


def test_queries_use_labels_that_the_metrics_have() -> None:
    wrong = []
    for expr in all_queries():
        used = {name for name in METRIC.findall(expr) if name.startswith("rattil_")}
        known = {label for name in used for label in labels_of()[name]} | ADDED_LABELS
        asked = {
            word.strip() for group in re.findall(r"(?:by|on) \(([^)]*)\)", expr) for word in group.split(",")
        }
        asked |= set(re.findall(r"(\w+)\s*(?:=~|!=|=)\s*\"", expr))
        if used and not asked <= known:
            wrong.append((expr, asked - known))
    assert wrong == []


def all_queries() -> list[str]:
    """Every expression of the rules and of the dashboards."""
    rules = [str(rule["expr"]) for group in GROUPS for rule in group["rules"]]
    return rules + [q.expr for board in BOARDS.values() for panel in board.panels for q in panel.queries]


def labels_of() -> dict[str, tuple[str, ...]]:
    """Series to its own labels."""
    found: dict[str, tuple[str, ...]] = {}
    for registry in registries().values():
        for family in families(registry):
            for end in ("", "_bucket", "_sum", "_count"):
                found[f"{family.name}{end}"] = family.labels
    return found


def exported() -> set[str]:
    """Every name of a series that the services show."""
    names: set[str] = set()
    for registry in registries().values():
        for family in families(registry):
            names |= {family.name}
            if family.kind == "histogram":
                names |= {f"{family.name}_{end}" for end in ("bucket", "sum", "count")}
    return names


def test_the_chart_ships_the_same_rules_with_links_of_its_own() -> None:
    values = {"enabled": True, "runbookUrl": "https://wiki/run"}
    rule = released({"monitoring": {"prometheusRule": values}}).one("PrometheusRule")
    shipped = [r for group in rule["spec"]["groups"] for r in group["rules"] if "alert" in r]
    assert [r["expr"] for r in shipped] == [alert["expr"] for alert in ALERTS]
    links = {r["alert"]: r["annotations"]["runbook_url"] for r in shipped}
    assert links["RattilQueueOld"] == "https://wiki/run#rattilqueueold"
