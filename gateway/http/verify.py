"""`POST /verify`: grade a whole uploaded recording. Thin: read, decode, hand to the batch side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from gateway.dependencies import GatewayPorts
from gateway.http.answers import TooLarge, answering_errors, json_response, whole_number
from gateway.interpreters.recitation.passage_limit import check_length
from shared.audio.decode import decode_audio
from shared.errors import BadAudio, BadRequest, NoCapacity, RattilError
from shared.recitation.reference.passage import VerseRange, load_passage

FIELD = "audio"
FALLBACK = "Send the recording as multipart field 'audio': POST /verify?surah=1&ayah=1&to=7"
_BUSY_RETRY_S = 5.0


def routes(ports: GatewayPorts) -> list[Route]:
    """The routes of this page."""
    endpoint = answering_errors(VerifyEndpoint(ports), FALLBACK)
    # The demo page's mount takes every path, so that a wrong method would look like a missing file.
    return [
        Route("/verify", endpoint, methods=["POST"]),
        Route("/verify", _only_post, methods=["GET", "PUT", "PATCH", "DELETE"]),
    ]


async def _only_post(_request: Request) -> Response:
    error = {"code": "method_not_allowed", "message": "only POST is understood here", "fallback": FALLBACK}
    return JSONResponse({"error": error}, status_code=405, headers={"Allow": "POST"})


class VerifyEndpoint:
    """Holds the bound on uploads in work: each costs its recording in memory until it is answered."""

    def __init__(self, ports: GatewayPorts) -> None:
        self._ports = ports
        self._in_work = 0
        self._outcomes = Counter(
            "rattil_gateway_verify_total",
            "POST /verify requests, by outcome code.",
            ["code"],
            registry=ports.metrics.registry,
        )

    async def __call__(self, request: Request) -> Response:
        try:
            with self._place():
                response = await self._verify(request)
        except RattilError as error:
            self._outcomes.labels(error.code).inc()
            raise
        self._outcomes.labels("ok").inc()
        return response

    async def _verify(self, request: Request) -> Response:
        settings = self._ports.settings
        self._ports.auth.tenant(request.headers, request.query_params)
        verses = verse_range(request)
        check_length(verses, settings.max_passage_words)
        await asyncio.to_thread(load_passage, verses)  # refused before the upload is read
        recording = await read_upload(request, settings.verify_max_bytes)
        pcm16 = await asyncio.to_thread(
            decode_audio,
            recording,
            max_seconds=settings.verify_max_s,
            max_bytes=settings.verify_max_bytes,
        )
        return json_response(await self._ports.batch.verify_upload(pcm16, str(verses)))

    @contextmanager
    def _place(self) -> Iterator[None]:
        limit = self._ports.settings.verify_max_concurrent
        if self._in_work >= limit:
            raise NoCapacity(f"{limit} recordings are being verified already; try again soon", _BUSY_RETRY_S)
        self._in_work += 1
        try:
            yield
        finally:
            self._in_work -= 1


def verse_range(request: Request) -> VerseRange:
    """The verses of `?surah=&ayah=[&to=]`. Raises `BadRequest` or `UnknownVerse`."""
    query = request.query_params
    surah, ayah = whole_number(query.get("surah"), "surah"), whole_number(query.get("ayah"), "ayah")
    return VerseRange.of(surah, ayah, whole_number(query["to"], "to") if "to" in query else None)


async def read_upload(request: Request, max_bytes: int) -> bytes:
    """The bytes of the multipart field `audio`. Raises `BadRequest`, `BadAudio` or `TooLarge`."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest("the body must be multipart/form-data with a file field named 'audio'")
    bounded = Request(request.scope, _Bounded(request, max_bytes))
    try:
        async with bounded.form(max_files=1, max_fields=8) as form:
            upload = form.get(FIELD)
            if not isinstance(upload, UploadFile):
                raise BadAudio("there is no file in the multipart field 'audio'; attach the recording there")
            return await upload.read()
    except (MultiPartException, HTTPException) as error:
        detail = error.detail if isinstance(error, HTTPException) else error.message
        raise BadRequest(f"the multipart body cannot be read: {detail}") from error


class _Bounded:
    """ASGI receive that counts: `Content-Length` may be absent or a lie."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._receive = request.receive
        self._max_bytes = max_bytes
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._max_bytes:
            raise _too_large(self._max_bytes)
        return message


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {max_bytes} bytes; compress the recording or send it in parts")
