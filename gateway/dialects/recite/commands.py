"""What clients of the recitation dialect may send as text; audio comes as binary frames."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.connection.dialect import Command
from gateway.dialects.stated_rate import check_stated_rates
from shared.errors import BadRequest
from shared.unreadable import UNREADABLE, why_unreadable


class BadMessage(BadRequest):
    """A text frame that is no command of this dialect."""

    code = "bad_message"


COMMANDS = {
    "end": Command.END,
    "stop": Command.END,
    "final": Command.END,
    "flush": Command.FLUSH,
    "ping": Command.PING,
    "config": Command.NOTHING,
}
"""Every command that is a word and nothing else."""


class Peek(NamedTuple):
    """The reciter looked at this hidden word of the passage: it does not count as known."""

    word_index: int


_decoder = msgspec.json.Decoder(dict[str, object])


def parse_command(text: str) -> Command | Peek:
    """`end`, `stop`, `final`, `flush`, `ping`, or the same as `{"type": …}`; also `{"type":"config",
    "sample_rate":16000}`, any object that states this rate, and `{"type":"peek","word_index":4}`.
    Raises `BadMessage` or `UnsupportedSampleRate`."""
    word = text.strip()
    if word.startswith("{"):
        word, message = _read_json(word)
        if word.lower() == "peek":
            return _peek(message)
    command = COMMANDS.get(word.lower())
    if command is None:
        raise BadMessage(f"{word[:40]!r} is no command; send end, flush or ping, and audio as binary frames")
    return command


def _peek(message: dict[str, object]) -> Peek:
    word_index = message.get("word_index")
    if not isinstance(word_index, int) or isinstance(word_index, bool):
        raise BadMessage('a peek names its word, as in {"type":"peek","word_index":4}')
    return Peek(word_index)


def _read_json(text: str) -> tuple[str, dict[str, object]]:
    """The word of a command, and the whole message."""
    try:
        message: dict[str, object] = _decoder.decode(text)
    except UNREADABLE as error:
        raise BadMessage(f'text must be a command or {{"type": "end"}}: {why_unreadable(error)}') from None
    states_rate = check_stated_rates(message)
    word = message.get("type", "config" if states_rate else None)
    if not isinstance(word, str):
        raise BadMessage('text must be a command or {"type": "end"}: there is no type')
    return word, message
