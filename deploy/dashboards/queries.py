"""A dashboard's queries, asked of a Prometheus."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import httpx

POINTS = 200
"""Points of one line at most."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a graph: (time in s, value), without what is not a number."""

    name: str
    points: tuple[tuple[float, float], ...]


def ask(
    http: httpx.Client, expr: str, legend: str, start_s: float, end_s: float, rate: str = "1m"
) -> list[Series]:
    """What a panel's query shows between two times. Raises `httpx.HTTPError`, or what Prometheus refuses.

    `http`: a client whose base URL is the Prometheus; a new one for each query would take most of the time.
    `rate` stands for `$__rate_interval`; all namespaces are chosen.
    """
    query = expr.replace("$__rate_interval", rate).replace("$namespace", ".*")
    step_s = max(1.0, (end_s - start_s) / POINTS)
    answer = http.get(
        "/api/v1/query_range",
        params={"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"},
        timeout=30,
    )
    answer.raise_for_status()
    found = []
    for result in answer.json()["data"]["result"]:
        points = [(float(at_s), float(value)) for at_s, value in result["values"]]
        numbers = tuple(point for point in points if not math.isnan(point[1]))
        if numbers:
            found.append(Series(_named(legend, result["metric"]), numbers))
    return found


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend)
