"""Where the autoscaler's metric is read: a Prometheus, or without one the routers' own /metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.prometheus import Prometheus


class MetricSource(Protocol):
    """Answers one query; None if there is no such metric now, which is a failure and not a zero."""

    async def ask(self) -> float | None: ...


class FromPrometheus:
    """As KEDA asks."""

    def __init__(self, prometheus: Prometheus, query: str) -> None:
        self._prometheus = prometheus
        self._query = query

    async def ask(self) -> float | None:
        try:
            return await self._prometheus.value(self._query)
        except httpx.HTTPError:
            return None


class FromRouters:
    """The same query over what the routers show. `labels`: those that a scrape would have added."""

    def __init__(self, urls: Sequence[str], query: str, labels: Mapping[str, str]) -> None:
        self._urls = urls
        self._query = Aggregation.parse(query)
        self._labels = labels

    async def ask(self) -> float | None:
        try:
            async with httpx.AsyncClient(timeout=5) as http:
                pages = [(await http.get(url)).raise_for_status().text for url in self._urls]
        except httpx.HTTPError:
            return None
        return self._query.over(pages, self._labels)


class Aggregation:
    """`max(name{label="value",…})`, and the same with `sum`: all that the chart's queries are made of."""

    _SHAPE = re.compile(r"(max|sum)\((\w+)\{([^{}]*)\}\)")
    _LABEL = re.compile(r'(\w+)="([^"]*)"')
    _HOW: Mapping[str, Callable[[Iterable[float]], float]] = {"max": max, "sum": sum}

    def __init__(self, how: str, name: str, labels: Mapping[str, str]) -> None:
        self._how, self._name, self._labels = how, name, labels

    @classmethod
    def parse(cls, query: str) -> Aggregation:
        """Raises `ValueError` for any other query."""
        shape = cls._SHAPE.fullmatch(query)
        if shape is None or not all(cls._LABEL.fullmatch(label) for label in shape[3].split(",")):
            raise ValueError(f"{query!r} is not max(name{{…}}) or sum(name{{…}}); ask a Prometheus for it")
        return cls(shape[1], shape[2], dict(cls._LABEL.findall(shape[3])))

    def over(self, pages: Iterable[str], added: Mapping[str, str]) -> float | None:
        """Its value over these pages of metrics; None if no series fits."""
        fitting = [
            sample.value
            for page in pages
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == self._name and self._labels.items() <= {**added, **sample.labels}.items()
        ]
        return self._HOW[self._how](fitting) if fitting else None
