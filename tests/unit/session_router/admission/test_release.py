"""What a refused session leaves behind in a router: nothing that waits for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from session_router.app import build_router
from session_router.settings import RouterSettings
from shared.clock import ManualClock
from shared.errors import NoCapacity
from shared.ids import SessionId
from shared.protocol.workers import AdmitRequest
from tests.memory.backlog import EmptyBacklog
from tests.memory.registry import MemoryRegistry


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def test_a_refusal_is_gone_once_it_was_answered() -> None:
    clock = ManualClock()
    settings = RouterSettings(drain_s=0, overflow="reject")
    router = build_router(settings, MemoryRegistry(clock), EmptyBacklog(), clock)
    left: weakref.ref[NoCapacity] | None = None
    try:
        await router.api.admitter.admit(AdmitRequest(SessionId("session-1"), "connection-1"))
    except NoCapacity as refusal:
        left = weakref.ref(refusal)
    assert left is not None
    assert left() is None
