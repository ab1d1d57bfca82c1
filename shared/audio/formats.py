"""The sound inside Rattil, and the bounds of the sound that may come in. Pure."""

from __future__ import annotations

from shared.errors import BadAudio

SAMPLE_RATE = 16_000
"""Samples a second of all audio inside Rattil (mono): what speech models take."""

MIN_RATE = 4_000
"""Lowest sample rate accepted, Hz: below it no consonant can be told from another."""
MAX_RATE = 384_000
"""Highest sample rate accepted, Hz: the highest that recorders use. The filter of a resampler grows with the
rate, so this is checked before one is built."""
MAX_CHANNELS = 8
"""Most channels accepted (7.1 surround)."""


def check_sound(rate: int, channels: int) -> None:
    """Raises `BadAudio` for a sample rate or a number of channels out of bounds."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadAudio(
            f"the audio has a sample rate of {rate} Hz; send one between {MIN_RATE} and {MAX_RATE} Hz"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(f"the audio has {channels} channels; send one to {MAX_CHANNELS}, mono is enough")
