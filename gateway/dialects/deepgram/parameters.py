"""What `/v1/listen` is asked for: each of Deepgram's parameters is served, without effect, or refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gateway.dialects.channels import check_separable
from gateway.dialects.diarize import read_diarize
from gateway.dialects.query import Query, flag, number
from gateway.session.options import SessionOptions
from gateway.settings import GatewaySettings
from shared.audio.formats import MAX_CHANNELS, AudioFormat
from shared.errors import BadRequest
from shared.protocol.segments import TaskOptions

SERVED = frozenset(
    {
        *("encoding", "sample_rate", "channels", "model", "language", "interim_results", "endpointing"),
        *("utterance_end_ms", "vad_events", "keyterm", "keywords", "multichannel"),
    }
)
SERVED_FOR_RECORDINGS = frozenset(
    {
        *("model", "language", "detect_language", "utterances", "keyterm", "keywords", "multichannel"),
        *("channels", "diarize"),
    }
)
WITHOUT_EFFECT = frozenset(
    {
        *("punctuate", "smart_format", "filler_words", "no_delay", "mip_opt_out", "tag", "version", "tier"),
        *("language_hint", "token"),
    }
)
"""Taken, and nothing depends on them: a transcript always has the punctuation that the model writes, and
nothing is kept of anybody's audio. `token` is a key."""

MAX_TERMS = 500
"""Characters of all key terms together: about half of what Whisper can be told before its text."""
LEAST_ENDPOINT_MS, MOST_ENDPOINT_MS = 200, 5000
"""A shorter pause than that is no pause in speech: less counts as the least."""

ENCODINGS = {
    "linear16": "pcm_s16le",
    "linear32": "pcm_f32le",
    "mulaw": "mulaw",
    "alaw": "alaw",
    "ogg-opus": "ogg_opus",
}
_MODELS = re.compile(r"(nova|enhanced|base|whisper)([-_.a-z0-9]*)", re.IGNORECASE)
"""Deepgram's own models: whoever asks for one of them gets this service's."""
_LANGUAGE = re.compile(r"([a-z]{2,3})(-[a-z0-9]{2,8})*", re.IGNORECASE)
_OFF = frozenset({"", "false", "0", "no", "off"})


class ListenOptions(NamedTuple):
    """`session`: what the session core is told. `speech_final`: whether pauses are told. `utterance_end_ms`:
    None if no `UtteranceEnd` is wanted. `apart`: whether each channel has results of its own."""

    session: SessionOptions
    speech_final: bool = True
    utterance_end_ms: int | None = None
    vad_events: bool = False
    apart: bool = False


class RecordingOptions(NamedTuple):
    """`task`: what the engine is told. `pool`: empty for the default one. `utterances`: whether sentences are
    told one by one, too. `apart`: whether each channel has results of its own."""

    task: TaskOptions
    pool: str = ""
    utterances: bool = False
    finds_language: bool = False
    apart: bool = False


def read_options(query: Query, terms: Sequence[str], settings: GatewaySettings) -> ListenOptions:
    """`terms`: every `keyterm` and `keywords`. Raises `BadRequest` with a sentence for the client."""
    read_diarize(query, settings, whole=False)
    _refuse_others(query)
    audio = _audio(query)
    apart = flag(query, "multichannel", False)
    if apart:
        check_separable(audio)
    ending = query.get("endpointing", "").lower()
    endpoint_ms = None if ending in _OFF or ending == "true" else number(query, "endpointing", most=60_000)
    if endpoint_ms is not None and endpoint_ms > MOST_ENDPOINT_MS:
        raise BadRequest(f"endpointing must be false or at most {MOST_ENDPOINT_MS} ms, not {endpoint_ms}")
    session = SessionOptions(
        language=_language(query),
        model=_model(query, settings),
        word_timestamps=True,
        prompt=_prompt(terms),
        interim_results=flag(query, "interim_results", False),
        detect_speech=True,
        endpoint_ms=settings.vad_endpoint_ms if endpoint_ms is None else max(endpoint_ms, LEAST_ENDPOINT_MS),
        encoding=audio.encoding,
        sample_rate=audio.rate,
        channels=audio.channels,
    )
    return ListenOptions(
        session,
        speech_final=ending == "" or ending not in _OFF,
        utterance_end_ms=number(query, "utterance_end_ms", least=1000, most=5000),
        vad_events=flag(query, "vad_events", False),
        apart=apart,
    )


def read_recording_options(query: Query, terms: Sequence[str], settings: GatewaySettings) -> RecordingOptions:
    """What `POST /v1/listen` asks for. Raises `BadRequest` with a sentence for the client."""
    speakers = read_diarize(query, settings, whole=True)
    _refuse_others(query, SERVED_FOR_RECORDINGS)
    finds_language = flag(query, "detect_language", False)
    return RecordingOptions(
        TaskOptions("" if finds_language else _language(query), True, _prompt(terms) or None, speakers),
        pool=_model(query, settings),
        utterances=flag(query, "utterances", False),
        finds_language=finds_language,
        apart=flag(query, "multichannel", False),
    )


def _refuse_others(query: Query, served: frozenset[str] = SERVED) -> None:
    for name, value in query.items():
        if name not in served | WITHOUT_EFFECT and value.lower() not in _OFF:
            raise BadRequest(f"{name[:40]} is not supported by this service; leave it out")


def _audio(query: Query) -> AudioFormat:
    encoding = query.get("encoding", "")
    rate = number(query, "sample_rate")
    channels = number(query, "channels", least=1, most=MAX_CHANNELS) or 1
    if not encoding:
        if rate is not None:
            raise BadRequest(
                "sample_rate needs an encoding; leave both out for a container (WebM or Ogg with Opus, WAV)"
            )
        return AudioFormat.parse("container")
    if encoding not in ENCODINGS:
        raise BadRequest(
            f"encoding must be one of {', '.join(ENCODINGS)}, or be left out for a container, "
            f"not {encoding[:20]!r}"
        )
    if encoding == "ogg-opus":
        return AudioFormat.parse(ENCODINGS[encoding])
    if rate is None:
        raise BadRequest(f"encoding={encoding} needs a sample_rate, as in sample_rate=16000")
    return AudioFormat.parse(ENCODINGS[encoding], rate, channels)


def _language(query: Query) -> str:
    asked = query.get("language", "") or "en"
    found = _LANGUAGE.fullmatch(asked)
    if found is None or asked == "multi":
        raise BadRequest(f"language must be one language, such as en, en-US or ar, not {asked[:20]!r}")
    return found[1].lower()


def _model(query: Query, settings: GatewaySettings) -> str:
    """The pool that is asked for; empty: the default one."""
    asked = query.get("model", "")
    if asked in settings.pool_choices:
        return asked
    if asked in ("", "default") or _MODELS.fullmatch(asked):
        return ""
    known = ", ".join(("default", *settings.pool_choices))
    raise BadRequest(
        f"model must be one of Deepgram's (all stand for default) or {known}, not {asked[:30]!r}"
    )


def _prompt(terms: Sequence[str]) -> str:
    """`keywords` may end with a weight (`Rattil:2`): there are none here."""
    words = [re.sub(r":-?[0-9.]+$", "", term.strip()) for term in terms]
    prompt = ", ".join(word for word in words if word)
    if len(prompt) > MAX_TERMS:
        raise BadRequest(f"all keyterm and keywords together hold at most {MAX_TERMS} characters")
    return prompt
