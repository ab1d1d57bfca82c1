"""What the address of `/v1/audio/transcriptions/stream` asks for."""

from __future__ import annotations

import re

from gateway.admission.pools import ModelCatalogue
from gateway.admission.quality import Terms
from gateway.connection.connection_rules import ConnectionRules
from gateway.connection.lag_watch import LagLimits
from gateway.connection.session_plan import SessionRequest
from gateway.dependencies import GatewayPorts
from gateway.dialects.channels import check_separable
from gateway.dialects.diarize import read_diarize
from gateway.dialects.enhance_on_end import read_enhance
from gateway.dialects.query import Query, flag, names_session, number, session_id
from gateway.interpreters.transcription.plan import TranscriptionPlan
from gateway.session.options import SessionOptions
from gateway.settings import GatewaySettings
from gateway.settings.transcription import OVERFLOWS, Overflow
from shared.audio.formats import MAX_CHANNELS, AudioFormat
from shared.errors import BadRequest

MAX_VOCABULARY = 500
"""Characters of `vocabulary`: about half of what Whisper can be told before its text."""

LANGUAGE_PATTERN = "[a-z]{2,3}"
LEAST_ENDPOINT_MS, MOST_ENDPOINT_MS = 200, 5000


def read_request(ports: GatewayPorts, query: Query, tenant: str, protocol: str) -> SessionRequest:
    """What the query asks for. Raises `BadRequest` with a sentence for the client."""
    asked = read_options(query, ports.settings, ports.models)
    # A session that is gone on with keeps what it has.
    overflow = read_overflow(query, ports.settings)
    lowers = overflow == "degrade" and not names_session(query)
    options, lowered = ports.quality.terms(asked) if lowers else Terms(asked)
    offset = number(query, "offset")
    return SessionRequest(
        protocol=protocol,
        plan=TranscriptionPlan(ports, options),
        session_id=session_id(query),
        tenant=tenant,
        last_seq=number(query, "last_seq", least=-1),
        offset=None if offset is None else options.audio_format.samples(offset),
        named=names_session(query),
        options=options,
        lowered=tuple(step.name.lower() for step in lowered),
        rules=ConnectionRules(lag=lag_limits(overflow, ports.settings)),
    )


def read_options(query: Query, settings: GatewaySettings, models: ModelCatalogue) -> SessionOptions:
    """What the query asks for. Raises `BadRequest` with a sentence for the client."""
    audio = AudioFormat.parse(
        query.get("encoding", "") or "pcm_s16le",
        number(query, "sample_rate"),
        number(query, "channels", least=1, most=MAX_CHANNELS) or 1,
    )
    language = query.get("language", "") or "en"
    if not re.fullmatch(LANGUAGE_PATTERN, language):
        raise BadRequest(f"language must be a code such as en or ar, not {language[:20]!r}")
    vocabulary = query.get("vocabulary", "")
    if len(vocabulary) > MAX_VOCABULARY:
        raise BadRequest(f"vocabulary holds at most {MAX_VOCABULARY} characters")
    if read_multichannel(query):
        check_separable(audio)
        if names_session(query):
            raise BadRequest("a session with multichannel=true cannot be resumed; leave session_id out")
    enhance = read_enhance(query, settings)
    endpoint_ms = number(query, "endpoint_ms", least=LEAST_ENDPOINT_MS, most=MOST_ENDPOINT_MS)
    return SessionOptions(
        language=language,
        model=models.wish(query.get("model", ""), transcription=True),
        word_timestamps=flag(query, "word_timestamps", False),
        prompt=vocabulary,
        interim_results=flag(query, "interim_results", True),
        detect_speech=flag(query, "enable_vad", True),
        endpoint_ms=endpoint_ms or settings.vad_endpoint_ms,
        encoding=audio.encoding,
        sample_rate=audio.rate,
        channels=audio.channels,
        enhance_on_end=enhance,
        speakers=read_diarize(query, settings, whole=enhance),
    )


def read_multichannel(query: Query) -> bool:
    """Whether each channel is a session of its own. Raises `BadRequest` for another word."""
    return flag(query, "multichannel", False)


def read_overflow(query: Query, settings: GatewaySettings) -> Overflow:
    """What shall be done when the service is under load. Raises `BadRequest` for another word."""
    asked = query.get("overflow", "") or settings.overflow
    for known in OVERFLOWS:
        if asked == known:
            return known
    raise BadRequest(f"overflow must be {', '.join(OVERFLOWS)}, not {asked[:20]!r}")


def lag_limits(overflow: Overflow, settings: GatewaySettings) -> LagLimits:
    """Everybody is warned; only who asked for `reject` is sent away."""
    longest_s = settings.lag_longest_s if overflow == "reject" else None
    return LagLimits(settings.lag_warn_s, longest_s, settings.lag_for_s)
