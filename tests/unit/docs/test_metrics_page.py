"""docs/metrics.md is what the services export, and Prometheus's own linter is content with the names."""

from __future__ import annotations

import re
import subprocess

import pytest

from cli.metrics_table import PAGE, families, metrics_page, registries
from shared.service.metrics import exposition
from tests.integration.edge import edge
from tests.programs import needs


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), "run `make settings`"


async def test_everything_that_a_gateway_exports_is_on_the_page() -> None:
    """Also what routes and dialects count: nobody would be told what it says."""
    async with edge() as running:
        text = (await running.http.get("/metrics")).text
    exported = set(re.findall(r"^# TYPE (rattil_\w+) ", text, re.MULTILINE))
    made = {name for name in exported if not name.endswith("_created")}
    assert made
    assert made <= {family.name for family in families(registries()["Gateway"])}


@pytest.mark.parametrize("service", registries())
def test_promtool_is_content_with_every_name_unit_and_help(service: str) -> None:
    text = exposition(registries()[service])
    checked = subprocess.run(
        [needs("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("service", registries())
def test_times_are_in_seconds_and_counters_say_so(service: str) -> None:
    for family in families(registries()[service]):
        assert not family.name.endswith(("_ms", "_milliseconds")), family
        assert family.name.endswith("_total") == (family.kind == "counter"), family
