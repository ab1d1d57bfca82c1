"""`POST /v1/listen`: a recording to text. The body is the file, as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.dialects.deepgram.messages import ModelInfo, Word, timestamp
from gateway.dialects.deepgram.parameters import RecordingOptions, read_recording_options
from gateway.dialects.deepgram.refusals import denial
from gateway.dialects.deepgram.words import confidence_of, words_of
from gateway.http.answers import json_response, log_failure
from gateway.http.uploads import Uploads, aborted
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest, RattilError
from shared.ids import PoolName, new_connection_id
from shared.transcription.recording import Stretch, spoken_language, whole_text
from shared.transcription.subtitles import cues

PATH = "/v1/listen"


class Alternative(msgspec.Struct, frozen=True):
    transcript: str
    confidence: float
    words: tuple[Word, ...]


class Channel(msgspec.Struct, frozen=True):
    """`detected_language`: where `detect_language` asked for it."""

    alternatives: tuple[Alternative, ...]
    detected_language: str | UnsetType = UNSET


class Utterance(msgspec.Struct, frozen=True):
    """A sentence, or as much of one as fits on a screen; times in seconds. `channel`: where it was said, from
    0. `speaker`: as in `Word`."""

    start: float
    end: float
    confidence: float
    channel: int
    transcript: str
    words: tuple[Word, ...]
    id: str
    speaker: int | UnsetType = UNSET


class Results(msgspec.Struct, frozen=True):
    channels: tuple[Channel, ...]
    utterances: tuple[Utterance, ...] | UnsetType = UNSET


class Metadata(msgspec.Struct, frozen=True):
    """`sha256`: of the file as it was sent. `duration`: in seconds. `channels`: how many have results."""

    transaction_key: str
    request_id: str
    sha256: str
    created: str
    duration: float
    channels: int
    models: tuple[str, ...]
    model_info: Mapping[str, ModelInfo]


class Answer(msgspec.Struct, frozen=True):
    metadata: Metadata
    results: Results


def routes(ports: GatewayPorts, uploads: Uploads) -> list[Route]:
    """The one route of recordings."""
    return [Route(PATH, RecordingEndpoint(ports, uploads).answer, methods=["POST"])]


class RecordingEndpoint:
    """Counts what becomes of the requests."""

    def __init__(self, ports: GatewayPorts, uploads: Uploads) -> None:
        self._ports = ports
        self._uploads = uploads
        self._outcomes = ports.metrics.recordings

    async def answer(self, request: Request) -> Response:
        try:
            tenant = self._ports.auth.tenant(request.headers, request.query_params)
            with self._uploads.place(request, tenant):
                response = await self._transcribe(request, tenant)
        except RattilError as error:
            self._outcomes.labels(error.code).inc()
            log_failure(request, error)
            return denial(error)
        except ClientDisconnect:
            self._outcomes.labels("aborted").inc()
            return aborted(request)
        self._outcomes.labels("ok").inc()
        return response

    async def _transcribe(self, request: Request, tenant: str) -> Response:
        ports, asked = self._ports, request.query_params
        terms = [*asked.getlist("keyterm"), *asked.getlist("keywords")]
        options = read_recording_options(dict(asked), terms, ports.settings)
        if request.headers.get("content-type", "").startswith("application/json"):
            raise BadRequest("recordings are not fetched from a url; send the file itself as the body")
        file = await self._uploads.read_whole(request)
        created = timestamp(ports.clock.wall_ms())
        channels = (await ports.decoder.decode(file, apart=options.apart)).channels
        pool = PoolName(options.pool) or ports.models.default
        # One after the other, so that they take no more than a recording as long as all of them.
        heard = [await ports.transcriber.transcribe(pcm16, options.task, pool) for pcm16 in channels]
        samples, words = len(channels[0]) // 2, sum(len(whole_text(one).split()) for one in heard)
        ports.usage.count(tenant, pool, samples=samples * len(channels), sessions=1, words=words)
        request_id, model = str(new_connection_id()), options.pool or "default"
        metadata = Metadata(
            transaction_key="deprecated",
            request_id=request_id,
            sha256=hashlib.sha256(file).hexdigest(),
            created=created,
            duration=round(samples / SAMPLE_RATE, 3),
            channels=len(channels),
            models=(model,),
            model_info={model: ModelInfo(model, "1", "whisper")},
        )
        response = json_response(Answer(metadata, results_of(options, heard)))
        response.headers["dg-request-id"] = request_id
        return response


def results_of(options: RecordingOptions, heard: Sequence[Sequence[Stretch]]) -> Results:
    """What was heard in each channel, in Deepgram's shape."""
    return Results(
        tuple(_channel(one, options.finds_language) for one in heard),
        _utterances(heard) if options.utterances else UNSET,
    )


def _channel(heard: Sequence[Stretch], finds_language: bool) -> Channel:
    words = tuple(
        word
        for stretch in heard
        for word in words_of(stretch.words, stretch.start_ms / 1000, stretch.end_ms / 1000, stretch.speaker)
    )
    said = Alternative(whole_text(heard), confidence_of(words), words)
    language = spoken_language(heard) if finds_language else UNSET
    return Channel((said,), language or UNSET)


def _utterances(heard: Sequence[Sequence[Stretch]]) -> tuple[Utterance, ...]:
    """Of all channels, in the order in which they begin."""
    made = []
    for channel, stretches in enumerate(heard):
        for cue in cues(stretches):
            start, end = cue.start_ms / 1000, cue.end_ms / 1000
            words = words_of(cue.words, start, end, cue.speaker)
            speaker = UNSET if cue.speaker is None else cue.speaker
            sure, name = confidence_of(words), str(new_connection_id())
            made.append(Utterance(start, end, sure, channel, cue.text, words, name, speaker))
    return tuple(sorted(made, key=lambda one: one.start))
