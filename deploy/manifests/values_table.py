"""The chart's README: its table of values is read from `values.yaml` and its comments."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import yaml

from deploy.manifests.chart import CHART

README = CHART / "README.md"
_MARK = "<!-- values: written by `make manifests` from values.yaml -->\n"
_ENTRY = re.compile(r"^( *)([A-Za-z][\w.]*):(.*)$")
_REMARK = re.compile(r"^ *# -- (.*)$")


@dataclass(frozen=True, slots=True)
class Row:
    """One value: its path, what it is by default (as JSON), and what its comment says."""

    path: str
    default: str
    description: str


def readme() -> str:
    """The README with the table as it should be."""
    head, _, _ = README.read_text(encoding="utf-8").partition(_MARK)
    lines = ["| value | default | what it does |", "|---|---|---|"]
    lines += [f"| `{row.path}` | `{row.default}` | {row.description} |" for row in rows()]
    return head + _MARK + "\n" + "\n".join(lines) + "\n"


def rows() -> list[Row]:
    """Every value that has a default which is no group of others, in the order of the file."""
    found: list[Row] = []
    open_groups: list[tuple[int, str]] = []
    described: dict[str, str] = {}
    remark = ""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        if said := _REMARK.match(line):
            remark = f"{remark} {said[1]}".strip()
            continue
        entry = _ENTRY.match(line)
        if not entry:
            continue
        depth = len(entry[1])
        while open_groups and open_groups[-1][0] >= depth:
            open_groups.pop()
        path = ".".join([name for _, name in open_groups] + [entry[2]])
        described[path] = remark
        if entry[3].strip():
            found.append(Row(path, _shown(_at(values, path)), remark or _of_group(described, path)))
        else:
            open_groups.append((depth, entry[2]))
        remark = ""
    return found


def _at(values: object, path: str) -> object:
    for name in path.split("."):
        assert isinstance(values, dict)
        values = values[name]
    return values


def _of_group(described: dict[str, str], path: str) -> str:
    """A group's remark stands for its members without one."""
    group = path.rpartition(".")[0]
    return described.get(group, "") if group else ""


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("|", "\\|")
