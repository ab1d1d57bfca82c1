"""What `/ws/whisperlive` and `WHISPERLIVE_PORT` take and say, for the AsyncAPI document."""

from __future__ import annotations

from typing import get_args

from gateway.description.dialect import BINARY, DialectDescription, Message
from gateway.dialects.whisperlive import messages
from gateway.dialects.whisperlive.dialect import CLOSES, END, PATH

DESCRIPTION = DialectDescription(
    name="whisperlive",
    title="Live transcription for WhisperLive's clients",
    text=(
        "The first message has the options; then audio goes in, and segments come out. There is no resume: "
        "docs/clients/whisperlive.md."
    ),
    address=PATH,
    takes=(
        messages.Options,
        Message(
            "audio",
            "Sound in pieces of any size, 16 kHz, mono, as `audio_format` of the options says.",
            {"type": "string", "format": "binary"},
            BINARY,
        ),
        Message(
            "end",
            "The audio has ended (text or binary).",
            {"type": "string", "const": END.decode()},
            BINARY,
        ),
    ),
    says=get_args(messages.ServerMessage),
    closes=CLOSES,
    servers=("gateway", "whisperlive"),
)
