"""Text that is no message: every dialect says why, in a sentence about the message, not about the parser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from gateway.dialects.deepgram.dialect import DeepgramDialect
from gateway.dialects.deepgram.stream_facts import StreamFacts
from gateway.dialects.openai.realtime.client_events import read_event, read_head
from gateway.dialects.recite.commands import parse_command
from gateway.dialects.stream.client_messages import read_message
from gateway.dialects.transcriptions.dialect import TranscriptionsDialect
from gateway.dialects.whisperlive.options import decode_options
from shared.errors import RattilError
from shared.service.http_json import read_json

DEEP = "[" * 4000
"""More than any parser follows; half of it is more than enough for what is closed again."""
NESTED = [
    '{"type":"end","a":' + DEEP,
    '{"type":"end","a":' + DEEP + "]" * 4000 + "}",
    '{"a":' * 4000 + "1" + "}" * 4000,
]
PARSER_WORDS = ("recursion", "deserializ", "msgspec", "codec", "Traceback")


async def _body(text: str) -> object:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": text.encode(), "more_body": False}

    head = [(b"content-type", b"application/json")]
    return await read_json(Request({"type": "http", "headers": head}, receive), dict, 1 << 20)


READERS: dict[str, Callable[[str], object]] = {
    "recite": parse_command,
    "transcriptions": TranscriptionsDialect().read,
    "deepgram": DeepgramDialect(StreamFacts(0)).read,
    "realtime, the head": lambda text: read_head(text.encode()),
    "realtime, a session": lambda text: read_event(
        read_head(b'{"type":"session.update"}'), f'{{"session":{text}}}'.encode()
    ),
    "stream": read_message,
    "whisperlive": lambda text: decode_options(text, 1 << 20),
    "a body": lambda text: asyncio.run(_body(text)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", NESTED, ids=["open", "closed", "objects"])
def test_what_is_nested_too_deeply_is_said_to_be_so(reader: str, text: str) -> None:
    with pytest.raises(RattilError) as caught:
        READERS[reader](text)
    assert "nested too deeply" in caught.value.message
    assert not [word for word in PARSER_WORDS if word in caught.value.message]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", ['{"type": ', '{"type": "end"} x', '{"type": "\\u12"}', "{'type': 1}"])
def test_what_is_no_json_is_said_to_be_so(reader: str, text: str) -> None:
    with pytest.raises(RattilError) as caught:
        READERS[reader](text)
    assert "not valid JSON" in caught.value.message
    assert not [word for word in PARSER_WORDS if word in caught.value.message]


@pytest.mark.parametrize("data", [b'{"type":"\xff"}', b'{"type":"\xed\xa0\x80"}'])
def test_what_is_no_utf_8_is_said_to_be_so(data: bytes) -> None:
    with pytest.raises(RattilError, match=r"UTF-8|not valid JSON") as caught:
        read_head(data)
    assert not [word for word in PARSER_WORDS if word in caught.value.message]
