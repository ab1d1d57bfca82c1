"""What `/v1/listen` takes and says, for the AsyncAPI document, and the parameters that recordings share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from gateway.description.dialect import AUDIO, BINARY, DialectDescription, Message, Parameter, typed
from gateway.description.schemas import Json
from gateway.dialects.deepgram import messages
from gateway.dialects.deepgram.dialect import PATH
from gateway.dialects.deepgram.parameters import (
    ENCODINGS,
    MAX_TERMS,
    MOST_ENDPOINT_MS,
    SERVED,
    SERVED_FOR_RECORDINGS,
    WITHOUT_EFFECT,
)
from gateway.dialects.deepgram.refusals import CLOSES
from shared.audio.formats import MAX_CHANNELS, MAX_RATE, MIN_RATE

_BOOLEAN: Json = {"type": "boolean", "default": False}
_TERMS: Json = {"type": "array", "items": {"type": "string"}}
_TERMS_TEXT = f"Names and terms that may be said, at most {MAX_TERMS} characters in all."

_PARAMETERS = (
    Parameter(
        "model",
        {"type": "string"},
        "One of Deepgram's names or `default`, which all stand for the default model, or a pool.",
    ),
    Parameter("language", {"type": "string", "default": "en"}, "One spoken language: en, en-US, ar."),
    Parameter("detect_language", _BOOLEAN, "Find out which language is spoken."),
    Parameter("encoding", {"enum": sorted(ENCODINGS)}, "How the audio is written; none for a container."),
    Parameter(
        "sample_rate",
        {"type": "integer", "minimum": MIN_RATE, "maximum": MAX_RATE},
        "Samples a second; needed with an encoding, but for ogg-opus.",
    ),
    Parameter(
        "channels",
        {"type": "integer", "minimum": 1, "maximum": MAX_CHANNELS, "default": 1},
        "Channels of raw samples, which are mixed. A file says its own.",
    ),
    Parameter(
        "multichannel",
        _BOOLEAN,
        "Results of each channel by itself, else they are mixed. Live: PCM and G.711 only.",
    ),
    Parameter("interim_results", _BOOLEAN, "Send `Results` while somebody speaks."),
    Parameter(
        "endpointing",
        {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": MOST_ENDPOINT_MS}]},
        "Silence that ends an utterance, ms; false: pauses are not told.",
    ),
    Parameter(
        "utterance_end_ms",
        {"type": "integer", "minimum": 1000, "maximum": 5000},
        "Send `UtteranceEnd` after so much time without a word.",
    ),
    Parameter("vad_events", _BOOLEAN, "Send `SpeechStarted`."),
    Parameter("diarize", _BOOLEAN, "Tell voices apart: of recordings, and where SPEAKER_MODEL is set."),
    Parameter("utterances", _BOOLEAN, "Tell the sentences one by one, too."),
    Parameter("keyterm", _TERMS, _TERMS_TEXT),
    Parameter("keywords", _TERMS, _TERMS_TEXT + " A weight after a colon is taken away."),
    *(
        Parameter(name, {"type": "string"}, "Taken, and nothing depends on it.")
        for name in sorted(WITHOUT_EFFECT - {"token"})
    ),
)


def _parameters(served: Iterable[str]) -> tuple[Parameter, ...]:
    taken = {*served, *WITHOUT_EFFECT}
    return tuple(parameter for parameter in _PARAMETERS if parameter.name in taken)


RECORDING_PARAMETERS = _parameters(SERVED_FOR_RECORDINGS)
"""Of `POST /v1/listen`."""

DESCRIPTION = DialectDescription(
    name="deepgram",
    title="Live transcription for Deepgram's clients",
    text=(
        "Speech of any kind: binary frames of audio and commands go in, results come out. There is no "
        "resume: docs/clients/deepgram.md says what of Deepgram's API is served."
    ),
    address=PATH,
    parameters=_parameters(SERVED),
    takes=(
        AUDIO,
        Message(
            "end",
            "An empty binary frame: the end, as `CloseStream`.",
            {"type": "string", "format": "binary", "maxLength": 0},
            BINARY,
        ),
        typed("KeepAlive", "The client is still there, although there is no audio."),
        typed("Finalize", "Tell now what was said up to here."),
        typed("CloseStream", "The audio has ended: tell what is left, then `Metadata`, and close."),
    ),
    says=get_args(messages.ServerMessage),
    closes=CLOSES,
)
