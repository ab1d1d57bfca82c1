"""`/v1/audio/transcriptions/{job_id}`: how the job of a session with `enhance_on_end` is; and forget it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.description.codes import ErrorCode
from gateway.dialects.transcriptions.messages import TranscriptWord, transcript_word
from gateway.enhancement.enhancements import Enhancements, JobState, Status
from gateway.http.answers import answering_errors, json_response
from shared.audio.formats import SAMPLE_RATE
from shared.errors import UnknownJob
from shared.recitation.report.report import VerifyReport
from shared.transcription.recording import spoken_language, whole_text

PATH = "/v1/audio/transcriptions/{job_id}"


class EnhancedSegment(msgspec.Struct, frozen=True):
    """A stretch with speech; times in seconds of the session's audio. `speaker`: who speaks, counted from 0
    in the order in which they are first heard; null without `diarize=true`, and where the worker has no
    SPEAKER_MODEL."""

    start: float
    end: float
    text: str
    words: tuple[TranscriptWord, ...]
    speaker: int | None = None


class EnhancedTranscript(msgspec.Struct, frozen=True):
    """The whole session, transcribed once more by `model`."""

    text: str
    language: str
    model: str
    segments: tuple[EnhancedSegment, ...]


class JobFailure(msgspec.Struct, frozen=True):
    """Why there is no transcript."""

    code: ErrorCode
    message: str


class EnhancementJob(msgspec.Struct, frozen=True):
    """`transcript` when it is done, and of a recitation `report`, as `POST /verify` answers; `error` when it
    failed. `duration`: of the audio, seconds."""

    job_id: str
    status: Status
    created_ms: int
    duration: float
    transcript: EnhancedTranscript | None = None
    error: JobFailure | None = None
    report: VerifyReport | None = None


def routes(ports: GatewayPorts) -> list[Route]:
    """Both take the id from `session.end`, and the key of the same tenant where keys are needed."""

    async def poll(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        return json_response(_reply(await _jobs(ports).state(request.path_params["job_id"], tenant)))

    async def forget(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        await _jobs(ports).forget(request.path_params["job_id"], tenant)
        return Response(status_code=204)

    return [
        Route(PATH, answering_errors(poll), methods=["GET"]),
        Route(PATH, answering_errors(forget), methods=["DELETE"]),
    ]


def _jobs(ports: GatewayPorts) -> Enhancements:
    if ports.enhancements is None:
        raise UnknownJob("this service keeps no recordings (RECORDINGS_URL is not set)")
    return ports.enhancements


def _reply(state: JobState) -> EnhancementJob:
    order, outcome = state.order, state.outcome
    transcript = error = None
    if outcome is not None and outcome.code:
        error = JobFailure(outcome.code, outcome.message)
    elif outcome is not None:
        segments = tuple(
            EnhancedSegment(
                one.start_ms / 1000,
                one.end_ms / 1000,
                one.text,
                tuple(map(transcript_word, one.words)),
                one.speaker,
            )
            for one in outcome.stretches
            if one.text
        )
        language = spoken_language(outcome.stretches) or order.options.language
        transcript = EnhancedTranscript(whole_text(outcome.stretches), language, outcome.model, segments)
    duration = round(order.samples / SAMPLE_RATE, 3)
    report = None if outcome is None else outcome.report
    return EnhancementJob(order.job_id, state.status, order.created_ms, duration, transcript, error, report)
