"""The sign of every state of a word, and what a terminal that cannot show all letters is given instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.text import Text

STYLES: Final = {
    "correct": "green",
    "minor_mistake": "yellow",
    "wrong": "bold red",
    "missing": "bold magenta",
    "pending": "dim",
    "not_judged": "dim italic",
}
SIGNS: Final[Mapping[str, str]] = {
    "correct": "✓",
    "minor_mistake": "~",
    "wrong": "✗",
    "missing": "∅",
    "pending": "·",
    "not_judged": "?",
}
"""A sign besides the colour, for those who cannot tell the colours apart and for plain logs."""
ASCII_SIGNS: Final[Mapping[str, str]] = {
    "correct": "+",
    "minor_mistake": "~",
    "wrong": "x",
    "missing": "-",
    "pending": ".",
    "not_judged": "?",
}
_MEANINGS: Final = {"minor_mistake": "minor mistake", "pending": "still to come", "not_judged": "not judged"}


def is_unicode(console: Console) -> bool:
    """Whether every letter can be written to this terminal, file or pipe."""
    return console.encoding.lower().startswith("utf")


def signs_for(console: Console) -> Mapping[str, str]:
    return SIGNS if is_unicode(console) else ASCII_SIGNS


def legend(console: Console) -> Text:
    """One line: each sign with what it means, in the colour of the state."""
    parts = [
        Text(f"{sign} {_MEANINGS.get(status, status)}", style=STYLES[status])
        for status, sign in signs_for(console).items()
    ]
    return Text("  ").join(parts)


def writable(console: Console, text: str) -> str:
    """The text itself. Where the output has no such letters, question marks stand for them."""
    return text if is_unicode(console) else text.encode(console.encoding, "replace").decode(console.encoding)
