"""A failing item never fails its batch: bisect until the guilty ones stand alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.errors import DecodeFailed

Item = TypeVar("Item")
Output = TypeVar("Output")


def decode_isolated(
    decode: Callable[[Sequence[Item]], Sequence[Output | Exception]], items: Sequence[Item]
) -> list[Output | Exception]:
    """One outcome per item, in order, whatever `decode` does with the batch.

    A batch that raises is split in two and tried again; an item that raises alone gets that
    exception as its outcome. With k guilty items of n it takes at most 2k·log2(n) + 1 calls.
    Exceptions that are no `Exception` (cancellation, exit) pass through.
    """
    if not items:
        return []
    try:
        outcomes = decode(items)
    except Exception as error:
        if len(items) == 1:
            return [error]
        middle = len(items) // 2
        return [*decode_isolated(decode, items[:middle]), *decode_isolated(decode, items[middle:])]
    if len(outcomes) != len(items):
        lost = DecodeFailed(f"the engine gave {len(outcomes)} outcomes for {len(items)} items")
        return [lost] * len(items)
    return list(outcomes)
