"""A cheap gate before decoding: is there anything to hear in this window? It follows the session's own level.

Every window is compared with what the session has been like so far: how loud its speech is and how loud its
background. So quiet speech passes, and the background of a loud room does not. The mean of the window is
removed first: the constant offset of a microphone is no sound.
"""

from __future__ import annotations

from math import log10
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.audio.formats import SAMPLE_RATE

Sound = Literal["audible", "silent", "too_quiet"]

GATE_OFF_DBFS: Final = -120.0
"""At this level nothing is silent."""

JUDGEABLE_DBFS: Final = -79.0
"""Speech whose loudest 20 ms stay below it is too quiet to be judged, and the speaker is told: 16-bit samples
hold little more. Measured on the bundled recitations, turned down in steps (docs/models.md)."""
STILL_JUDGEABLE_DBFS: Final = -84.0
"""The same for a session that was audible before: its quieter phrases belong to what was heard."""

_ROUNDING_DBFS: Final = -89.0
"""What stays below it is the rounding of 16-bit samples, 1.2 steps RMS, and no sound."""
_SPEECH_RANGE_DB: Final = 40.0
"""The loudest 20 ms of a window with speech are no further below those of the session's loudest speech."""
_STANDS_OUT_DB: Final = 8.0
"""The loudest 20 ms of speech exceed the background by more, in a session whose speech is loud."""
_BARELY_STANDS_OUT_DB: Final = 3.0
"""The same while all that was heard is quiet: its hiss is near its speech. White noise and hum exceed their
background by less than 2 dB."""
_QUIET_SHARE: Final = 0.2
"""This quantile of a window's levels is its background."""
_FORGET_DB_PER_S: Final = 3.0
"""How fast the session's speech level follows speech that became quieter (after a cough)."""
_RISE_DB_PER_S: Final = 0.5
"""How fast the background level follows a background that became louder."""
TELL_AFTER_S: Final = 3.0
"""So much speech that is too quiet, in a row, and the speaker should know."""

_FRAME: Final = SAMPLE_RATE // 50
"""20 ms: shorter than any speech sound, long enough for a stable level."""
_FIRST: Final = 16 * _FRAME
"""A third of a second is looked at first: speech is mostly heard in it, and the rest need not be."""
_FULL_SCALE: Final = 32768.0


class GateState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the gate remembers of a session. Levels are RMS in dBFS; `quiet_s`: speech in a row, seconds, that
    was too quiet to be judged."""

    speech_dbfs: float = GATE_OFF_DBFS
    background_dbfs: float = 0.0
    quiet_s: float = 0.0


class Heard(NamedTuple):
    """What the gate says of a window. What is too quiet is no silence: words in it that nobody hears must not
    be taken for left out. `tell`: the speaker has just been too quiet for `TELL_AFTER_S`."""

    sound: Sound
    state: GateState
    tell: bool = False


def pass_gate(state: GateState, pcm: bytes, below_dbfs: float) -> Heard:
    """Judge the next window of a session, PCM16. What is louder than `below_dbfs` is always audible."""
    if below_dbfs <= GATE_OFF_DBFS or len(pcm) < 2:
        return Heard("audible" if len(pcm) > 1 else "silent", state)
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
    seconds = samples.size / SAMPLE_RATE
    loudest, quiet = _levels(samples[:_FIRST])
    if loudest < below_dbfs and samples.size > _FIRST:
        loudest, quiet = _levels(samples)
    background = min(quiet, state.background_dbfs + _RISE_DB_PER_S * seconds)
    speech = max(loudest, state.speech_dbfs - _FORGET_DB_PER_S * seconds)
    if loudest >= below_dbfs:
        return Heard("audible", GateState(speech, background))
    stands_out_db = _STANDS_OUT_DB if state.speech_dbfs >= below_dbfs else _BARELY_STANDS_OUT_DB
    if loudest < max(_ROUNDING_DBFS, background + stands_out_db):
        return Heard("silent", GateState(state.speech_dbfs, background, state.quiet_s))
    if loudest < speech - _SPEECH_RANGE_DB:
        return Heard("silent", GateState(speech, background, state.quiet_s))
    was_audible = state.speech_dbfs > GATE_OFF_DBFS and not state.quiet_s
    if speech >= (STILL_JUDGEABLE_DBFS if was_audible else JUDGEABLE_DBFS):
        return Heard("audible", GateState(speech, background))
    quiet_s = state.quiet_s + seconds
    tell = state.quiet_s < TELL_AFTER_S <= quiet_s
    return Heard("too_quiet", GateState(speech, background, quiet_s), tell)


def _levels(samples: NDArray[np.int16]) -> tuple[float, float]:
    """RMS levels of 20 ms, less the mean of all, dBFS: the loudest, and the background (`_QUIET_SHARE`).

    A rest shorter than 20 ms counts as one more.
    """
    values = samples.astype(np.float32)
    values -= np.add.reduce(values) / values.size
    whole = values.size // _FRAME * _FRAME
    rows, rest = values[:whole].reshape(-1, _FRAME), values[whole:]
    powers = (np.einsum("ij,ij->i", rows, rows) / _FRAME).tolist()
    if rest.size:
        powers.append(float(np.dot(rest, rest)) / rest.size)
    powers.sort()
    return _dbfs(powers[-1]), _dbfs(powers[int(_QUIET_SHARE * len(powers))])


def _dbfs(power: float) -> float:
    """The level of a mean square of 16-bit samples."""
    return max(GATE_OFF_DBFS, 10.0 * log10(power / _FULL_SCALE**2)) if power > 0 else GATE_OFF_DBFS
