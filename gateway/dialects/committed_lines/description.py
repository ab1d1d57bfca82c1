"""What the TCP port `STREAM_PORT` takes and says, for the AsyncAPI document."""

from __future__ import annotations

from gateway.description.dialect import AUDIO, TEXT, DialectDescription, Message

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
)
