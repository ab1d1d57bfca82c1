"""What one client asks of its session: kept with the session, so that a resume has it, too."""

from __future__ import annotations

import msgspec

from shared.audio.formats import SAMPLE_RATE, AudioFormat, Encoding
from shared.errors import StateLost
from shared.protocol.segments import TaskOptions


class SessionOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """`language`: code of the spoken language. `model`: the pool of the model that is asked for,
    empty: the default one. `prompt`: words that may be said (names, terms). `interim_results`: show what is
    not certain yet. `detect_speech`: find where speech begins and ends. `endpoint_ms`: silence that ends an
    utterance. `speech_threshold`: probability above which a frame is speech, 0: as the service has it.
    `encoding`, `sample_rate` (Hz), `channels`: the client's audio. `enhance_on_end`: transcribe the whole
    once more after the end. `speakers`: then tell voices apart, too."""

    language: str = "ar"
    model: str = ""
    word_timestamps: bool = False
    prompt: str = ""
    interim_results: bool = True
    detect_speech: bool = False
    endpoint_ms: int = 700
    speech_threshold: float = 0.0
    encoding: Encoding = "pcm_s16le"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1
    enhance_on_end: bool = False
    speakers: bool = False

    @property
    def audio_format(self) -> AudioFormat:
        return AudioFormat(self.encoding, self.sample_rate, self.channels)

    @property
    def task(self) -> TaskOptions:
        """The part that the engine is told, with every segment."""
        return TaskOptions(self.language, self.word_timestamps, self.prompt or None)


DEFAULT_OPTIONS = SessionOptions()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SessionOptions)


def encode_options(options: SessionOptions) -> bytes:
    """As the session record holds them: JSON, so that versions may add fields."""
    return _encoder.encode(options)


def decode_options(data: bytes) -> SessionOptions:
    """Raises `StateLost` for bytes that are no options; empty bytes (an older version) are the defaults."""
    try:
        return _decoder.decode(data) if data else SessionOptions()
    except msgspec.MsgspecError as error:
        raise StateLost(f"the session's saved options cannot be read ({error})") from error
