"""What an engine heard: words and phones with times. Shared by messages and the recitation domain.

Thousands a second are made and none can be part of a cycle: the garbage collector need not see them.
"""

from __future__ import annotations

import msgspec

from shared.confidence import UNMEASURED, ConfidenceCurves


class Phone(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One heard sound. Times in ms from the start of the segment (or of the session, once placed).

    `symbol` is a phoneme of the connected recitation (IPA, see docs/models.md); `alternatives` are
    other sounds the model found likely in the same place, with their probabilities.
    """

    symbol: str
    start_ms: int
    end_ms: int
    confidence: float = 1.0
    alternatives: tuple[tuple[str, float], ...] = ()


class HeardWord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One word of the decoder's text. Times in ms; `None` when the engine gives no word times."""

    text: str
    start_ms: int | None = None
    end_ms: int | None = None
    confidence: float = 1.0


class SoundFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The sound of one window, whatever was heard in it. `clipped`: share of its samples at the top, 0-1.

    Levels of 20 ms, dBFS: the loudest, the typical (half are louder), the background (a tenth is quieter).
    """

    clipped: float = 0.0
    loudest_dbfs: float = -120.0
    typical_dbfs: float = -120.0
    background_dbfs: float = -120.0


class Hearing(msgspec.Struct, frozen=True, gc=False):
    """Everything heard in one window of the session, times in ms from the start of the session.

    `start_ms`/`end_ms` are the window's extent. Consecutive windows overlap. `script` names the
    spelling of `text` ("imlai" or "uthmani"). An engine without a phoneme head leaves `phones` None.
    `confidence_curves`: what the confidences of this model are worth. `sound`: None
    where neither samples nor features were to be had.
    """

    start_ms: int
    end_ms: int
    text: str = ""
    words: tuple[HeardWord, ...] = ()
    phones: tuple[Phone, ...] | None = None
    script: str = "imlai"
    confidence_curves: ConfidenceCurves = UNMEASURED
    sound: SoundFacts | None = None
