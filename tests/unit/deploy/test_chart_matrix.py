"""The chart over the matrix of values files: Helm's linter, schemas, policy, YAML style, golden renders."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.manifests import plain
from deploy.manifests.__main__ import check_values
from deploy.manifests.chart import CHART, VALUES_FILES, Manifest, read_values, render
from deploy.manifests.values_table import README, readme, rows

DEPLOY = CHART.parent.parent
GOLDEN = Path(__file__).parent.parent.parent / "golden" / "chart"
OURS = [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")]
PLAIN_YAML = [path for path in OURS if "templates" not in path.parts]

each_values_file = pytest.mark.parametrize("path", VALUES_FILES, ids=lambda path: path.stem)


def test_the_matrix_has_at_least_eight_files() -> None:
    assert len(VALUES_FILES) >= 8


@each_values_file
def test_lint_schemas_and_policy_find_nothing(path: Path) -> None:
    assert check_values(path) == []


@each_values_file
def test_it_renders_as_it_did(path: Path) -> None:
    """UPDATE_GOLDEN=1 writes what the chart says now; look at the difference before committing it."""
    text = yaml.safe_dump_all([_settled(item) for item in render(read_values(path))], width=200)
    golden = GOLDEN / path.name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text


def _settled(item: Manifest) -> Manifest:
    """A dashboard is long and has tests of its own: its checksum is enough. A new key is always another."""
    if item["kind"] == "Secret":
        return item | {"data": sorted(item["data"])}
    if not item["metadata"]["name"].endswith("-dashboards"):
        return item
    sums = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in item["data"].items()}
    return item | {"data": sums}


def test_yamllint_is_content() -> None:
    yamllint = [sys.executable, "-m", "yamllint", "--strict", "--config-file", str(DEPLOY / ".yamllint")]
    found = subprocess.run([*yamllint, *map(str, PLAIN_YAML)], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("path", plain.files(), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_the_plain_manifests_are_what_the_chart_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == plain.files()[path], "run `make manifests`"


def test_the_table_of_values_is_what_the_defaults_say() -> None:
    assert README.read_text(encoding="utf-8") == readme(), "run `make manifests`"


def test_every_value_with_a_default_is_in_the_table() -> None:
    values = yaml.compose((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert values is not None
    assert set(_leaves(values)) == {row.path for row in rows()}


def _leaves(values: yaml.Node, above: str = "") -> list[str]:
    """Paths of what stands on one line of its own: everything but groups in block style."""
    if not isinstance(values, yaml.MappingNode) or values.flow_style:
        return [above]
    return [
        path
        for name, value in values.value
        for path in _leaves(value, f"{above}.{name.value}" if above else str(name.value))
    ]
