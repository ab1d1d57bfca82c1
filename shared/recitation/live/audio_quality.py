"""Whether the sound is good enough to judge by: so that a bad microphone is not taken for a bad recitation.

No model of its own: how many sounds are heard in loud audio, how sure the model is of them, and whether they
are runs of the passage. Poor is what is loud and yet holds hardly a sound, or sounds that are neither sure
nor the passage. The numbers were chosen on two voices, on phone recordings and on sounds made poor on purpose
(docs/models.md); recitation that fits its passage is good however it sounds.
"""

from __future__ import annotations

from math import exp
from typing import Final, Literal

import msgspec

from shared.hearing import Hearing, SoundFacts

QualityLevel = Literal["good", "poor"]
QualityReason = Literal["noise", "clipping", "quiet", "unclear"]

_MEMORY_MS: Final = 8000
"""What was heard so long ago counts a third."""
_LEAST_MS: Final = 5000
"""So much loud audio is needed before anything is said of it."""
_LOUD_DBFS: Final = -40.0
_BELOW_LOUDEST_DB: Final = 15.0
"""Audio is loud above the one level, and no further below the session's loudest than the other: the
background in a pause is not."""
_FORGET_DB_PER_S: Final = 3.0
_RISE_DB_PER_S: Final = 0.5
"""How fast the session's loudest and background levels follow."""
_CLIPPED: Final = 0.03
"""Share of samples at the top from which sound is clipped, and"""
_MUCH_CLIPPED: Final = 0.1
_STEADY_DB: Final = 5.0
"""Sound that is mostly no further above its background is noise; speech has pauses of 10 dB and more."""
_QUIET_DBFS: Final = -60.0
_TOO_QUIET_DBFS: Final = -73.0
"""Speech whose loudest 20 ms stay below it has lost its soft sounds in the rounding of 16-bit samples: the
first false mistakes come at -74 (docs/models.md)."""
_UNKNOWN_DBFS: Final = -120.0
_FIT_UNITS: Final = 20
_DOUBT_UNITS: Final = 40
"""Units heard from which their fit says something, and from which it can be doubted."""


class AudioQuality(msgspec.Struct, frozen=True, gc=False):
    """How the sound is, as clients see it. `reason`: what is wrong with it, None if it is good."""

    level: QualityLevel = "good"
    reason: QualityReason | None = None


GOOD: Final = AudioQuality()


class QualityState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of a session's sound; older audio counts less, but for the last two.

    `loud_ms`: loud audio; `sounds`, `certainty`: sounds heard, and the sum of their certainties; `clipped`,
    `steady`: means over loud audio. `audible_ms`, `poor_ms`: loud audio in all, and how much of it was poor.
    `voice_dbfs`: as `loudest_dbfs`, of windows in which sounds were heard: who only breathes is no quieter.
    """

    reason: QualityReason | None = None
    end_ms: int = 0
    loud_ms: float = 0.0
    sounds: float = 0.0
    certainty: float = 0.0
    clipped: float = 0.0
    steady_db: float = 0.0
    loudest_dbfs: float = _UNKNOWN_DBFS
    background_dbfs: float = 0.0
    audible_ms: int = 0
    poor_ms: int = 0
    voice_dbfs: float = _UNKNOWN_DBFS

    @property
    def voice_is_too_quiet(self) -> bool:
        """What is not heard of it is no mistake, and what is misheard is no other passage."""
        return _UNKNOWN_DBFS < self.voice_dbfs < _TOO_QUIET_DBFS

    @property
    def now(self) -> AudioQuality:
        """Of what was heard lately."""
        return GOOD if self.reason is None else AudioQuality("poor", self.reason)

    @property
    def in_all(self) -> AudioQuality:
        """Of the whole recitation: poor if half of it was, for the reason that was last."""
        return self.now if self.reason and 2 * self.poor_ms >= self.audible_ms else GOOD


class _Limits(msgspec.Struct, frozen=True):
    """From when on sound is poor. `silent_rate`: sounds a second below which loud audio holds no voice;
    `sparse_rate`: below which unsure ones are no recitation (slow recitation has 3). Certainties, 0-1, below
    which sounds are doubted: `sure` where there are few of them or a cause is known, `guessed` elsewhere,
    `foreign` where they are not the passage (those of another language have 0.74 to 0.86)."""

    silent_rate: float
    sparse_rate: float
    sure: float
    guessed: float
    foreign: float
    fit_share: float


_TO_POOR: Final = _Limits(0.3, 1.8, 0.75, 0.6, 0.9, 0.2)
_TO_GOOD: Final = _Limits(0.6, 2.2, 0.8, 0.66, 0.93, 0.35)
"""Wider ones for sound that is poor already, so that it does not change with every window."""
_TRUSTED_SHARE: Final = 0.4


def next_quality(state: QualityState, hearing: Hearing, heard: int, fitting: int) -> QualityState:
    """The state after one more window. `heard`, `fitting`: units heard lately, and how many of them are runs
    of the passage. Engines without sounds say nothing of the quality."""
    if hearing.phones is None or hearing.end_ms <= state.end_ms:
        return state
    before, new_ms = state, _new_ms(state, hearing)
    state = _with_window(state, hearing, new_ms)
    if state.audible_ms == before.audible_ms:
        return state
    reason = _reason(state, _share(heard, fitting), heard >= _DOUBT_UNITS)
    if reason is None and before.reason is None:
        return state
    return msgspec.structs.replace(state, reason=reason, poor_ms=state.poor_ms + (new_ms if reason else 0))


def is_too_quiet(state: QualityState, hearing: Hearing) -> bool:
    """Whether this window, after those of `state`, is too quiet for what is not heard in it to be a mistake.

    Before the first sound the voice is not known: a window in which nothing is heard is as loud as it is."""
    facts = hearing.sound
    if facts is None or hearing.phones is None:
        return False
    voice = _voice_dbfs(state, hearing, _new_ms(state, hearing))
    return (facts.loudest_dbfs if voice <= _UNKNOWN_DBFS else voice) < _TOO_QUIET_DBFS


def _new_ms(state: QualityState, hearing: Hearing) -> int:
    """How much of the window is new, ms."""
    return max(0, min(hearing.end_ms - state.end_ms, hearing.end_ms - hearing.start_ms))


def _voice_dbfs(state: QualityState, hearing: Hearing, new_ms: int) -> float:
    """How loud the voice is after this window."""
    if hearing.sound is None or not hearing.phones:
        return state.voice_dbfs
    return max(hearing.sound.loudest_dbfs, state.voice_dbfs - _FORGET_DB_PER_S * new_ms / 1000)


def _with_window(state: QualityState, hearing: Hearing, new_ms: int) -> QualityState:
    """All but `reason` and `poor_ms` after this window; if it is not loud, only how loud it is."""
    facts, phones = hearing.sound, hearing.phones or ()
    loudest, background = state.loudest_dbfs, state.background_dbfs
    if facts is not None:
        loudest = max(facts.loudest_dbfs, loudest - _FORGET_DB_PER_S * new_ms / 1000)
        background = min(facts.background_dbfs, background + _RISE_DB_PER_S * new_ms / 1000)
    voice = _voice_dbfs(state, hearing, new_ms)
    if not phones and not _loud(facts, loudest):
        return msgspec.structs.replace(
            state,
            end_ms=hearing.end_ms,
            loudest_dbfs=loudest,
            background_dbfs=background,
            voice_dbfs=voice,
        )
    kept = exp(-new_ms / _MEMORY_MS)
    share = new_ms / (hearing.end_ms - hearing.start_ms)
    loud_ms = state.loud_ms * kept + new_ms
    weight = new_ms / loud_ms
    clipped, steady_db = state.clipped, state.steady_db
    if facts is not None:
        clipped += weight * (facts.clipped - clipped)
        steady_db += weight * (facts.typical_dbfs - background - steady_db)
    return QualityState(
        reason=state.reason,
        end_ms=hearing.end_ms,
        loud_ms=loud_ms,
        sounds=state.sounds * kept + share * len(phones),
        certainty=state.certainty * kept + share * sum([phone.confidence for phone in phones]),
        clipped=clipped,
        steady_db=steady_db,
        loudest_dbfs=loudest,
        background_dbfs=background,
        audible_ms=state.audible_ms + new_ms,
        poor_ms=state.poor_ms,
        voice_dbfs=voice,
    )


def _loud(facts: SoundFacts | None, loudest_dbfs: float) -> bool:
    return facts is not None and facts.loudest_dbfs >= max(_LOUD_DBFS, loudest_dbfs - _BELOW_LOUDEST_DB)


def _share(heard: int, fitting: int) -> float | None:
    return fitting / heard if heard >= _FIT_UNITS else None


def _reason(state: QualityState, fit: float | None, doubtable: bool) -> QualityReason | None:
    """What is wrong with what was heard lately, None if it can be judged."""
    if state.loud_ms < _LEAST_MS:
        return state.reason
    limits = _TO_POOR if state.reason is None else _TO_GOOD
    rate = 1000 * state.sounds / state.loud_ms
    certainty = state.certainty / state.sounds if state.sounds else 0.0
    known = state.loudest_dbfs > _UNKNOWN_DBFS
    clipped, steady = state.clipped >= _MUCH_CLIPPED, known and state.steady_db < _STEADY_DB
    fits = fit is not None and fit >= _TRUSTED_SHARE
    silent = rate < limits.silent_rate
    sparse = rate < limits.sparse_rate and certainty < limits.sure and not fits
    unsure = certainty < (limits.sure if clipped or steady else limits.guessed)
    foreign = doubtable and fit is not None and fit < limits.fit_share and certainty < limits.foreign
    if not (silent or sparse or unsure or foreign or state.voice_is_too_quiet):
        return None
    if state.clipped >= _CLIPPED:
        return "clipping"
    if known and state.loudest_dbfs < _QUIET_DBFS:
        return "quiet"
    return "noise" if steady or rate < limits.silent_rate else "unclear"
