"""The dialects and routes that Rattil speaks for clients of other services.

Their messages belong to those services, whose own documents describe them; docs/clients says what of them is
served here. So they are any JSON in these documents.
"""

from __future__ import annotations

from gateway.description.dialect import AUDIO, DialectDescription, Message
from gateway.description.schemas import Json

_OBJECT: Json = {"type": "object"}


def _dialect(name: str, title: str, address: str, page: str) -> DialectDescription:
    return DialectDescription(
        name=name,
        title=title,
        text=f"The wire of another service; docs/clients/{page} says what of it is served here.",
        address=address,
        takes=(AUDIO, Message("request", "What its clients send.", _OBJECT)),
        says=(Message("response", "What its clients receive.", _OBJECT),),
        closes={},
    )


DIALECTS = (
    _dialect("deepgram", "Deepgram's live transcription", "/v1/listen", "deepgram.md"),
    _dialect("whisperlive", "WhisperLive", "/ws/whisperlive", "whisperlive.md"),
    _dialect("openai", "OpenAI's Realtime API", "/v1/realtime", "openai.md"),
)
