"""The garbage collector and the allocator, as services that run for months need them."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.service.logging import get_logger

TIDY_EVERY_S = 60.0
"""How often a worker or router tidies up. It takes about a millisecond of CPU, and the allocator has
to ask for some pages again afterwards."""

_log = get_logger(__name__)


def leave_out_what_is_loaded() -> None:
    """Modules, tables and models live as long as the process: no later collection looks at them.

    Without it a full collection waits until a quarter as many objects are new as have ever survived one
    (CPython's rule): with some 200,000 loaded objects that is practically never.
    """
    gc.collect()
    gc.freeze()


def tidy_up() -> None:
    """A full collection, and what is free inside glibc's heap back to the system.

    The heap of a worker that decodes comes to have 13 MB of holes, and the interpreter keeps some hundred
    kB of freed tuples until a full collection: neither is a leak, both look like one.
    """
    began_s = time.thread_time()
    found = gc.collect()
    _trim()
    _log.debug("memory_tidied", found=found, cpu_ms=round(1000 * (time.thread_time() - began_s), 1))


@asynccontextmanager
async def tidied(every_s: float = TIDY_EVERY_S) -> AsyncIterator[None]:
    """Tidy up from time to time meanwhile: for a process of which few objects live only for a while."""
    leave_out_what_is_loaded()
    tidying = asyncio.create_task(_tidy_for_ever(every_s), name="tidy-memory")
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)


async def _tidy_for_ever(every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        tidy_up()


def _trim() -> None:
    """Does nothing with another allocator than glibc's."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
