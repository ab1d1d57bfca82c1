"""How long a passage one client may ask for."""

from __future__ import annotations

from shared.errors import BadRequest
from shared.recitation.reference.passage import VerseRange, words_in


class PassageTooLong(BadRequest):
    """Every event lists every word of the passage, so its length is bounded."""

    code = "passage_too_long"


def check_length(verses: VerseRange, max_words: int) -> None:
    """Raises `PassageTooLong`. Costs nothing, while loading a long passage takes seconds."""
    words = words_in(verses)
    if words > max_words:
        raise PassageTooLong(f"{verses} has {words} words, at most {max_words} are taken; recite it in parts")
