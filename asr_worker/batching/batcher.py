"""Which waiting segments are decoded together, and when. Pure: time comes in as an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from typing import Generic, NamedTuple, TypeVar

Payload = TypeVar("Payload")


class GroupKey(NamedTuple):
    """Only items with the same key share a batch: one padded length.

    Languages, prompts and other options may differ: the engine takes them item by item. `alone` names
    an item that must not share a batch: it may have killed the worker that had it before.
    """

    bucket: int
    alone: str = ""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Payload]):
    """One segment waiting for the engine. `arrived_s` and `deadline_ms` are on this worker's own clock
    (monotonic): the clocks of gateways may be wrong, and would decide who goes first."""

    payload: Payload
    key: GroupKey
    final: bool
    deadline_ms: int
    arrived_s: float

    @property
    def urgency(self) -> tuple[bool, int, float]:
        """Sorts finals before partials, then the earliest deadline, then the earliest arrival."""
        return (not self.final, self.deadline_ms, self.arrived_s)


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """Bounds of a batch: items together, items waiting, and how long one waits for others (s)."""

    max_batch: int
    max_waiting: int
    max_wait_s: float


class Batcher(Generic[Payload]):
    """A bounded set of waiting segments, grouped so that a batch has one shape.

    With little to do nobody waits: an engine that has been idle for `linger_s` gets whatever is
    there at once. Right after a batch, when more segments are usually on their way, a group that
    is neither full nor urgent waits for others to join its batch, at most `linger_s` from its first item.
    """

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._linger_s = policy.max_wait_s
        self._groups: dict[GroupKey, list[Waiting[Payload]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def linger_s(self) -> float:
        """How long a segment waits for others, s; follows the load within the bound."""
        return self._linger_s

    @linger_s.setter
    def linger_s(self, wait_s: float) -> None:
        self._linger_s = min(wait_s, self._policy.max_wait_s)

    @property
    def room(self) -> int:
        """How many more items are accepted now."""
        return self._policy.max_waiting - self._size

    def offer(self, item: Waiting[Payload]) -> None:
        """Add an item. Raises `OverflowError` when full: the caller claims no more than `room`."""
        if self.room <= 0:
            raise OverflowError(f"the batcher holds at most {self._policy.max_waiting} items")
        self._groups.setdefault(item.key, []).append(item)
        self._size += 1

    def take(self, now_s: float, idle_since_s: float, *, closing: bool = False) -> list[Waiting[Payload]]:
        """The next batch, most urgent items first; empty if nothing is there or waiting is better.

        `idle_since_s`: when the engine finished its last batch. `closing`: nothing more will come.
        """
        key = self._first(self._ready(now_s, idle_since_s, closing))
        if key is None:
            return []
        group = sorted(self._groups[key], key=lambda item: item.urgency)
        batch, rest = group[: self._policy.max_batch], group[self._policy.max_batch :]
        if rest:
            self._groups[key] = rest
        else:
            del self._groups[key]
        self._size -= len(batch)
        return batch

    def most_urgent(self, count: int, wanted: Callable[[Payload], bool]) -> list[Payload]:
        """Up to `count` wanted payloads that wait, the most urgent first; they go on waiting."""
        items = (item for group in self._groups.values() for item in group if wanted(item.payload))
        return [item.payload for item in nsmallest(count, items, key=lambda item: item.urgency)]

    def wait_s(self, now_s: float, idle_since_s: float) -> float | None:
        """Seconds until `take` gives a batch if nothing else arrives; None when nothing is there."""
        if not self._size:
            return None
        idle_enough_s = idle_since_s + self._linger_s
        oldest_due_s = min(map(self._due_s, self._groups))
        return max(0.0, min(idle_enough_s, oldest_due_s) - now_s)

    def _ready(self, now_s: float, idle_since_s: float, closing: bool) -> Iterator[GroupKey]:
        at_once = closing or now_s - idle_since_s >= self._linger_s
        for key in self._groups:
            if at_once or self._due_s(key) <= now_s:
                yield key

    def _due_s(self, key: GroupKey) -> float:
        """When this group stops waiting for others; already past for full or final ones."""
        group = self._groups[key]
        oldest_s = min(item.arrived_s for item in group)
        if len(group) >= self._policy.max_batch or any(item.final for item in group):
            return oldest_s
        return oldest_s + self._linger_s

    def _first(self, keys: Iterator[GroupKey]) -> GroupKey | None:
        return min(
            keys,
            key=lambda key: min(item.urgency for item in self._groups[key]),
            default=None,
        )
