"""Dashboards: what is shipped is what their source says, and Grafana's grid holds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.dashboards import boards
from deploy.dashboards.panels import COLUMNS, HERE, Dashboard
from tests.unit.deploy.objects import released

each_board = pytest.mark.parametrize("board", boards.BOARDS.values(), ids=boards.BOARDS.keys())


@pytest.mark.parametrize("path", boards.files(), ids=lambda path: path.name)
def test_the_file_is_what_its_source_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == boards.files()[path], "run `make manifests`"


@each_board
def test_every_panel_is_described_and_has_a_place_of_its_own(board: Dashboard) -> None:
    page = json.loads(board.to_json())
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in page["panels"]}
    assert len(places) == len(board.panels)
    for panel in page["panels"]:
        assert panel["description"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS


@each_board
def test_every_query_looks_at_the_chosen_namespaces_only(board: Dashboard) -> None:
    for panel in board.panels:
        for query in panel.queries:
            assert query.promql.count("{") <= query.expr.count(HERE) + query.promql.count("{le"), query.expr


def test_the_chart_ships_all_three_where_grafana_finds_them() -> None:
    values = {"dashboards": {"enabled": True, "labels": {"grafana_dashboard": "1"}}}
    shipped = released({"monitoring": values}).one("ConfigMap", "-dashboards")
    assert shipped["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text)["uid"] for name, text in shipped["data"].items()} == {
        f"rattil-{name}.json": board.uid for name, board in boards.BOARDS.items()
    }
