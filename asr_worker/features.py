"""Log-mel features; the code is `shared.audio.features`, since the gateway computes them, too (`mel_u8`)."""

from __future__ import annotations

from shared.audio.features import (
    DYNAMIC_RANGE,
    HERTZ_PER_MEL,
    LOG_START_HERTZ,
    LOG_STEP,
    MAX_MEL,
    POWER_FLOOR,
    TAIL_PADDING,
    FeatureConfig,
    Floats,
    log_mel,
    log_mel_batch,
    log_power,
    mel_bank,
    scaled,
)

__all__ = [
    "DYNAMIC_RANGE",
    "HERTZ_PER_MEL",
    "LOG_START_HERTZ",
    "LOG_STEP",
    "MAX_MEL",
    "POWER_FLOOR",
    "TAIL_PADDING",
    "FeatureConfig",
    "Floats",
    "log_mel",
    "log_mel_batch",
    "log_power",
    "mel_bank",
    "scaled",
]
