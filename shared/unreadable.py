"""Why JSON could not be read, for its sender: a sentence about the message, not about the parser."""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What `msgspec.json` raises for a message that it cannot read."""

_MALFORMED: Final = "JSON is malformed: "


def why_unreadable(error: Exception) -> str:
    """One of `UNREADABLE` in words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        return text
    return f"it is not valid JSON: {text.removeprefix(_MALFORMED)}"
