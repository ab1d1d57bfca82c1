"""The fields of a session that its client may set, in the present and in the beta shape."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.dialects.openai.errors import BadParameter


class TurnDetection(msgspec.Struct, frozen=True):
    """How utterances end without a commit."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    eagerness: Literal["low", "medium", "high", "auto"] | None = None


class Transcription(msgspec.Struct, frozen=True):
    """What is transcribed, and by which model. `delay` is taken and not looked at."""

    model: str | UnsetType = UNSET
    language: str | UnsetType | None = UNSET
    languages: list[str] | UnsetType | None = UNSET
    prompt: str | UnsetType | None = UNSET
    keywords: list[str] | UnsetType | None = UNSET
    delay: str | UnsetType | None = UNSET


class Format(msgspec.Struct, frozen=True):
    type: str
    rate: int | None = None


class Input(msgspec.Struct, frozen=True):
    format: Format | UnsetType = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET


class Audio(msgspec.Struct, frozen=True):
    input: Input = Input()


class Session(msgspec.Struct, frozen=True):
    """Fields that are not named here (noise reduction, what to include) change nothing."""

    type: str = "transcription"
    audio: Audio = Audio()


class BetaSession(msgspec.Struct, frozen=True):
    input_audio_format: str | UnsetType = UNSET
    input_audio_transcription: Transcription | UnsetType | None = UNSET
    turn_detection: TurnDetection | UnsetType | None = UNSET


def converted(session: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(session, kind)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        param = "session" + path.rstrip("`").removesuffix("[...]")
        raise BadParameter(param, f"{param}: {said}") from error
