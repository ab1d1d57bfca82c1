"""For tests with events changed by chance: what an engine hears in nonsense, and broken frames."""

from __future__ import annotations

import random

import msgspec

from shared.protocol.segments import Segment, SegmentResult
from tests.unit.gateway import speech


def hear(segment: Segment) -> SegmentResult:
    """As the scripted engine, and nothing in sounds that are no words of its passage."""
    try:
        return speech.listen(segment)
    except IndexError:
        return speech.listen(msgspec.structs.replace(segment, audio=bytes(2)))


def changed_by_chance(chance: random.Random, text: str) -> str | bytes:
    """An event, some letters of it replaced, or something that is none."""
    letters = list(text)
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        place = chance.randrange(len(letters) + 1)
        letters[place : place + chance.randrange(3)] = chance.choice(["", '"', "{", "\0", "é", "7", "null"])
    made = "".join(letters)
    frames: list[str | bytes] = [
        made,
        made,
        made.encode(),
        chance.randbytes(chance.randrange(50)),
        "[" * 3000,
    ]
    return chance.choice(frames)
