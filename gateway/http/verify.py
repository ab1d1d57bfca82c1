"""`POST /verify`: grade a whole uploaded recording. Thin: read, decode, hand to the batch side."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.http.answers import answering_errors, json_response, whole_number
from gateway.http.uploads import Uploads, aborted
from gateway.interpreters.recitation.passage_length_check import check_length
from shared.errors import RattilError
from shared.recitation.reference.passage import VerseRange, load_passage

FIELD = "audio"
FALLBACK = "Send the recording as multipart field 'audio': POST /verify?surah=1&ayah=1&to=7"
DAMAGED = (
    "A part of the file is damaged and was left out; the report is about what could be decoded. "
    "Record again if words are missing that you recited."
)


def routes(ports: GatewayPorts, uploads: Uploads) -> list[Route]:
    """The routes of this page."""
    endpoint = answering_errors(VerifyEndpoint(ports, uploads), FALLBACK)
    # The demo page's mount takes every path, so that a wrong method would look like a missing file.
    return [
        Route("/verify", endpoint, methods=["POST"]),
        Route("/verify", _only_post, methods=["GET", "PUT", "PATCH", "DELETE"]),
    ]


async def _only_post(_request: Request) -> Response:
    error = {"code": "method_not_allowed", "message": "only POST is understood here", "fallback": FALLBACK}
    return JSONResponse({"error": error}, status_code=405, headers={"Allow": "POST"})


class UploadWarnings(msgspec.Struct, frozen=True):
    """What an answer has beside the report: sentences about the upload."""

    warnings: list[str]


class VerifyEndpoint:
    """Counts what becomes of the requests."""

    def __init__(self, ports: GatewayPorts, uploads: Uploads) -> None:
        self._ports = ports
        self._uploads = uploads
        self._outcomes = ports.metrics.verifications

    async def __call__(self, request: Request) -> Response:
        try:
            tenant = self._ports.auth.tenant(request.headers, request.query_params)
            with self._uploads.place(request, tenant):
                response = await self._verify(request, tenant)
        except RattilError as error:
            self._outcomes.labels(error.code).inc()
            raise
        except ClientDisconnect:
            self._outcomes.labels("aborted").inc()
            return aborted(request)
        self._outcomes.labels("ok").inc()
        return response

    async def _verify(self, request: Request, tenant: str) -> Response:
        verses = verse_range(request)
        models, asked = self._ports.models, request.query_params.get("model", "")
        pool = models.choose(asked)
        # A model that is asked for judges; without one the recording is judged as the end of a session is.
        judges = (pool,) if asked else models.judges(pool)
        check_length(verses, self._ports.settings.max_passage_words)
        await asyncio.to_thread(load_passage, verses)  # refused before the upload is read
        form = await self._uploads.read(request, FIELD)
        decoded = await self._ports.decoder.decode(form.file)
        report = await self._ports.batch.verify_upload(decoded.pcm16, str(verses), pools=judges)
        judged = sum(word.status != "pending" for word in report.word_analysis)
        samples = len(decoded.pcm16) // 2
        self._ports.usage.count(tenant, judges[0], samples=samples, sessions=1, words=judged)
        warnings = [DAMAGED] if decoded.damaged else []
        return json_response(msgspec.to_builtins(report) | msgspec.to_builtins(UploadWarnings(warnings)))


def verse_range(request: Request) -> VerseRange:
    """The verses of `?surah=&ayah=[&to=]`. Raises `BadRequest` or `UnknownVerse`."""
    query = request.query_params
    surah, ayah = whole_number(query.get("surah"), "surah"), whole_number(query.get("ayah"), "ayah")
    return VerseRange.of(surah, ayah, whole_number(query["to"], "to") if "to" in query else None)
