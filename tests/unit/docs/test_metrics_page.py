"""docs/metrics.md is what the services export, and Prometheus's own linter is content with the names."""

from __future__ import annotations

import subprocess

import pytest

from cli.metrics_table import PAGE, families, metrics_page, registries
from shared.service.metrics import exposition
from tests.programs import needs


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), "run `make settings`"


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
