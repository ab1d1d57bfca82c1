"""What one client may ask for: how long a passage, how fast audio."""

from __future__ import annotations

from shared.errors import BadRequest
from shared.protocol.segments import SAMPLE_RATE
from shared.recitation.reference.passage import VerseRange, words_in


class PassageTooLong(BadRequest):
    """Every event lists every word of the passage, so its length is bounded."""

    code = "passage_too_long"


def check_length(verses: VerseRange, max_words: int) -> None:
    """Raises `PassageTooLong`. Costs nothing, while loading a long passage takes seconds."""
    words = words_in(verses)
    if words > max_words:
        raise PassageTooLong(f"{verses} has {words} words, at most {max_words} are taken; recite it in parts")


class AudioRate:
    """A token bucket in seconds of audio: `burst_s` free, then `rate` times real time. Pure."""

    def __init__(self, rate: float, burst_s: float, now_s: float) -> None:
        self._rate = rate
        self._burst_s = burst_s
        self._credit_s = burst_s
        self._then_s = now_s

    def delay_s(self, samples: int, now_s: float) -> float:
        """Take `samples` in; how long to wait before reading on, seconds (0: not at all)."""
        self._credit_s = min(self._burst_s, self._credit_s + (now_s - self._then_s) * self._rate)
        self._then_s = now_s
        self._credit_s -= samples / SAMPLE_RATE
        return max(0.0, -self._credit_s / self._rate)
