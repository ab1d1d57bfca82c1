"""`POST /v1/audio/transcriptions`: a recording to text, at once or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.dialects.openai.answers import Usage, answer
from gateway.dialects.openai.errors import ErrorBody, answering_errors, problem_of, wrong_method
from gateway.dialects.openai.models import names_of, wish
from gateway.dialects.openai.transcription_form import TranscriptionForm, read_form
from gateway.http.uploads import Uploads, aborted
from gateway.transport.sse import EventStream
from shared.errors import RattilError
from shared.ids import PoolName
from shared.service.logging import get_logger
from shared.transcription.recording import Stretch, whole_text

PATH = "/v1/audio/transcriptions"
_log = get_logger(__name__)


class TextDelta(msgspec.Struct, frozen=True, tag="transcript.text.delta"):
    """More text; all deltas together are the text."""

    delta: str


class TextDone(msgspec.Struct, frozen=True, tag="transcript.text.done"):
    """The whole text; the last event."""

    text: str
    usage: Usage


def routes(ports: GatewayPorts, uploads: Uploads) -> list[Route]:
    """The routes of this page."""
    endpoint = answering_errors(TranscriptionsEndpoint(ports, uploads))
    return [
        Route(PATH, endpoint, methods=["POST"]),
        Route(PATH, wrong_method, methods=["GET", "PUT", "PATCH", "DELETE"]),
    ]


class TranscriptionsEndpoint:
    """Counts what becomes of the requests."""

    def __init__(self, ports: GatewayPorts, uploads: Uploads) -> None:
        self._ports = ports
        self._uploads = uploads
        self._outcomes = ports.metrics.transcriptions

    async def __call__(self, request: Request) -> Response:
        try:
            tenant = self._ports.auth.tenant(request.headers, request.query_params)
            with ExitStack() as stack:
                stack.enter_context(self._uploads.place(request, tenant))
                response = await self._transcribe(request, tenant, stack)
        except RattilError as error:
            self._count(error.code)
            raise
        except ClientDisconnect:
            self._count("aborted")
            return aborted(request)
        return response

    async def _transcribe(self, request: Request, tenant: str, stack: ExitStack) -> Response:
        upload = await self._uploads.read(request, "file")
        models = self._ports.models
        form = read_form(upload, names_of(models), tells_apart=bool(self._ports.settings.speaker_model))
        pool = PoolName(wish(form.model, models)) or models.default
        pcm16 = (await self._ports.decoder.decode(upload.file)).pcm16
        if form.stream:
            return self._stream(form, pcm16, pool, tenant, stack.pop_all())
        heard = await self._ports.transcriber.transcribe(pcm16, form.task, pool)
        self._note_usage(tenant, pool, pcm16, whole_text(heard))
        self._count("ok")
        return answer(form, heard, len(pcm16) // 2)

    def _stream(
        self, form: TranscriptionForm, pcm16: bytes, pool: PoolName, tenant: str, place: ExitStack
    ) -> Response:
        """The place of the upload is held until the stream has ended, however it ends."""
        settings = self._ports.settings

        def closed(outcome: str) -> None:
            place.close()
            if outcome != "ok":  # else it was counted with what was told last
                self._count(outcome)

        return EventStream(
            self._events(form, pcm16, pool, tenant),
            keepalive_s=settings.sse_keepalive_s,
            send_timeout_s=settings.send_timeout_s,
            closed=closed,
        )

    async def _events(
        self, form: TranscriptionForm, pcm16: bytes, pool: PoolName, tenant: str
    ) -> AsyncGenerator[str, None]:
        heard: list[Stretch] = []
        try:
            following = self._ports.transcriber.follow(pcm16, form.task, pool)
            async with aclosing(following):
                async for stretch in following:
                    if stretch.text:
                        yield _json(TextDelta(f" {stretch.text}" if heard else stretch.text))
                        heard.append(stretch)
        except RattilError as error:
            _log.warning("stream_failed", path=PATH, code=error.code, reason=error.message)
            self._count(error.code)
            yield _json(ErrorBody(problem_of(error)))
            return
        text = whole_text(heard)
        self._note_usage(tenant, pool, pcm16, text)
        self._count("ok")
        yield _json(TextDone(text, Usage.of(len(pcm16) // 2)))

    def _note_usage(self, tenant: str, pool: PoolName, pcm16: bytes, text: str) -> None:
        words = len(text.split())
        self._ports.usage.count(tenant, pool, samples=len(pcm16) // 2, sessions=1, words=words)

    def _count(self, code: str) -> None:
        self._outcomes.labels(code).inc()


def _json(event: TextDelta | TextDone | ErrorBody) -> str:
    return msgspec.json.encode(event).decode()
