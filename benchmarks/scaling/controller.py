"""How many workers there should be now, decided as KEDA and the HorizontalPodAutoscaler decide it. Pure.

KEDA takes a pool from 0 to 1 as soon as its metric is above the activation threshold, and back to 0 once it
has not been so for the cooldown. In between the autoscaler of Kubernetes decides: the metric divided by the
threshold, nothing within a tenth of what there is; out at once, in by the highest number wanted within the
stabilisation window; both at most by what the policies allow in their periods. A metric that cannot be read
changes nothing, until after a few failures the fallback is taken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from benchmarks.scaling.scaled_object import Policy, ScaledObject

TOLERANCE = 0.1
"""`--horizontal-pod-autoscaler-tolerance` of Kubernetes."""


class Controller:
    """One pool's autoscaler. Ask it every `polling_s`."""

    def __init__(self, rules: ScaledObject) -> None:
        self._rules = rules
        self._wished: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()
        self._active_s = float("-inf")
        self._failures = 0

    def decide(self, now_s: float, there: int, metric: float | None) -> int:
        """Workers that should be there, of which `there` are now. `metric` None: it could not be read."""
        rules = self._rules
        if self._active_s == float("-inf"):
            self._active_s = now_s  # as if it had just been awake: nothing is known of the time before
        if metric is None:
            self._failures += 1
            return max(there, rules.fallback) if self._failures >= rules.failure_threshold else there
        self._failures = 0
        awake = metric > rules.activation
        if awake:
            self._active_s = now_s
        if there == 0:
            return max(int(awake), rules.least)
        if rules.least == 0 and now_s - self._active_s >= rules.cooldown_s:
            self._wished.clear()
            self._changes.clear()
            return 0
        number = self._between(now_s, there, metric)
        if number != there:
            self._changes.append((now_s, number - there))
        return number

    def _between(self, now_s: float, there: int, metric: float) -> int:
        """The HorizontalPodAutoscaler's part, which knows no 0."""
        rules = self._rules
        share = metric / (rules.threshold * there)
        wish = there if abs(share - 1) <= TOLERANCE else math.ceil(metric / rules.threshold)
        self._wished.append((now_s, wish))
        while self._wished[0][0] < now_s - rules.calm_s:
            self._wished.popleft()
        if wish < there:
            wish = min(there, max(number for _, number in self._wished))
        if wish > there:
            wish = min(wish, self._most_allowed(now_s, there, rules.scale_out))
        elif wish < there:
            wish = max(wish, self._least_allowed(now_s, there, rules.scale_in))
        return min(max(wish, rules.least, 1), rules.most)

    def _most_allowed(self, now_s: float, there: int, policies: Sequence[Policy]) -> int:
        allowed = []
        for policy in policies:
            before = there - self._changed(now_s, policy.period_s)
            more = math.ceil(before * policy.value / 100) if policy.kind == "Percent" else policy.value
            allowed.append(before + more)
        return max(there, *allowed)

    def _least_allowed(self, now_s: float, there: int, policies: Sequence[Policy]) -> int:
        allowed = []
        for policy in policies:
            before = there - self._changed(now_s, policy.period_s)
            fewer = before * (1 - policy.value / 100) if policy.kind == "Percent" else before - policy.value
            allowed.append(int(fewer))
        return min(there, *allowed)

    def _changed(self, now_s: float, period_s: float) -> int:
        """By how many the pool grew within the last period; what is older than any period is forgotten."""
        rules = self._rules
        longest_s = max(policy.period_s for policy in (*rules.scale_out, *rules.scale_in))
        while self._changes and self._changes[0][0] <= now_s - longest_s:
            self._changes.popleft()
        return sum(change for at_s, change in self._changes if at_s > now_s - period_s)
