"""A failing item is found by bisection and fails alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_worker.engines.isolate import decode_isolated
from shared.errors import DecodeFailed


class _Decoder:
    """Doubles numbers; a batch that holds a guilty one raises."""

    def __init__(self, guilty: set[int]) -> None:
        self.guilty = guilty
        self.calls: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.calls.append(list(items))
        if self.guilty & set(items):
            raise RuntimeError("somebody in here")
        return [item * 2 for item in items]


@given(st.integers(1, 32), st.data())
def test_only_the_guilty_fail(size: int, data: st.DataObject) -> None:
    guilty = data.draw(st.sets(st.integers(0, size - 1)))
    decoder = _Decoder(guilty)
    outcomes = decode_isolated(decoder, range(size))
    for item, outcome in enumerate(outcomes):
        if item in guilty:
            assert isinstance(outcome, RuntimeError)
        else:
            assert outcome == item * 2
    assert len(decoder.calls) <= 2 * len(guilty) * math.ceil(math.log2(size) if size > 1 else 1) + 1


def test_a_healthy_batch_is_one_call() -> None:
    decoder = _Decoder(set())
    assert decode_isolated(decoder, [1, 2, 3]) == [2, 4, 6]
    assert decoder.calls == [[1, 2, 3]]
    assert decode_isolated(decoder, []) == []


def test_outcomes_that_do_not_match_the_items_are_failures() -> None:
    def careless(items: Sequence[int]) -> list[int | Exception]:
        return [1]

    assert all(isinstance(outcome, DecodeFailed) for outcome in decode_isolated(careless, [1, 2]))


def test_an_exit_is_not_an_item_that_failed() -> None:
    def leaving(items: Sequence[int]) -> list[int | Exception]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_isolated(leaving, [1, 2])
