"""The HTTP operations of a gateway, as the OpenAPI document lists them. A new one is one more entry."""

from __future__ import annotations

from gateway.description.dialect import Parameter
from gateway.description.operation import ANY, HTML, Answer, Operation
from gateway.description.schemas import Json
from gateway.dialects.deepgram.operations import OPERATIONS as DEEPGRAM
from gateway.dialects.openai.operations import OPERATIONS as OPENAI
from gateway.dialects.recite.description import PASSAGE
from gateway.dialects.transcriptions.jobs import EnhancementJob
from gateway.http.health import Health, Readiness
from gateway.http.metrics import StreamingHealth
from gateway.http.page import PageInfo
from gateway.http.usage import UsageReply
from gateway.http.verify import FIELD, UploadWarnings
from gateway.http.verses import PrintedVerses, Verse
from shared.enhancement.records import JOB_ID_PATTERN
from shared.ids import SESSION_ID_PATTERN
from shared.recitation.report.report import VerifyReport

_VERSE = Parameter("ayah", {"type": "integer", "minimum": 1, "maximum": 286}, "Number of the verse.", True)
_SURA = Parameter("surah", {"type": "integer", "minimum": 1, "maximum": 114}, "Number of the sura.", True)
_FILE = Parameter("file", {"type": "string"}, "Name of the file.", True)
_DAY: Json = {"type": "string", "format": "date"}

_BAD = Answer("`bad_request`: a parameter is missing, no number, or out of bounds.")
_NO_KEY = Answer("`unauthorised`: no API key, or an unknown one.")
_NO_VERSE = Answer("`unknown_verse`: no such sura or verse.")
_BUS_AWAY = Answer("`bus_unavailable`: Redis cannot be used now.")
_NO_JOB = Answer("`unknown_job`: there is none, or it belongs to somebody else.")
_STORE_AWAY = Answer("`store_unavailable` or `bus_unavailable`: try again later.")
_JOB_ID = Parameter(
    "job_id", {"type": "string", "pattern": f"^{JOB_ID_PATTERN}$"}, "From `session.end`.", True
)
_NO_FILE = Answer("There is no such file.", (), ANY)
_DOCUMENT = Answer("The document.", ())
_UPLOAD: Json = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": [FIELD],
            "properties": {
                FIELD: {
                    "type": "string",
                    "format": "binary",
                    "description": "A recording: WAV, MP3, M4A, WebM, Ogg, FLAC or AAC.",
                }
            },
        }
    }
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/verify",
        "verify",
        "Judge a whole recording.",
        {
            200: Answer("The report.", (VerifyReport, UploadWarnings)),
            400: Answer("`bad_request`, `passage_too_long` or `bad_audio`."),
            401: _NO_KEY,
            404: _NO_VERSE,
            408: Answer("`upload_too_slow`: the recording did not arrive in time."),
            413: Answer("`too_large`: the body is larger than VERIFY_MAX_BYTES."),
            429: Answer("`too_many_uploads`: the caller has as many uploads in work as it may."),
            500: Answer(
                "`internal` or `asr_failed`: a fault of the service, or the recording cannot be decoded."
            ),
            503: Answer("`no_capacity`, `queue_full`, `unavailable`, `bus_unavailable`: try again later."),
        },
        PASSAGE,
        _UPLOAD,
        keyed=True,
    ),
    Operation(
        "get",
        "/verses/{surah}",
        "verses",
        "Verses of one sura as printed.",
        {
            200: Answer("The verses, exactly as their source gives them.", (PrintedVerses,)),
            304: Answer("They are as they were: `If-None-Match` names them.", ()),
            400: _BAD,
            404: _NO_VERSE,
        },
        (
            _SURA,
            Parameter("from", {"type": "integer", "minimum": 1, "maximum": 286}, "First verse."),
            Parameter("to", {"type": "integer", "minimum": 1, "maximum": 286}, "Last verse."),
        ),
    ),
    Operation(
        "get",
        "/verses/{surah}/{ayah}",
        "verse",
        "One verse with its sounds.",
        {
            200: Answer("The verse, exactly as its source gives it.", (Verse,)),
            400: _BAD,
            404: _NO_VERSE,
        },
        (_SURA, _VERSE),
    ),
    Operation(
        "delete",
        "/v1/sessions/{session_id}",
        "deleteSession",
        "Forget a session now: its audio, its results, its state, its report.",
        {
            204: Answer("It is forgotten.", ()),
            401: _NO_KEY,
            404: Answer("`unknown_session`: there is none, or it belongs to somebody else."),
            503: _BUS_AWAY,
        },
        (Parameter("session_id", {"type": "string", "pattern": SESSION_ID_PATTERN}, "Its id.", True),),
        keyed=True,
    ),
    Operation(
        "get",
        "/v1/audio/transcriptions/{job_id}",
        "enhancementJob",
        "How the second transcript of a session with `enhance_on_end=true` is.",
        {
            200: Answer("The job; with its transcript when it is done.", (EnhancementJob,)),
            401: _NO_KEY,
            404: _NO_JOB,
            503: _STORE_AWAY,
        },
        (_JOB_ID,),
        keyed=True,
    ),
    Operation(
        "delete",
        "/v1/audio/transcriptions/{job_id}",
        "deleteEnhancementJob",
        "Delete the kept audio of such a job, and its transcript, now.",
        {204: Answer("They are deleted.", ()), 401: _NO_KEY, 404: _NO_JOB, 503: _STORE_AWAY},
        (_JOB_ID,),
        keyed=True,
    ),
    Operation(
        "get",
        "/v1/usage",
        "usage",
        "What the caller's tenant has used, by day and pool.",
        {200: Answer("The usage.", (UsageReply,)), 400: _BAD, 401: _NO_KEY, 503: _BUS_AWAY},
        (
            Parameter("from", _DAY, "First day (UTC); the first of that month if it is absent."),
            Parameter("to", _DAY, "Last day (UTC), included; today if it is absent."),
        ),
        keyed=True,
    ),
    Operation("get", "/health", "health", "Whether the process lives.", {200: Answer("It does.", (Health,))}),
    Operation(
        "get",
        "/ready",
        "ready",
        "Whether this gateway can carry sessions.",
        {200: Answer("It can.", (Readiness,)), 503: Answer("It cannot.", (Readiness,))},
    ),
    Operation(
        "get",
        "/metrics",
        "metrics",
        "Metrics for Prometheus.",
        {200: Answer("The exposition.", (), ANY), 401: _NO_KEY},
        keyed=True,
    ),
    Operation(
        "get",
        "/metrics/streaming",
        "streamingHealth",
        "The health of streaming as JSON.",
        {200: Answer("The figures.", (StreamingHealth,)), 401: _NO_KEY},
        keyed=True,
    ),
    Operation("get", "/openapi.json", "openapi", "This document.", {200: _DOCUMENT}),
    Operation(
        "get", "/asyncapi.json", "asyncapi", "The AsyncAPI document of the dialects.", {200: _DOCUMENT}
    ),
    Operation(
        "get",
        "/page.json",
        "pageInfo",
        "What the page knows of this service.",
        {200: Answer("It.", (PageInfo,))},
    ),
    Operation("get", "/", "page", "The page that recites.", {200: Answer("The page.", (), HTML)}),
    Operation(
        "get",
        "/fonts/{file}",
        "font",
        "A font of the page.",
        {200: Answer("It.", (), ANY), 404: _NO_FILE},
        (_FILE,),
    ),
    Operation(
        "get",
        "/samples/{file}",
        "sample",
        "A recorded sample, where the service has any (DEMO_SAMPLES).",
        {200: Answer("It.", (), ANY), 404: _NO_FILE},
        (_FILE,),
    ),
    Operation(
        "get",
        "/reference/{file}",
        "reference",
        "A verse to listen to, where the service has any (REFERENCE_RECITATION).",
        {200: Answer("It.", (), ANY), 404: _NO_FILE},
        (_FILE,),
    ),
    *OPENAI,
    *DEEPGRAM,
)
