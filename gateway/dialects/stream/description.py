"""What `/ws/stream` takes and says, for the AsyncAPI document."""

from __future__ import annotations

from typing import get_args

from gateway.description.dialect import AUDIO, DialectDescription, Message, Parameter, typed
from gateway.dialects.enhance_on_end import PARAMETER as ENHANCE_ON_END
from gateway.dialects.recite.description import MODEL, PASSAGE, SESSION
from gateway.dialects.stream import client_messages, messages
from gateway.dialects.stream.dialect import PATH
from shared.audio.formats import SAMPLE_RATE


def _client_message(kind: str, meaning: str) -> Message:
    """One that both sides send, under a name of its own."""
    return typed(kind, meaning)._replace(name=f"client_{kind}")


DESCRIPTION = DialectDescription(
    name="stream",
    title="Live recitation, messages of one shape",
    text=(
        "Protocol 1.0, named by the header X-Protocol-Version on both sides. Messages are JSON text "
        "{type, data, timestamp}; PCM, 16 kHz, 16-bit little-endian, mono, comes in base64 or as binary "
        "frames. What was heard, each mistake in the moment when it is certain, and the report at the end "
        "come out. After a broken connection any gateway goes on with the session: "
        "docs/clients/stream.md says how."
    ),
    address=PATH,
    parameters=(
        *PASSAGE,
        *SESSION,
        MODEL,
        ENHANCE_ON_END,
        Parameter("sample_rate", {"const": SAMPLE_RATE}, "A statement: anything else is refused."),
        Parameter(
            "interim_results",
            {"type": "boolean", "default": True},
            "Look at a window each second while somebody speaks, not only at its end.",
        ),
    ),
    takes=(
        AUDIO._replace(name="binary_audio"),
        client_messages.Audio,
        client_messages.Metadata,
        client_messages.Flush,
        client_messages.End,
        _client_message("ping", "Answered with `pong`."),
        _client_message("pong", "The answer to `ping`."),
    ),
    says=get_args(messages.ServerMessage),
)
