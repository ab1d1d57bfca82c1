"""What a client says about the rate of its audio, in whatever shape: no other than ours may pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(k?)(?:hz)?\s*", re.IGNORECASE)
_WITHIN = re.compile(r"\brate\s*=\s*([0-9]+)", re.IGNORECASE)
"""A media type may state it: `audio/l16;rate=48000`."""
_LEAST_HZ = 1000
"""A field `rate` with less is something else: a speed."""


class UnsupportedSampleRate(BadRequest):
    """The client says that its audio is not 16 kHz."""

    code = "unsupported_sample_rate"


def check_stated_rates(message: object, rate: int = SAMPLE_RATE) -> bool:
    """Whether a message (JSON, or a query) states the rate of its audio, at any depth, in any spelling.

    `sample_rate`, `sampleRate`, `audio_sample_rate_hertz`, `rate`, ... may hold 16000, 16000.0, "16000" or
    "16 kHz"; null states nothing. Raises `UnsupportedSampleRate` for everything else.
    """
    stated = False
    for value in _stated(message):
        stated = True
        if _hertz(value) != rate:
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            raise UnsupportedSampleRate(
                f"audio must be {rate} Hz, 16-bit, mono PCM, not {shown[:20]} Hz; resample before sending"
            )
    return stated


def _stated(message: object) -> Iterator[object]:
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, Mapping):
            for name, value in part.items():
                if isinstance(value, Mapping | list) and not _names_rate(str(name)):
                    waiting.append(value)
                elif value is not None and _is_rate(str(name), value):
                    yield value
                elif isinstance(value, str) and (within := _WITHIN.search(value)):
                    yield within[1]


def _is_rate(name: str, value: object) -> bool:
    hertz = _hertz(value)
    speed_or_rate = _plain(name) in ("rate", "framerate", "sr")
    return _names_rate(name) or (speed_or_rate and hertz is not None and hertz >= _LEAST_HZ)


def _names_rate(name: str) -> bool:
    """Whether a field of this name can be nothing else."""
    plain = _plain(name)
    return "samplerate" in plain or "samplingrate" in plain or plain in ("samplehz", "audiorate")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _hertz(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e9 else None
    found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    return float(found[1]) * (1000 if found[2] else 1)
