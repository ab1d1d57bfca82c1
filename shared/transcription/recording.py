"""What was heard in a whole recording: stretches of speech, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.hearing import HeardWord


class Stretch(msgspec.Struct, frozen=True):
    """A stretch with speech, at most as long as the model's window. Times in ms of the recording.

    `words` have times where the request asked for them and the model gives them. `language`: what it was
    decoded as. `no_speech`: how probable the model thinks it that nobody spoke, 0 where it does not say.
    `speaker`: who speaks, counted from 0, where voices were told apart.
    """

    start_ms: int
    end_ms: int
    text: str
    words: tuple[HeardWord, ...] = ()
    language: str = ""
    no_speech: float = 0.0
    speaker: int | None = None


def whole_text(stretches: Sequence[Stretch]) -> str:
    """The text of the recording."""
    return " ".join(stretch.text for stretch in stretches if stretch.text)


def spoken_language(stretches: Sequence[Stretch]) -> str:
    """The language of the first stretch with text; empty if nothing was said."""
    return next((stretch.language for stretch in stretches if stretch.text), "")
