"""`make manifests`: renders the chart with every values file, writes what is generated, checks everything.

Writes the dashboards, what `deploy/k8s` takes from the chart, and the table of its values.
`--check` writes nothing and fails if a file is not what would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.dashboards import boards
from deploy.manifests import plain
from deploy.manifests.chart import VALUES_FILES, ChartRefused, lint, read_values, render
from deploy.manifests.policy import violations
from deploy.manifests.schemas import KUBERNETES, problems
from deploy.manifests.values_table import README, readme


def main() -> int:
    """0 if everything is as it should be, 1 with what is not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.manifests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file would change")
    check_only = parser.parse_args().check
    found: list[str] = []
    # The dashboards first: the chart holds them.
    for path, text in boards.files().items():
        found += _settle(path, text, check_only)
    for path, text in {**plain.files(), README: readme()}.items():
        found += _settle(path, text, check_only)
    for path in VALUES_FILES:
        wrong = check_values(path)
        print(f"{'WRONG' if wrong else 'ok':<6}{path.name}")
        found += [f"{path.name}: {line}" for line in wrong]
    print("\n".join(found) or f"all objects satisfy Kubernetes {' and '.join(KUBERNETES)}, and the policy")
    return 1 if found else 0


def check_values(path: Path) -> list[str]:
    """What is wrong with the objects of one values file."""
    values = read_values(path)
    found = [line for version in KUBERNETES for line in lint(values, version)]
    try:
        objects = render(values)
    except ChartRefused as error:
        return [*found, str(error)]
    for item in objects:
        found += violations(item)
        for version in KUBERNETES:
            found += [f"Kubernetes {version}: {line}" for line in problems(item, version)]
    return found


def _settle(path: Path, text: str, check_only: bool) -> list[str]:
    """Write what a file should hold; with `check_only`, say that it does not."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return []
    if check_only:
        return [f"{path}: not what it should be; run `make manifests`"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.name}")
    return []


if __name__ == "__main__":
    sys.exit(main())
