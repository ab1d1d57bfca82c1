"""What `/v1/audio/transcriptions/stream` takes and says, for the AsyncAPI document."""

from __future__ import annotations

from typing import get_args

from gateway.description.dialect import AUDIO, DialectDescription, Parameter, words
from gateway.dialects.diarize import PARAMETER as DIARIZE
from gateway.dialects.enhance_on_end import PARAMETER as ENHANCE_ON_END
from gateway.dialects.recite.description import SESSION
from gateway.dialects.transcriptions import messages
from gateway.dialects.transcriptions.dialect import COMMANDS, PATH
from gateway.dialects.transcriptions.request import (
    LANGUAGE_PATTERN,
    LEAST_ENDPOINT_MS,
    MAX_VOCABULARY,
    MOST_ENDPOINT_MS,
)
from gateway.settings.transcription import OVERFLOWS
from shared.audio.formats import ENCODINGS, MAX_CHANNELS, MAX_RATE, MIN_RATE, SAMPLE_RATE

_BOOLEAN = {"type": "boolean"}

DESCRIPTION = DialectDescription(
    name="transcriptions",
    title="Live transcription",
    text=(
        "Speech of any kind: binary frames of audio and commands go in, utterances come out. After a broken "
        "connection any gateway goes on with the session, without a lost or a doubled word: "
        "docs/clients/transcriptions.md says how."
    ),
    address=PATH,
    parameters=(
        Parameter(
            "language",
            {"type": "string", "pattern": f"^{LANGUAGE_PATTERN}$", "default": "en"},
            "Code of the spoken language.",
        ),
        Parameter(
            "model",
            {"type": "string", "default": "default"},
            "A pool of POOLS or TRANSCRIPTION_POOLS, or the model that it runs, or `default`.",
        ),
        Parameter("encoding", {"enum": list(ENCODINGS), "default": "pcm_s16le"}, "How the audio is written."),
        Parameter(
            "sample_rate",
            {"type": "integer", "minimum": MIN_RATE, "maximum": MAX_RATE, "default": SAMPLE_RATE},
            "Samples a second; a container says it itself.",
        ),
        Parameter(
            "channels",
            {"type": "integer", "minimum": 1, "maximum": MAX_CHANNELS, "default": 1},
            "Channels, interleaved; a container says it itself.",
        ),
        Parameter(
            "multichannel",
            _BOOLEAN | {"default": False},
            "Keep the channels apart: each one is a session, named by `channel` in every message. PCM and "
            "G.711 only, and without a resume. Else they are mixed.",
        ),
        DIARIZE,
        Parameter(
            "interim_results",
            _BOOLEAN | {"default": True},
            "Send `transcript.partial` while somebody speaks.",
        ),
        Parameter(
            "word_timestamps", _BOOLEAN | {"default": False}, "Send `words` with times in `transcript.final`."
        ),
        Parameter(
            "vocabulary", {"type": "string", "maxLength": MAX_VOCABULARY}, "Names and terms that may be said."
        ),
        Parameter("enable_vad", _BOOLEAN | {"default": True}, "Find utterances with the speech detector."),
        Parameter(
            "endpoint_ms",
            {"type": "integer", "minimum": LEAST_ENDPOINT_MS, "maximum": MOST_ENDPOINT_MS},
            "Silence that ends an utterance, ms.",
        ),
        ENHANCE_ON_END,
        Parameter(
            "overflow",
            {"enum": list(OVERFLOWS)},
            "Under load: `degrade` lowers the quality of a new session, `queue` lets audio wait, `reject` "
            "refuses a new session and ends a connection that lags.",
        ),
        *SESSION,
    ),
    takes=(AUDIO, *words(COMMANDS)),
    says=get_args(messages.ServerMessage),
)
