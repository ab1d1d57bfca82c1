"""The three sizes that the page is made for, and tests that run at all of them."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.e2e.browser import DESK, PHONE, SIDEWAYS

SIZES: Final = {"desk": DESK, "phone": PHONE, "sideways": SIDEWAYS}

_Test = Callable[..., Awaitable[None]]


def at_every_size(test: _Test) -> _Test:
    """Run a test, which takes `size`, at all three sizes at the same time: it mostly waits for sound."""

    async def at_all(**given: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for name, size in SIZES.items():
                group.create_task(_at(name, test(size=size, **given)), name=name)

    wanted = inspect.signature(test)
    others = [parameter for name, parameter in wanted.parameters.items() if name != "size"]
    functools.update_wrapper(at_all, test)
    at_all.__signature__ = wanted.replace(parameters=others)  # type: ignore[attr-defined]
    return at_all


async def _at(name: str, test: Awaitable[None]) -> None:
    try:
        await test
    except Exception as error:
        error.add_note(f"at the size of {name}")
        raise
