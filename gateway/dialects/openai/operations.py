"""The HTTP operations of OpenAI's dialect, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.description.dialect import JSON, Parameter
from gateway.description.operation import Answer, Operation
from gateway.description.schemas import Json, reference
from gateway.dialects.openai import transcriptions
from gateway.dialects.openai.answers import DiarizedTranscription, Transcription, VerboseTranscription
from gateway.dialects.openai.errors import ErrorBody
from gateway.dialects.openai.models import Model, ModelList
from gateway.dialects.openai.realtime import secrets
from gateway.dialects.openai.realtime.session_fields import BetaSession, Session
from gateway.dialects.openai.transcription_form import FORMATS, GRANULARITIES, MAX_PROMPT

_PREFIX = "openai."
_REALTIME = "openai.realtime."
_STREAMED = (transcriptions.TextDelta, transcriptions.TextDone, ErrorBody)
_TEXT: Json = {"type": "string"}


def _refused(meanings: Mapping[int, str]) -> dict[int, Answer]:
    return {status: Answer(meaning, (ErrorBody,)) for status, meaning in meanings.items()}


_NO_KEY = "`invalid_api_key`: no API key, or an unknown one."
_METHOD = "`method_not_allowed`: the path does not understand this method."


def _texts(meaning: str, items: Sequence[str] = ()) -> Json:
    return {
        "type": "array",
        "items": _TEXT | ({"enum": list(items)} if items else {}),
        "description": meaning,
    }


FORM: dict[str, Json] = {
    "file": {"type": "string", "format": "binary", "description": "A recording, as POST /verify takes it."},
    "model": _TEXT | {"description": "One of the names of `GET /v1/models`."},
    "response_format": {
        "enum": list(FORMATS),
        "default": "json",
        "description": "Shape of the answer; diarized_json where SPEAKER_MODEL is set.",
    },
    "stream": {
        "type": "boolean",
        "default": False,
        "description": "Answer with server-sent events; only with json and text.",
    },
    "language": _TEXT | {"description": "Code or English name; found out if it is absent."},
    "languages[]": _texts("One: as language. Several: the model finds out which."),
    "prompt": _TEXT
    | {"maxLength": MAX_PROMPT, "description": "What may be said; counts together with keywords."},
    "keywords[]": _texts("Names and terms that may be said."),
    "temperature": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Checked and not used: the text is always the most probable one.",
    },
    "timestamp_granularities[]": _texts("Which times are told; only with verbose_json.", GRANULARITIES),
}
"""The fields of `POST /v1/audio/transcriptions`. Fields that are not served are refused or not looked at."""

_EVENTS: Json = {
    "schema": _TEXT,
    "x-events": {"anyOf": [reference(kind, _PREFIX) for kind in _STREAMED]},
}
"""The data of each event is one of these, as JSON."""

_SECRET: Json = {
    "type": "object",
    "properties": {
        "expires_after": reference(secrets.Expiry, _REALTIME),
        "session": reference(Session, _REALTIME),
    },
}

_BETA_SECRET: Json = {
    "allOf": [
        reference(BetaSession, _REALTIME),
        {"type": "object", "properties": {"client_secret": reference(secrets.BetaExpiry, _REALTIME)}},
    ]
}

_SECRET_REFUSALS = {
    400: "`bad_request`, `invalid_value`, `unsupported_value` or `model_not_found`.",
    401: _NO_KEY,
    405: _METHOD,
    415: "`bad_content_type`: the body must come as application/json.",
}

OPERATIONS = (
    Operation(
        "post",
        transcriptions.PATH,
        "transcribe",
        "Transcribe a whole recording, for OpenAI's clients.",
        {
            200: Answer(
                "The transcript: `json`, `verbose_json` or `diarized_json`; as text `text`, `srt` or `vtt`; "
                "or events.",
                (Transcription, VerboseTranscription, DiarizedTranscription),
                choice=True,
                others={"text/plain": {"schema": _TEXT}, "text/event-stream": _EVENTS},
            )
        }
        | _refused(
            {
                400: "`invalid_value`, `unsupported_value`, `bad_request` or `bad_audio`.",
                401: _NO_KEY,
                404: "`model_not_found`: no model is served under this name.",
                405: _METHOD,
                408: "`upload_too_slow`: the recording did not arrive in time.",
                413: "`too_large`: the body is larger than VERIFY_MAX_BYTES.",
                429: "`rate_limit_exceeded`: the caller has as many uploads in work as it may.",
                500: "`internal` or `asr_failed`: a fault of the service.",
                503: "`no_capacity`, `queue_full`, `unavailable`, `bus_unavailable`: try again later.",
            }
        ),
        body={
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file", "model"], "properties": FORM}
            }
        },
        keyed=True,
        prefix=_PREFIX,
        parts=_STREAMED,
    ),
    Operation(
        "get",
        "/v1/models",
        "models",
        "Every name that `model` may have.",
        {200: Answer("The names.", (ModelList,))} | _refused({401: _NO_KEY, 405: _METHOD}),
        keyed=True,
        prefix=_PREFIX,
    ),
    Operation(
        "get",
        "/v1/models/{model}",
        "model",
        "Whether `model` may have this name.",
        {200: Answer("It may.", (Model,))}
        | _refused({401: _NO_KEY, 404: "`model_not_found`: it may not.", 405: _METHOD}),
        (Parameter("model", {"type": "string", "minLength": 1}, "The name.", True),),
        keyed=True,
        prefix=_PREFIX,
    ),
    Operation(
        "post",
        secrets.PATH,
        "clientSecret",
        "A short-lived secret with which a browser or an app opens `/v1/realtime`.",
        {200: Answer("The secret.", (secrets.ClientSecret,))} | _refused(_SECRET_REFUSALS),
        body={JSON: {"schema": _SECRET}},
        keyed=True,
        prefix=_REALTIME,
        parts=(secrets.Expiry, Session),
    ),
    Operation(
        "post",
        secrets.BETA_PATH,
        "transcriptionSession",
        "The same in the beta shape: a session, with the secret that opens it.",
        {200: Answer("The session.", (secrets.TranscriptionSession,))} | _refused(_SECRET_REFUSALS),
        body={JSON: {"schema": _BETA_SECRET}},
        keyed=True,
        prefix=_REALTIME,
        parts=(secrets.BetaExpiry, BetaSession),
    ),
)
