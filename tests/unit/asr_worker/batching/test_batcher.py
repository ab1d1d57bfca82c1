"""Which segments are decoded together and when, with time as a plain number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_worker.batching.batcher import Batcher, BatchPolicy, GroupKey, Waiting

THREE_S = GroupKey(48_000)
FOUR_S = GroupKey(64_000)
FIVE_S = GroupKey(80_000)
LONG_IDLE_S = -1.0


def _waiting(
    name: str,
    key: GroupKey = THREE_S,
    *,
    final: bool = False,
    deadline_ms: int = 9000,
    arrived_s: float = 0.0,
) -> Waiting[str]:
    return Waiting(name, key, final, deadline_ms, arrived_s)


def _batcher(max_batch: int = 4, max_waiting: int = 8, max_wait_s: float = 0.005) -> Batcher[str]:
    return Batcher(BatchPolicy(max_batch, max_waiting, max_wait_s))


def _names(batch: list[Waiting[str]]) -> list[str]:
    return [item.payload for item in batch]


def test_nothing_waits_for_an_engine_that_has_been_idle() -> None:
    batcher = _batcher()
    batcher.offer(_waiting("a", arrived_s=1.0))
    assert _names(batcher.take(1.0, LONG_IDLE_S)) == ["a"]


@pytest.mark.parametrize(
    ("now_s", "expected"),
    [(1.000, []), (1.004, []), (1.005, ["a"])],
    ids=["just arrived", "still waiting for others", "waited long enough"],
)
def test_right_after_a_batch_a_lone_segment_waits_a_little(now_s: float, expected: list[str]) -> None:
    batcher = _batcher()
    batcher.offer(_waiting("a", arrived_s=1.0))
    assert _names(batcher.take(now_s, idle_since_s=1.0)) == expected


def test_a_full_group_never_waits() -> None:
    batcher = _batcher(max_batch=2)
    for name in "ab":
        batcher.offer(_waiting(name, arrived_s=1.0))
    assert _names(batcher.take(1.0, idle_since_s=1.0)) == ["a", "b"]


def test_a_final_segment_never_waits_and_takes_its_group_along() -> None:
    batcher = _batcher()
    batcher.offer(_waiting("partial", deadline_ms=1, arrived_s=1.0))
    batcher.offer(_waiting("final", final=True, deadline_ms=2, arrived_s=1.0))
    assert _names(batcher.take(1.0, idle_since_s=1.0)) == ["final", "partial"]


def test_closing_takes_what_is_there() -> None:
    batcher = _batcher()
    batcher.offer(_waiting("a", arrived_s=1.0))
    assert _names(batcher.take(1.0, idle_since_s=1.0, closing=True)) == ["a"]
    assert batcher.take(1.0, 1.0, closing=True) == []


def test_a_batch_has_one_length() -> None:
    batcher = _batcher()
    for name, key in (("a", THREE_S), ("b", FIVE_S), ("c", FOUR_S), ("d", THREE_S)):
        batcher.offer(_waiting(name, key))
    batches = [_names(batcher.take(1.0, LONG_IDLE_S)) for _ in range(3)]
    assert sorted(batches) == [["a", "d"], ["b"], ["c"]]


def test_a_suspect_is_alone() -> None:
    batcher = _batcher()
    batcher.offer(_waiting("a"))
    batcher.offer(_waiting("suspect", GroupKey(48_000, alone="7-0"), deadline_ms=1))
    assert _names(batcher.take(1.0, LONG_IDLE_S)) == ["suspect"]
    assert _names(batcher.take(1.0, LONG_IDLE_S)) == ["a"]


def test_the_earliest_deadline_goes_first_and_late_ones_wait_for_the_next_batch() -> None:
    batcher = _batcher(max_batch=2)
    for name, deadline_ms in (("late", 30), ("soon", 10), ("middle", 20)):
        batcher.offer(_waiting(name, deadline_ms=deadline_ms))
    assert _names(batcher.take(1.0, LONG_IDLE_S)) == ["soon", "middle"]
    assert _names(batcher.take(1.0, LONG_IDLE_S)) == ["late"]


def test_the_group_with_the_most_urgent_item_goes_first() -> None:
    batcher = _batcher()
    batcher.offer(_waiting("short", THREE_S, deadline_ms=20))
    batcher.offer(_waiting("long", FIVE_S, deadline_ms=10))
    batcher.offer(_waiting("final", FOUR_S, final=True, deadline_ms=30))
    assert [_names(batcher.take(1.0, LONG_IDLE_S)) for _ in range(3)] == [["final"], ["long"], ["short"]]


def test_it_is_bounded() -> None:
    batcher = _batcher(max_waiting=2)
    for name in "ab":
        batcher.offer(_waiting(name))
    assert batcher.room == 0
    with pytest.raises(OverflowError):
        batcher.offer(_waiting("c"))
    batcher.take(1.0, LONG_IDLE_S)
    assert batcher.room == 2


def test_how_long_the_caller_may_sleep() -> None:
    batcher = _batcher(max_wait_s=0.005)
    assert batcher.wait_s(1.0, 1.0) is None
    batcher.offer(_waiting("a", arrived_s=1.0))
    assert batcher.wait_s(1.002, idle_since_s=1.001) == pytest.approx(0.003)
    assert batcher.wait_s(1.002, LONG_IDLE_S) == 0.0
    assert batcher.wait_s(9.0, idle_since_s=9.0) == 0.0


@given(
    st.lists(
        st.tuples(st.sampled_from([THREE_S, FIVE_S, FOUR_S]), st.booleans(), st.integers(0, 5)), max_size=20
    )
)
def test_everything_offered_is_taken_exactly_once(offers: list[tuple[GroupKey, bool, int]]) -> None:
    batcher: Batcher[int] = Batcher(BatchPolicy(max_batch=3, max_waiting=20, max_wait_s=0.01))
    for name, (key, final, deadline_ms) in enumerate(offers):
        batcher.offer(Waiting(name, key, final, deadline_ms, 0.0))
    taken: list[int] = []
    while batch := batcher.take(1.0, LONG_IDLE_S):
        assert len(batch) <= 3
        assert len({item.key for item in batch}) == 1
        taken += [item.payload for item in batch]
    assert sorted(taken) == list(range(len(offers)))
    assert len(batcher) == 0
