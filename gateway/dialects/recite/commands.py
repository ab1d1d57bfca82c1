"""What clients of the recitation dialect may send as text; audio comes as binary frames."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.connection.dialect import Command
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest


class BadMessage(BadRequest):
    """A text frame that is no command of this dialect."""

    code = "bad_message"


class UnsupportedSampleRate(BadRequest):
    """The client says that its audio is not 16 kHz."""

    code = "unsupported_sample_rate"


_WORDS = {
    "end": Command.END,
    "stop": Command.END,
    "final": Command.END,
    "flush": Command.FLUSH,
    "ping": Command.PING,
    "config": Command.NOTHING,
}


class Peek(NamedTuple):
    """The reciter looked at this hidden word of the passage: it does not count as known."""

    word_index: int


class _Message(msgspec.Struct):
    type: str
    sample_rate: int | None = None
    word_index: int | None = None


_decoder = msgspec.json.Decoder(_Message)


def parse_command(text: str) -> Command | Peek:
    """`end`, `stop`, `final`, `flush`, `ping`, or the same as `{"type": …}`; also `{"type":"config",
    "sample_rate":16000}` and `{"type":"peek","word_index":4}`. Raises `BadMessage` or
    `UnsupportedSampleRate`."""
    word = text.strip()
    if word.startswith("{"):
        message = _read_json(word)
        if message.type.lower() == "peek":
            return _peek(message)
        word = message.type
    command = _WORDS.get(word.lower())
    if command is None:
        raise BadMessage(f"{word[:40]!r} is no command; send end, flush or ping, and audio as binary frames")
    return command


def _peek(message: _Message) -> Peek:
    if message.word_index is None:
        raise BadMessage('a peek names its word, as in {"type":"peek","word_index":4}')
    return Peek(message.word_index)


def check_sample_rate(sample_rate: int) -> None:
    """Raises `UnsupportedSampleRate` for anything but 16 kHz."""
    if sample_rate != SAMPLE_RATE:
        raise UnsupportedSampleRate(
            f"audio must be {SAMPLE_RATE} Hz, 16-bit, mono PCM, not {sample_rate} Hz; resample before sending"
        )


def _read_json(text: str) -> _Message:
    try:
        message = _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise BadMessage(f'text must be a command or {{"type": "end"}}: {error}') from error
    if message.sample_rate is not None:
        check_sample_rate(message.sample_rate)
    return message
