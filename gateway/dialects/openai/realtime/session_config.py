"""The configuration of a realtime session: what updates change of it, and how it is shown. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.admission.pools import ModelCatalogue
from gateway.dialects.openai.errors import BadParameter, ModelNotFound, UnsupportedParameter
from gateway.dialects.openai.models import check_served, names_of, wish
from gateway.dialects.openai.realtime.client_events import UnknownModel
from gateway.dialects.openai.realtime.session_fields import (
    BetaSession,
    Format,
    Session,
    Transcription,
    TurnDetection,
    converted,
)
from gateway.dialects.openai.transcription_form import MAX_PROMPT
from gateway.session.options import SessionOptions
from shared.audio.formats import Encoding
from shared.transcription.languages import language_code

BETA_FORMATS: dict[str, tuple[Encoding, int]] = {
    "pcm16": ("pcm_s16le", 24_000),
    "g711_ulaw": ("mulaw", 8_000),
    "g711_alaw": ("alaw", 8_000),
}
GA_FORMATS: dict[str, tuple[Encoding, int]] = {
    "audio/pcm": ("pcm_s16le", 24_000),
    "audio/pcmu": ("mulaw", 8_000),
    "audio/pcma": ("alaw", 8_000),
}
PCM_RATES = (24_000, 16_000)
LEAST_SILENCE_MS, MOST_SILENCE_MS = 200, 5_000
LEAST_THRESHOLD, MOST_THRESHOLD = 0.2, 0.95
"""What the speech detector can be told; values from 0 to 1 are taken, the nearest is used."""
EAGERNESS_MS = {"low": 1200, "medium": 700, "auto": 700, "high": 400}
"""Silence that ends an utterance with `semantic_vad`, ms: what was said is not looked at."""


COMMITTED_MODELS = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""At OpenAI these know no turn detection: a client that names one and says nothing of turns commits."""


class SessionConfig(msgspec.Struct, frozen=True):
    """One session as its client wants it. `language` is empty if the model is to find out; `asked_turns`:
    what the client said of turns, if it did, None if it commits by itself."""

    model: str
    encoding: Encoding = "pcm_s16le"
    rate: int = 24_000
    language: str = ""
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    asked_turns: TurnDetection | UnsetType | None = UNSET

    def updated(self, session: dict[str, Any], models: ModelCatalogue, *, beta: bool) -> SessionConfig:
        """The configuration with what is named in `session`. Raises `BadParameter`."""
        if beta:
            return self._updated_beta(converted(session, BetaSession), models)
        asked = converted(session, Session)
        if asked.type != "transcription":
            raise UnsupportedParameter("session.type", "only sessions of type transcription are served here")
        new, given, where = self, asked.audio.input, "session.audio.input"
        if given.format is not UNSET:
            encoding, rate = _format(given.format, f"{where}.format")
            new = msgspec.structs.replace(new, encoding=encoding, rate=rate)
        return new._with(given.transcription, given.turn_detection, where, "transcription", models)

    def _updated_beta(self, given: BetaSession, models: ModelCatalogue) -> SessionConfig:
        new, name = self, given.input_audio_format
        if name is not UNSET:
            if name not in BETA_FORMATS:
                raise UnsupportedParameter(
                    "session.input_audio_format", f"it must be one of {', '.join(BETA_FORMATS)}"
                )
            encoding, rate = BETA_FORMATS[name]
            new = msgspec.structs.replace(new, encoding=encoding, rate=rate)
        field = "input_audio_transcription"
        return new._with(given.input_audio_transcription, given.turn_detection, "session", field, models)

    def _with(
        self,
        transcription: Transcription | UnsetType | None,
        turns: TurnDetection | UnsetType | None,
        where: str,
        field: str,
        models: ModelCatalogue,
    ) -> SessionConfig:
        new = self
        if transcription is None:
            raise UnsupportedParameter(f"{where}.{field}", "a session without it does nothing here")
        if transcription is not UNSET:
            new = new._transcribing(transcription, f"{where}.{field}", models)
        if turns is not UNSET:
            new = msgspec.structs.replace(new, asked_turns=_checked(turns, f"{where}.turn_detection"))
        return new

    def _transcribing(self, given: Transcription, where: str, models: ModelCatalogue) -> SessionConfig:
        changes: dict[str, Any] = {}
        if given.model is not UNSET:
            changes["model"] = served_model(given.model, models, f"{where}.model")
        if given.language is not UNSET or given.languages is not UNSET:
            changes["language"] = _language(given, where)
        if given.prompt is not UNSET:
            changes["prompt"] = given.prompt or ""
        if given.keywords is not UNSET:
            changes["keywords"] = tuple(given.keywords or ())
        new = msgspec.structs.replace(self, **changes)
        if len(new.hint) > MAX_PROMPT:
            raise BadParameter(f"{where}.prompt", f"prompt and keywords hold at most {MAX_PROMPT} characters")
        return new

    @property
    def hint(self) -> str:
        """What the model is told of words that may be said."""
        return " ".join(filter(None, [", ".join(self.keywords), self.prompt]))

    @property
    def turns(self) -> TurnDetection | None:
        """How turns are found; None if the client commits by itself."""
        if self.asked_turns is not UNSET:
            return self.asked_turns
        return None if self.model.startswith(COMMITTED_MODELS) else TurnDetection()

    @property
    def silence_ms(self) -> int:
        """The silence that ends an utterance."""
        if self.turns is None:
            return EAGERNESS_MS["auto"]
        if self.turns.type == "semantic_vad":
            return EAGERNESS_MS[self.turns.eagerness or "auto"]
        return 500 if self.turns.silence_duration_ms is None else self.turns.silence_duration_ms

    def options(self, models: ModelCatalogue) -> SessionOptions:
        """The same in Rattil's words."""
        threshold = 0.5 if self.turns is None or self.turns.threshold is None else self.turns.threshold
        return SessionOptions(
            language=self.language,
            model=wish(self.model, models),
            prompt=self.hint,
            interim_results=self.turns is not None,
            detect_speech=self.turns is not None,
            endpoint_ms=self.silence_ms,
            speech_threshold=min(max(threshold, LEAST_THRESHOLD), MOST_THRESHOLD),
            encoding=self.encoding,
            sample_rate=self.rate,
        )

    def shown(self, session_id: str, *, beta: bool) -> dict[str, Any]:
        """As `session` of an event."""
        if beta:
            formats = {made: name for name, made in BETA_FORMATS.items()}
            return {
                "id": session_id,
                "object": "realtime.transcription_session",
                "input_audio_format": formats.get((self.encoding, self.rate), "pcm16"),
                "input_audio_transcription": self._shown_transcription(),
                "turn_detection": self._shown_turns(),
                "input_audio_noise_reduction": None,
            }
        return {"id": session_id, "object": "realtime.transcription_session", **self.fields}

    @property
    def fields(self) -> dict[str, Any]:
        """As `session` of an update that asks for all of it."""
        names = {encoding: name for name, (encoding, _) in GA_FORMATS.items()}
        shape: dict[str, Any] = {"type": names[self.encoding]}
        if self.encoding == "pcm_s16le":
            shape["rate"] = self.rate
        return {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": shape,
                    "transcription": self._shown_transcription() | {"keywords": list(self.keywords)},
                    "noise_reduction": None,
                    "turn_detection": self._shown_turns(),
                }
            },
        }

    def _shown_transcription(self) -> dict[str, Any]:
        return {"model": self.model, "language": self.language or None, "prompt": self.prompt}

    def _shown_turns(self) -> dict[str, Any] | None:
        turns = self.turns
        if turns is None:
            return None
        if turns.type == "semantic_vad":
            return {"type": "semantic_vad", "eagerness": turns.eagerness or "auto"}
        return {
            "type": "server_vad",
            "threshold": 0.5 if turns.threshold is None else turns.threshold,
            "prefix_padding_ms": 300,
            "silence_duration_ms": self.silence_ms,
        }


def served_model(name: str, models: ModelCatalogue, param: str = "model") -> str:
    """The name itself. Raises `UnknownModel`."""
    try:
        return check_served(name, names_of(models))
    except (ModelNotFound, BadParameter) as error:
        raise UnknownModel(param, error.message) from error


def _format(given: Format, where: str) -> tuple[Encoding, int]:
    if given.type not in GA_FORMATS:
        raise UnsupportedParameter(f"{where}.type", f"{where}.type must be one of {', '.join(GA_FORMATS)}")
    encoding, rate = GA_FORMATS[given.type]
    rates = PCM_RATES if encoding == "pcm_s16le" else (rate,)
    asked = rate if given.rate is None else given.rate
    if asked not in rates:
        known = " or ".join(map(str, rates))
        raise UnsupportedParameter(f"{where}.rate", f"{where}.rate must be {known}, not {asked}")
    return encoding, asked


def _checked(turns: TurnDetection | None, where: str) -> TurnDetection | None:
    if turns is None:
        return None
    silence_ms, threshold = turns.silence_duration_ms, turns.threshold
    if silence_ms is not None and not LEAST_SILENCE_MS <= silence_ms <= MOST_SILENCE_MS:
        raise BadParameter(
            f"{where}.silence_duration_ms",
            f"{where}.silence_duration_ms must be from {LEAST_SILENCE_MS} to {MOST_SILENCE_MS}",
        )
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise BadParameter(f"{where}.threshold", f"{where}.threshold must be a number from 0 to 1")
    return turns


def _language(given: Transcription, where: str) -> str:
    """One language is taken; of several that may be spoken, or none, the model finds out which."""
    one = given.language or ""
    several = given.languages or []
    for name in filter(None, (one, *several)):
        if language_code(name) is None:
            raise BadParameter(
                f"{where}.language", f"{where}.language: {name[:40]!r} is not known; send a code such as en"
            )
    return language_code(one or (several[0] if len(several) == 1 else "")) or ""
