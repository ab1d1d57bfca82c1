"""A Prometheus histogram for one thread: every window and every word of every session is observed in it.

That of prometheus_client takes two locks for each value and looks at its buckets one by one. Here only
what is observed is our own; what is shown goes through its collector interface.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, HistogramMetricFamily
from prometheus_client.registry import Collector

_Bucket = tuple[str, float] | tuple[str, float, Exemplar]


class Latencies:
    """What was observed with one combination of labels. To be used by one thread."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, exemplar: Mapping[str, str] | None = None) -> None:
        """`exemplar`: labels by which this value can be looked up; the newest of a bucket is shown."""
        place = bisect_left(self._bounds, value)
        self._counts[place] += 1
        self._sum += value
        if exemplar is not None:
            self._exemplars[place] = Exemplar(dict(exemplar), value, time.time())

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Show it as one metric of the family, with these values of the labels."""
        buckets: list[_Bucket] = []
        so_far = 0
        for place, name in enumerate((*map(str, self._bounds), "+Inf")):
            so_far += self._counts[place]
            known = self._exemplars.get(place)
            buckets.append((name, so_far) if known is None else (name, so_far, known))
        family.add_metric(labels, buckets, self._sum)


class LatencyHistogram(Collector):
    """`bounds`: upper bounds of the buckets, ascending. Without labels it is observed itself."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        description: str,
        labels: Sequence[str],
        bounds: Sequence[float],
    ) -> None:
        self._name, self._description = name, description
        self.label_names = tuple(labels)
        self._bounds = tuple(map(float, bounds))
        self._children: dict[tuple[str, ...], Latencies] = {}
        if not labels:
            self.observe = self.labels().observe
        registry.register(self)

    def labels(self, *values: str) -> Latencies:
        """The same object for the same values. Raises `ValueError` if they are not one for each label."""
        if len(values) != len(self.label_names):
            raise ValueError(f"{self._name} has the labels {self.label_names}, not {len(values)} of them")
        known = self._children.get(values)
        if known is None:
            known = self._children[values] = Latencies(self._bounds)
        return known

    def describe(self) -> Iterator[HistogramMetricFamily]:
        yield HistogramMetricFamily(self._name, self._description, labels=self.label_names)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        (family,) = self.describe()
        for values, child in list(self._children.items()):
            child.add_to(family, values)
        yield family
