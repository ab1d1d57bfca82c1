"""What the overload benchmark found, as figures and tables. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.figures import percentile
from benchmarks.load.crowd import CrowdFigures
from benchmarks.load.results import LoadFigures, SegmentLatency
from benchmarks.processes import Spent
from benchmarks.report import Table

KNOCK_EVERY_S = 5.0
ALLOWED = 1.2
"""p95 within this factor of the baseline counts as undisturbed."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the reciters inside saw of one part of the run."""

    name: str
    seconds: float
    latencies_ms: list[float]

    @property
    def p95_ms(self) -> float:
        return percentile(self.latencies_ms, 0.95)


@dataclass(frozen=True, slots=True)
class Overload:
    """The whole measurement. `offered`: what the workers said they hold, at first and under load;
    `finding`: how those fared who were inside when that had been found out."""

    offered: tuple[int, int]
    finding: Stretch
    stretches: tuple[Stretch, Stretch, Stretch]
    recovery_s: float
    inside: LoadFigures
    outside: CrowdFigures
    spent: list[tuple[Spent, Spent]] = field(default_factory=list)
    """CPU by process, before and while the crowd knocks."""

    @property
    def call_cpu_ms(self) -> float:
        """What one call more costs gateway, router and Redis, ms of CPU; noise of the worker left out."""
        doors = [pair for pair in self.spent if not pair[0].name.startswith("worker")]
        more_percent = sum(busy.cpu_percent - calm.cpu_percent for calm, busy in doors)
        seconds = self.stretches[1].seconds
        return 10 * more_percent * seconds / self.outside.calls if self.outside.calls else 0.0

    @property
    def p95_ratio(self) -> float:
        baseline, overload, _ = self.stretches
        return overload.p95_ms / baseline.p95_ms

    @property
    def unreported(self) -> int:
        """Calls that were neither served nor refused in words, segments without any answer."""
        served = (self.inside, self.outside.admitted)
        broken = sum(figures.lost + figures.duplicates + figures.disordered for figures in served)
        return broken + sum(figures.unreported for figures in served) + self.outside.unanswered


def recovery_s(segments: Sequence[SegmentLatency], from_s: float, for_s: float, allowed_ms: float) -> float:
    """Whole seconds after `from_s` until the p95 of a second's segments is allowed again.

    0: at once; infinity: not within `for_s`.
    """
    for second in range(int(for_s)):
        begin_s = from_s + second
        found = stretch_of("", segments, begin_s, begin_s + 1)
        if found.latencies_ms and found.p95_ms <= allowed_ms:
            return float(second)
    return math.inf


def stretch_of(name: str, segments: Sequence[SegmentLatency], from_s: float, to_s: float) -> Stretch:
    """Segments whose last sample was sent then. All processes read the same monotonic clock (Linux)."""
    found = [segment.latency_ms for segment in segments if from_s <= segment.sent_s < to_s]
    return Stretch(name, to_s - from_s, found)


def reciters_table(measured: Overload) -> Table:
    baseline = measured.stretches[0].p95_ms
    rows = [
        [
            stretch.name,
            f"{stretch.seconds:.0f}",
            str(len(stretch.latencies_ms)),
            f"{percentile(stretch.latencies_ms, 0.5):.0f}",
            f"{stretch.p95_ms:.0f}",
            f"{percentile(stretch.latencies_ms, 0.99):.0f}",
            f"{stretch.p95_ms / baseline:.2f}",
        ]
        for stretch in (measured.finding, *measured.stretches)
    ]
    served = (measured.inside, measured.outside.admitted)
    lost = sum(figures.lost for figures in served)
    failed = sum(sum(figures.failed.values()) for figures in served)
    return Table(
        f"{measured.inside.accepted} reciters inside, {measured.outside.callers} outside",
        ("", "seconds", "segments", "p50 ms", "p95 ms", "p99 ms", "to capacity"),
        rows,
        f"from the last sample of a segment sent to its result received; {lost} lost, {failed} failed; "
        f"p95 of a second back within {ALLOWED:g}x {measured.recovery_s:g} s after the crowd left",
    )


def door_table(measured: Overload) -> Table:
    outside = measured.outside
    reasons = Counter(outside.refused).most_common(2)
    row = [
        str(measured.offered[0]),
        str(measured.offered[1]),
        str(outside.calls),
        str(outside.turned_away),
        ", ".join(f"{reason} x{count}" for reason, count in reasons) or "-",
        str(outside.admitted.accepted),
        str(measured.unreported),
    ]
    return Table(
        "at the door, while twice the capacity wants in",
        (
            "offered at first",
            "under load",
            "calls",
            "turned away",
            "told",
            "let in",
            "unreported",
        ),
        [row],
        "sessions the workers offer, by their own measurement; calls: each caller every "
        f"{KNOCK_EVERY_S:g} s until it is let in",
    )


def cpu_table(measured: Overload) -> Table:
    rows = [
        [calm.name, f"{calm.cpu_percent:.0f} %", f"{busy.cpu_percent:.0f} %"] for calm, busy in measured.spent
    ]
    return Table(
        "CPU by process",
        ("process", "at capacity", "while the crowd knocks"),
        rows,
        f"of one core; a call that is refused costs gateway, router and Redis {measured.call_cpu_ms:.1f} ms",
    )


def plain(measured: Overload) -> dict[str, object]:
    outside = measured.outside
    return {
        "offered": list(measured.offered),
        "finding_p95_ms": measured.finding.p95_ms,
        "call_cpu_ms": measured.call_cpu_ms,
        "spent": [[asdict(calm), asdict(busy)] for calm, busy in measured.spent],
        "recovery_s": measured.recovery_s,
        "stretches": [
            {
                "name": stretch.name,
                "seconds": stretch.seconds,
                "segments": len(stretch.latencies_ms),
                "p95_ms": stretch.p95_ms,
            }
            for stretch in measured.stretches
        ],
        "inside": _served(measured.inside),
        "outside": {
            "callers": outside.callers,
            "calls": outside.calls,
            "refused": outside.refused,
            "unanswered": outside.unanswered,
            "admitted": _served(outside.admitted),
        },
    }


def _served(figures: LoadFigures) -> dict[str, object]:
    return {
        "sessions": figures.sessions,
        "accepted": figures.accepted,
        "refused": figures.refused,
        "lost": figures.lost,
        "failed": figures.failed,
        "troubles": figures.troubles,
        "unreported": figures.unreported,
    }
