"""Which part of a text some of its words are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.hearing import HeardWord


def spelled(text: str, at: int, group: Sequence[HeardWord]) -> tuple[str, int]:
    """The words as the text spells them, with its own spaces or none; where the rest of it begins."""
    begin, end = -1, at
    for word in group:
        place = text.find(word.text, end)
        if place < 0:
            return " ".join(one.text for one in group), end
        begin = place if begin < 0 else begin
        end = place + len(word.text)
    return text[begin:end], end
