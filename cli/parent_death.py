"""A child process that ends with its parent, also when the parent is killed (on Linux only)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""prctl(2) option: the signal a process gets when its parent's thread ends."""

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """What the child of this process runs before it becomes another program; None where that cannot be had.

    To be called in the parent, right before the fork.
    """
    libc, parent = _libc, os.getpid()
    if libc is None:
        return None

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, how, 0, 0, 0)
        if os.getppid() != parent:  # it has died already: nothing would tell us any more
            os._exit(1)

    return arrange
