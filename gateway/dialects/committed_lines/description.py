"""What the ports `STREAM_PORT` (TCP) and `STREAM_WS_PORT` take and say, for the AsyncAPI document."""

from __future__ import annotations

from typing import get_args

from gateway.description.dialect import AUDIO, TEXT, DialectDescription, Message
from gateway.dialects.committed_lines import websocket

DESCRIPTION = DialectDescription(
    name="committed_lines",
    title="Committed lines over raw TCP",
    text=(
        "PCM, 16 kHz, 16-bit little-endian, mono goes in, lines come out; both end with the sending half of "
        "the connection. It carries no key and cannot be resumed: docs/clients/committed-lines.md."
    ),
    address="",
    takes=(AUDIO,),
    says=(
        Message(
            "line",
            "Words that stand and are never taken back: when they begin and end, ms, and what they are.",
            {"type": "string", "pattern": "^[0-9]+ [0-9]+ .+\n$"},
            TEXT,
        ),
        Message(
            "trouble",
            "What went wrong: its code and a sentence.",
            {"type": "string", "pattern": "^# [a-z_]+: .+\n$"},
            TEXT,
        ),
    ),
    closes=None,
    keyed=False,
    servers=("stream",),
)

MESSAGES_DESCRIPTION = DialectDescription(
    name="committed_messages",
    title="Committed lines over WebSocket",
    text=(
        "Binary frames of PCM, 16 kHz, 16-bit little-endian, mono, and commands go in; words that stand come "
        "out as JSON. It cannot be resumed: docs/clients/committed-lines.md."
    ),
    address="/",
    takes=(
        AUDIO,
        Message(
            "word",
            "A command, in small or capital letters.",
            {"type": "string", "enum": sorted(websocket.COMMANDS)},
            TEXT,
        ),
    ),
    says=get_args(websocket.ServerMessage),
    servers=("stream_websocket",),
)
