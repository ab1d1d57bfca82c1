"""What the form of `POST /v1/audio/transcriptions` asks for."""

from __future__ import annotations

import math
from typing import Literal, get_args

import msgspec

from gateway.dialects.openai.errors import BadParameter, UnsupportedParameter
from gateway.dialects.openai.models import check_served
from gateway.http.upload import Form
from shared.protocol.segments import TaskOptions
from shared.transcription.languages import language_code

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
FORMATS: tuple[ResponseFormat, ...] = get_args(ResponseFormat)
MAX_PROMPT = 4000
"""Characters of `prompt` and `keywords` together; a model looks at their last 223 tokens."""

_STREAMED = ("json", "text")
GRANULARITIES = ("word", "segment")
_NOT_DONE = {
    "known_speaker_names": "speakers have letters, not names",
    "known_speaker_references": "speakers have letters, not names",
}


class TranscriptionForm(msgspec.Struct, frozen=True):
    """`language`: a code; empty if the model is to find out. `words`, `segments`: which times are asked for
    in verbose_json."""

    model: str
    response_format: ResponseFormat = "json"
    stream: bool = False
    language: str = ""
    prompt: str = ""
    words: bool = False
    segments: bool = True

    @property
    def task(self) -> TaskOptions:
        """What the engine is told. Subtitles and segments are made of the times of words."""
        speakers = self.response_format == "diarized_json"
        timed = speakers or self.response_format in ("srt", "vtt", "verbose_json")
        return TaskOptions(self.language, timed, self.prompt or None, speakers)


def read_form(form: Form, served: tuple[str, ...], *, tells_apart: bool = False) -> TranscriptionForm:
    """`tells_apart`: whether the service can tell voices apart.

    Raises `BadParameter`, with the name of the parameter, or `ModelNotFound`.
    """
    model = check_served(form.last("model"), served)
    response_format = _format(form)
    if response_format == "diarized_json" and not tells_apart:
        raise UnsupportedParameter(
            "response_format",
            "response_format=diarized_json cannot be used: SPEAKER_MODEL is not set on this service",
        )
    stream = _flag(form, "stream")
    if stream and response_format not in _STREAMED:
        raise BadParameter(
            "stream", f"a stream has no format {response_format}; use json, or ask without stream"
        )
    _check_temperature(form)
    _check_not_done(form)
    words, segments = _granularities(form, response_format)
    return TranscriptionForm(model, response_format, stream, _language(form), _prompt(form), words, segments)


def _format(form: Form) -> ResponseFormat:
    given = form.last("response_format") or "json"
    known = next((one for one in FORMATS if one == given), None)
    if known is None:
        raise UnsupportedParameter(
            "response_format",
            f"response_format must be one of {', '.join(FORMATS)}, not {given[:40]!r}",
        )
    return known


def _flag(form: Form, name: str) -> bool:
    given = form.last(name).lower()
    if given not in ("", "true", "false", "1", "0"):
        raise BadParameter(name, f"{name} must be true or false, not {given[:40]!r}")
    return given in ("true", "1")


def _language(form: Form) -> str:
    """One language is taken; of several that may be spoken, or none, the model finds out which."""
    given = form.last("language")
    several = form.all("languages", "languages[]")
    for name in (given, *several):
        if name and language_code(name) is None:
            raise BadParameter("language", f"the language {name[:40]!r} is not known; send a code such as en")
    if given:
        return language_code(given) or ""
    return (language_code(several[0]) or "") if len(several) == 1 else ""


def _prompt(form: Form) -> str:
    prompt = " ".join(filter(None, [", ".join(form.all("keywords", "keywords[]")), form.last("prompt")]))
    if len(prompt) > MAX_PROMPT:
        raise BadParameter("prompt", f"prompt and keywords hold at most {MAX_PROMPT} characters")
    return prompt


def _check_temperature(form: Form) -> None:
    """It is checked and not used: the text is always the most probable one."""
    given = form.last("temperature")
    try:
        temperature = float(given) if given else 0.0
    except ValueError:
        temperature = math.nan
    if not 0.0 <= temperature <= 1.0:
        raise BadParameter("temperature", f"temperature must be a number from 0 to 1, not {given[:40]!r}")


def _check_not_done(form: Form) -> None:
    for name, why in _NOT_DONE.items():
        if form.all(name, f"{name}[]"):
            raise UnsupportedParameter(name, f"{name} cannot be used here: {why}")
    if form.all("include", "include[]"):
        raise UnsupportedParameter("include", "logprobs are not told here; leave include out")


def _granularities(form: Form, response_format: ResponseFormat) -> tuple[bool, bool]:
    """Whether words, whether segments are asked for."""
    asked = form.all("timestamp_granularities[]", "timestamp_granularities")
    unknown = next((name for name in asked if name not in GRANULARITIES), None)
    if unknown is not None:
        raise BadParameter(
            "timestamp_granularities",
            f"timestamp_granularities are word and segment, not {unknown[:40]!r}",
        )
    if asked and response_format != "verbose_json":
        raise BadParameter(
            "timestamp_granularities", "timestamp_granularities needs response_format=verbose_json"
        )
    return "word" in asked, "segment" in asked or not asked
