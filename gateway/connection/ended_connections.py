"""When this process looks for garbage: seldom, and by the number of connections that have ended.

An ended connection leaves nothing for the collector (tests/unit/gateway/test_gateway_release.py and
tests/integration/test_gateway_sockets.py), so there is little to find: what fails in rare ways. A full
collection looks at everything that lives, about 550 objects per session: on a busy machine it took 0.11 to
0.15 s of CPU with 400 sessions, 0.23 s with 800. Coming once per `_PER_LIVE` ended connections for each
live one, it costs an ended connection 0.03 ms, whatever the load: with clients who stay two minutes, a
gateway of a thousand stands still for 0.3 s once in twenty minutes. After a crowd has left it comes soon,
and returns the pages that the crowd has used.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from shared.service.garbage_collector import leave_out_what_is_loaded, tidy_up

_LEAST = 200
"""Ended connections before a collection: with few live ones that is still cheap, and often enough."""

_PER_LIVE = 10

_YOUNG = (10_000, 1_000, 20)
"""So many more objects than before start a young collection; so many of these a wider one: seldom, for the
counts begin anew with `EndedConnections`. A collection of young objects holds up every session, about 10 ms
for 10,000. Each object is looked at once, so fewer and longer collections save nothing: with 100,000 they
took 50 to 75 ms at a time, and one result in twenty of 400 clients came 100 ms later than the others.
"""


def relax_collector() -> None:
    """Once, when all is loaded."""
    leave_out_what_is_loaded()
    gc.set_threshold(*_YOUNG)


class EndedConnections:
    """Counts them, and tidies up when there were enough."""

    def __init__(self, tidy: Callable[[], None] = tidy_up) -> None:
        self._tidy = tidy
        self._ended = 0

    def note(self, live: int) -> None:
        """One more has ended, `live` are left. Tidying begins once the loop has its turn."""
        self._ended += 1
        if self._ended >= max(_LEAST, _PER_LIVE * live):
            self._ended = 0
            asyncio.get_running_loop().call_soon(self._tidy)
