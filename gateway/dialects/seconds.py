"""Times as clients read them."""

from __future__ import annotations

from typing import overload


@overload
def seconds(ms: int) -> float: ...


@overload
def seconds(ms: int | None) -> float | None: ...


def seconds(ms: int | None) -> float | None:
    """From ms; null stays null: the time is not known."""
    return None if ms is None else ms / 1000
