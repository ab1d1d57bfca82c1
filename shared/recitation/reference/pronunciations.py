"""How one word may rightly be said: joined to its neighbours, or with a stop before or after it.

A stop drops the last vowel or its tanween and turns a ta marbuta into h; after a stop a word begins with the
hamza that is silent when it is joined. A reciter may stop at every verse end and every permitted stop, and
has to wherever the breath ends, so both readings of each word border are right.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

Sounds = tuple[str, ...]


def other_pronunciations(usual: Sounds, others: Iterable[Sounds]) -> tuple[Sounds, ...]:
    """What is right besides `usual`: each of `others`, and its beginning or end with the rest of `usual`."""
    found: dict[Sounds, None] = {}
    for other in others:
        for sounds in (other, *_crossed(usual, other)):
            if sounds and sounds != usual:
                found[sounds] = None
    return tuple(found)


def _crossed(one: Sounds, other: Sounds) -> list[Sounds]:
    """The beginning of each with the end of the other: how a word begins does not depend on how it ends."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    shared = [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]
    if not shared:
        return []
    mine, theirs = shared[len(shared) // 2]
    return [one[:mine] + other[theirs:], other[:theirs] + one[mine:]]
