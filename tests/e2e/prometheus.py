"""A real Prometheus with the shipped alerts made quick."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from benchmarks import prometheus as running
from deploy.manifests.chart import CHART

RULES = CHART / "rules" / "rattil.yaml"
QUICK = (
    # Ranges and waits of minutes become seconds, as the test cannot last that long; nothing else changes.
    (re.compile(r"\[\d+m\]"), "[8s]"),
    (re.compile(r"for: \d+m"), "for: 2s"),
)


def prometheus_with_alerts(
    program: str, targets: Mapping[str, str], folder: Path
) -> AbstractAsyncContextManager[running.Prometheus]:
    """Scrape `targets` (job to host:port) until the end of the block."""
    rules = RULES.read_text(encoding="utf-8")
    for pattern, quick in QUICK:
        rules = pattern.sub(quick, rules)
    return running.prometheus(program, targets, folder, namespace="test", rules=rules)
