"""A pool of workers and its reciters as discrete events. Pure: random numbers come from a seed.

Each reciter sends a segment every 2 s at a phase of its own, a little unevenly. Free workers take up
to `max_batch` of the oldest waiting segments as one batch; a batch of n takes `batch_s + n·segment_s`,
spread log-normally. Latency is waiting plus decoding plus a constant overhead.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable

from benchmarks.capacity.costs import SEGMENT_EVERY_S, Costs
from benchmarks.figures import percentile

JITTER_S = 0.05
"""Standard deviation of a segment's arrival around its schedule: networks and sound cards."""
SPREAD = 0.15
"""Standard deviation of the logarithm of a batch's time."""
WARM_UP_S = 4.0
TARGET_S = 0.5


def arrivals(sessions: int, seconds: float, chance: random.Random) -> list[float]:
    """When segments arrive at the stream, sorted, s."""
    times: list[float] = []
    for _ in range(sessions):
        at_s = chance.uniform(0, SEGMENT_EVERY_S)
        while at_s < seconds:
            times.append(max(0.0, at_s + chance.gauss(0, JITTER_S)))
            at_s += SEGMENT_EVERY_S
    times.sort()
    return times


def simulate(sessions: int, workers: int, costs: Costs, seconds: float = 24.0, seed: int = 1) -> float:
    """95th percentile of the latency of segments that arrive after the warm-up, s."""
    chance = random.Random(seed)
    times = arrivals(sessions, seconds, chance)
    idle = workers
    busy: list[float] = []
    waiting: deque[float] = deque()
    latencies: list[float] = []
    next_arrival = 0
    while next_arrival < len(times) or busy:
        if next_arrival < len(times) and (not busy or times[next_arrival] <= busy[0]):
            now_s = times[next_arrival]
            waiting.append(now_s)
            next_arrival += 1
        else:
            now_s = heapq.heappop(busy)
            idle += 1
        while idle and waiting:
            batch = [waiting.popleft() for _ in range(min(len(waiting), costs.max_batch))]
            took_s = (costs.batch_s + len(batch) * costs.segment_s) * chance.lognormvariate(0, SPREAD)
            heapq.heappush(busy, now_s + took_s)
            idle -= 1
            done_s = now_s + took_s + costs.overhead_s
            latencies += [done_s - came_s for came_s in batch if came_s >= WARM_UP_S]
    return percentile(latencies, 0.95)


def largest(meets: Callable[[int], bool], most: int) -> int:
    """The largest n up to `most` for which `meets(n)` holds, assuming it holds up to some n; 0 if none."""
    low, high = 0, 1
    while high <= most and meets(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if meets(middle) else (low, middle)
    return low


def sessions_per_worker(costs: Costs, workers: int = 1, most: int = 100_000) -> int:
    """How many reciters a pool of so many workers holds with its p95 at the target."""
    return largest(lambda sessions: simulate(sessions, workers, costs) <= TARGET_S, most)
