"""What clients of the recitation dialect may say."""

from __future__ import annotations

import pytest

from gateway.connection.dialect import Command
from gateway.dialects.recite.commands import BadMessage, Peek, parse_command
from gateway.dialects.stated_rate import UnsupportedSampleRate
from shared.errors import (
    BadRequest,
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("end", Command.END),
        ("stop", Command.END),
        ("final", Command.END),
        (" END\n", Command.END),
        ('{"type":"end"}', Command.END),
        ('{"type":"stop","why":"done"}', Command.END),
        ('{"type":"flush"}', Command.FLUSH),
        ("flush", Command.FLUSH),
        ('{"type":"ping","id":7}', Command.PING),
        ('{"type":"config","sample_rate":16000}', Command.NOTHING),
        ('{"config":{"sample_rate":16000}}', Command.NOTHING),
        ('{"type":"config","sample_rate":16000.0}', Command.NOTHING),
        ('{"type":"config","sample_rate":"16000"}', Command.NOTHING),
        ('{"type":"config","sample_rate":null}', Command.NOTHING),
        ('{"type":"end","sampleRate":"16 kHz"}', Command.END),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert parse_command(text) is command


def test_a_peek_names_its_word() -> None:
    assert parse_command('{"type":"peek","word_index":4}') == Peek(4)


@pytest.mark.parametrize("text", ['{"type":"peek"}', "peek", '{"type":"peek","word_index":"4"}'])
def test_a_peek_without_its_word_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_command(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[]", BadMessage),
        ("{}", BadMessage),
        ('{"type":"config","sample_rate":8000}', UnsupportedSampleRate),
    ],
)
def test_what_is_no_command_says_what_would_be(text: str, error: type[BadRequest]) -> None:
    with pytest.raises(error):
        parse_command(text)
