"""What `/v1/realtime` takes and says, for the AsyncAPI document."""

from __future__ import annotations

from typing import get_args

from gateway.description.dialect import DialectDescription, Message, Parameter, typed
from gateway.description.schemas import Json, reference
from gateway.dialects.openai.plain.client_events import SOURCES
from gateway.dialects.openai.realtime import messages
from gateway.dialects.openai.realtime.session_fields import BetaSession, Session
from gateway.dialects.openai.realtime.socket import CLOSES, PATH

_NAME = "openai-realtime"


_ID = {"type": ["string", "null"]}


def _event(name: str, meaning: str, fields: Json | None = None, optional: Json | None = None) -> Message:
    """An event of a client, which may name it with an id of its own."""
    event = typed(name, meaning, fields)
    event.payload["properties"] |= {"event_id": _ID} | (optional or {})
    return event


DESCRIPTION = DialectDescription(
    name=_NAME,
    title="Live transcription for OpenAI's Realtime clients",
    text=(
        "Speech of any kind: events with base64 audio go in, items with their transcripts come out. Only "
        "sessions of type transcription are served, and there is no resume: docs/clients/openai.md. Instead "
        "of an API key a client may send a secret of `POST /v1/realtime/client_secrets`."
    ),
    address=PATH,
    parameters=(
        Parameter(
            "model",
            {"type": "string"},
            "One of the names of `GET /v1/models`. One that begins with `gpt-realtime` says nothing.",
        ),
    ),
    takes=(
        _event(
            "session.update",
            "Change the configuration; fields that are absent stay as they are.",
            {"session": reference(Session, f"{_NAME}.")},
        ),
        _event(
            "transcription_session.update",
            "The same in the beta shape.",
            {"session": reference(BetaSession, f"{_NAME}.")},
        ),
        _event(
            "session.create",
            "The plain form begins: `response.create` asks for the text. `correlation_id`, or `event_id`, "
            "comes back in each answer.",
            optional={"session": reference(Session, f"{_NAME}."), "correlation_id": _ID},
        ),
        _event(
            "response.create",
            "The plain form: the text of all audio that came since the last one.",
            optional={"correlation_id": _ID},
        ),
        _event(
            "input_audio_buffer.append",
            "Audio, in pieces of any size. `source`: where it comes from, in the plain form.",
            {"audio": {"type": "string", "contentEncoding": "base64"}},
            {"source": {"enum": list(SOURCES), "default": SOURCES[0]}, "correlation_id": _ID},
        ),
        _event("input_audio_buffer.commit", "The audio up to here is an item: transcribe it."),
        _event("input_audio_buffer.clear", "Throw away what was not committed."),
    ),
    says=get_args(messages.ServerEvent),
    closes=CLOSES,
    parts=(Session, BetaSession),
    envelope={"event_id": {"type": "string"}},
)
