from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session_router.admission.overflow import (
    AdmissionRules,
    Attempt,
    OverflowPolicy,
    Refuse,
    TryPool,
    Wait,
    next_step,
)
from shared.errors import NoCapacity, NoWorker, WaitingRoomFull
from shared.ids import PoolName

LARGE, DEFAULT, TINY = PoolName("large"), PoolName("default"), PoolName("tiny")
LADDER = {LARGE: DEFAULT, DEFAULT: TINY}


@pytest.mark.parametrize("policy", ["reject", "queue", "degrade"])
def test_the_pool_asked_for_comes_first(policy: OverflowPolicy) -> None:
    assert next_step(AdmissionRules(policy, degrade=LADDER), Attempt(LARGE)) == TryPool(LARGE)


def test_reject_refuses_at_once_and_says_when_to_come_back() -> None:
    step = next_step(AdmissionRules("reject", retry_after_s=7), Attempt(LARGE, full=(LARGE,)))
    assert isinstance(step, Refuse)
    assert step.error.retry_after_s == 7
    assert "large" in step.error.message


def test_queue_waits_for_what_is_left_of_the_time_then_refuses() -> None:
    rules = AdmissionRules("queue", queue_timeout_s=10)
    assert next_step(rules, Attempt(LARGE, full=(LARGE,))) == Wait(LARGE, 10)
    assert next_step(rules, Attempt(LARGE, full=(LARGE,), waited_s=4)) == Wait(LARGE, 6)
    step = next_step(rules, Attempt(LARGE, full=(LARGE,), waited_s=10))
    assert isinstance(step, Refuse)
    assert type(step.error) is NoCapacity


def test_a_full_waiting_room_turns_newcomers_away_but_nobody_who_waits() -> None:
    rules = AdmissionRules("queue", queue_timeout_s=10, max_waiting=3)
    step = next_step(rules, Attempt(LARGE, full=(LARGE,), waiting=3))
    assert isinstance(step, Refuse)
    assert isinstance(step.error, WaitingRoomFull)
    assert isinstance(next_step(rules, Attempt(LARGE, full=(LARGE,), waited_s=1, waiting=3)), Wait)


def test_degrade_goes_down_the_ladder() -> None:
    rules = AdmissionRules("degrade", degrade=LADDER)
    assert next_step(rules, Attempt(LARGE, full=(LARGE,))) == TryPool(DEFAULT)
    assert next_step(rules, Attempt(LARGE, full=(LARGE, DEFAULT))) == TryPool(TINY)
    step = next_step(rules, Attempt(LARGE, full=(LARGE, DEFAULT, TINY)))
    assert isinstance(step, Refuse)
    assert "'large', 'default', 'tiny'" in step.error.message


@pytest.mark.parametrize("policy", ["reject", "degrade"])
def test_no_worker_at_all_is_told_from_a_full_pool(policy: OverflowPolicy) -> None:
    rules = AdmissionRules(policy, retry_after_s=7)
    away = Attempt(LARGE, full=(LARGE, DEFAULT), without_worker=frozenset({LARGE, DEFAULT}))
    step = next_step(rules, away)
    assert isinstance(step, Refuse)
    assert (type(step.error), step.error.code) == (NoWorker, "no_worker")
    assert "no worker of pool 'large', 'default' is ready" in step.error.message
    step = next_step(rules, Attempt(LARGE, full=(LARGE, DEFAULT), without_worker=frozenset({LARGE})))
    assert isinstance(step, Refuse)
    assert type(step.error) is NoCapacity


def test_who_waited_for_a_worker_in_vain_hears_that_none_is_ready() -> None:
    rules = AdmissionRules("queue", queue_timeout_s=10)
    step = next_step(rules, Attempt(LARGE, (LARGE,), 10, without_worker=frozenset({LARGE})))
    assert isinstance(step, Refuse)
    assert type(step.error) is NoWorker


@given(
    policy=st.sampled_from(["reject", "queue", "degrade"]),
    steps=st.dictionaries(st.sampled_from("abcd"), st.sampled_from("abcd")),
)
def test_the_ladder_always_ends(policy: OverflowPolicy, steps: dict[str, str]) -> None:
    ladder = {PoolName(pool): PoolName(smaller) for pool, smaller in steps.items()}
    rules = AdmissionRules(policy, queue_timeout_s=5, degrade=ladder)
    attempt = Attempt(PoolName("a"))
    for _ in range(10):
        match next_step(rules, attempt):
            case TryPool(pool):
                attempt = Attempt(attempt.pool, (*attempt.full, pool), attempt.waited_s)
            case Wait(_, for_s):
                attempt = Attempt(attempt.pool, attempt.full, attempt.waited_s + for_s)
            case Refuse():
                return
    pytest.fail("no end after 10 steps")
