from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.service.garbage_collector import tidied, tidy_up


class Circle:
    """Holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def own_collector() -> Iterator[None]:
    """No collection by itself meanwhile, nothing left out afterwards."""
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def a_circle() -> weakref.ref[Circle]:
    return weakref.ref(Circle())


def test_what_is_left_in_circles_is_found() -> None:
    left = a_circle()
    assert left() is not None
    tidy_up()
    assert left() is None


async def test_a_service_tidies_up_until_it_ends() -> None:
    async with tidied(0.0):
        assert gc.get_freeze_count() > 0
        left = a_circle()
        async with asyncio.timeout(5):
            while left() is not None:  # noqa: ASYNC110 - a collection tells nobody
                await asyncio.sleep(0)
    assert "tidy-memory" not in {task.get_name() for task in asyncio.all_tasks()}
