"""What a WhisperLive client asks for in its first message."""

from __future__ import annotations

import re

import msgspec

from gateway.dialects.whisperlive.messages import MOST_SEGMENTS, MOST_UID, Options
from gateway.session.options import SessionOptions
from gateway.settings import GatewaySettings
from shared.audio.formats import AudioFormat, Encoding
from shared.errors import BadRequest
from shared.unreadable import UNREADABLE, why_unreadable

MAX_TERMS = 500
"""Characters of `hotwords` and `initial_prompt`: about half of what Whisper can be told before its text."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_FORMATS: dict[str, Encoding] = {"float32": "pcm_f32le", "int16": "pcm_s16le"}
_decoder = msgspec.json.Decoder(Options)


def decode_options(frame: str | bytes, most_bytes: int) -> Options:
    """The first message. Raises `BadRequest` for one that is no options, or larger than that."""
    if isinstance(frame, bytes):
        raise BadRequest(
            'the first message must be text with options, such as {"uid": "1", "language": "en"}'
        )
    if len(frame.encode()) > most_bytes:
        raise BadRequest(f"the options hold at most {most_bytes} bytes")
    try:
        options = _decoder.decode(frame)
    except UNREADABLE as error:
        raise BadRequest(f"the first message must be options in JSON: {why_unreadable(error)}") from error
    if len(options.uid) > MOST_UID:
        raise BadRequest(f"uid holds at most {MOST_UID} characters")
    return options


def session_options(options: Options, settings: GatewaySettings) -> SessionOptions:
    """For the session. Raises `BadRequest` for what cannot be served."""
    for asked, name in (
        (options.task != "transcribe", "task: translate"),
        (options.enable_translation, "enable_translation"),
        (options.enable_diarization, "enable_diarization"),
    ):
        if asked:
            raise BadRequest(f"{name} is not supported by this service; it only transcribes")
    language = options.language or settings.stream_language
    if not _LANGUAGE.fullmatch(language):
        raise BadRequest(f"language must be a code such as en or ar, not {language[:20]!r}")
    if options.audio_format not in _FORMATS:
        raise BadRequest(f"audio_format must be {' or '.join(_FORMATS)}, not {options.audio_format[:20]!r}")
    if not 1 <= options.send_last_n_segments <= MOST_SEGMENTS:
        raise BadRequest(f"send_last_n_segments must be a whole number from 1 to {MOST_SEGMENTS}")
    prompt = " ".join(text for text in (options.initial_prompt, options.hotwords) if text)
    if len(prompt) > MAX_TERMS:
        raise BadRequest(f"initial_prompt and hotwords together hold at most {MAX_TERMS} characters")
    audio = AudioFormat.parse(_FORMATS[options.audio_format])
    return SessionOptions(
        language=language,
        model=options.model if options.model in settings.pool_choices else "",
        word_timestamps=options.word_timestamps,
        prompt=prompt,
        detect_speech=options.use_vad,
        endpoint_ms=settings.vad_endpoint_ms,
        encoding=audio.encoding,
        sample_rate=audio.rate,
        channels=audio.channels,
    )
