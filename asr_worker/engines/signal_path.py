"""What is computed around CTranslate2's model: features before it, the phoneme head after it.

`HostPath` does it in NumPy. `torch_path.TorchPath` does it on the GPU, so that nothing but samples
goes there and nothing but posteriors comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.ctc_head import CtcHead
from asr_worker.engines.engine import EngineItem
from shared.audio.features import DYNAMIC_RANGE, POWER_FLOOR, FeatureConfig, log_power, scaled
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadAudio

Floats = NDArray[np.float32]
Features = Any
"""One item's features `[n_mels, frames]`: a NumPy array or a tensor on the device."""

SCALED_RANGE = DYNAMIC_RANGE / 4
"""Whisper's features never go lower than this below a window's loudest cell."""
SILENT_FEATURE = float(np.log10(POWER_FLOOR) + 4) / 4
"""... and never lower than this, the feature of digital silence."""


ENCODED_AT_ONCE = 2000
"""Frames that a CPU encodes in one call: what the layers make of more does not stay in its caches, and each
window takes up to twice as long (docs/models.md)."""


class SignalPath(Protocol):
    """`features` may be called from any thread, the rest only from the engine's."""

    def features(self, items: Sequence[EngineItem], samples: int) -> list[Features]:
        """Features of checked items, each as if padded with silence to `samples`, in order.

        What an item gets does not depend on the others.
        """
        ...

    def encoded(self, model: Any, features: Sequence[Features]) -> ctranslate2.StorageView:
        """What CTranslate2's `model` makes of features of one shape `[batch, states, width]`."""
        ...

    def posteriors(self, encoded: ctranslate2.StorageView) -> Floats:
        """The phoneme head's log posteriors `[batch, states, symbols]`, on the host."""
        ...

    def rows(self, encoded: ctranslate2.StorageView, places: Sequence[int]) -> ctranslate2.StorageView:
        """Some items' encoder states, for `generate` and `align`."""
        ...


class HostPath:
    """`SignalPath` in NumPy, for the CPU, and for a GPU without torch.

    One window at a time: an FFT over several windows at once was measured to be no faster (0.16 to
    0.34 ms a window of 2.5 s in batches of 4 to 16, against 0.18 ms alone), since it leaves the cache.
    """

    def __init__(self, config: FeatureConfig, head: CtcHead | None, at_once: int = ENCODED_AT_ONCE) -> None:
        """`at_once`: frames that are encoded in one call, if one item has no more."""
        self._config = config
        self._head = head
        self._at_once = at_once

    def features(self, items: Sequence[EngineItem], samples: int) -> list[Features]:
        return [padded_features(item, samples, self._config) for item in items]

    def encoded(self, model: Any, features: Sequence[Features]) -> ctranslate2.StorageView:
        each = max(1, self._at_once // features[0].shape[1])
        parts = [
            model.encode(ctranslate2.StorageView.from_array(np.stack(features[at : at + each])))
            for at in range(0, len(features), each)
        ]
        if len(parts) == 1:
            return parts[0]
        return ctranslate2.StorageView.from_array(np.concatenate([on_host(part) for part in parts]))

    def posteriors(self, encoded: ctranslate2.StorageView) -> Floats:
        assert self._head is not None
        # Item by item: a matrix product of all at once may round otherwise with other batch-mates.
        return np.stack([self._head.log_probs(states) for states in on_host(encoded)])

    def rows(self, encoded: ctranslate2.StorageView, places: Sequence[int]) -> ctranslate2.StorageView:
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(on_host(encoded)[list(places)]))


def check_item(item: EngineItem, config: FeatureConfig, max_samples: int) -> None:
    """Raises `BadAudio`, with what is wrong, for an item that no path can take."""
    if item.samples <= 0:
        raise BadAudio("the segment has no samples")
    if item.samples > max_samples:
        raise BadAudio(
            f"the segment has {item.samples / SAMPLE_RATE:.1f} s, "
            f"the model takes at most {max_samples / SAMPLE_RATE:g} s"
        )
    given = item.logs if item.pcm is None else item.pcm
    if given is None:
        raise BadAudio("the segment has neither samples nor features")
    if item.pcm is None:
        _check_logs(given, item.samples, config)
    elif given.ndim != 1:
        raise BadAudio(f"the segment's samples have the shape {given.shape}; send one channel")
    if not np.isfinite(given).all():
        raise BadAudio("the segment has samples that are not numbers")


def _check_logs(logs: Floats, samples: int, config: FeatureConfig) -> None:
    """A few frames that reach into the silence after the sound are welcome, missing ones are not."""
    fewest, most = config.frames(samples), config.frames(samples + config.n_fft)
    if logs.ndim != 2 or logs.shape[1] != config.n_mels or not fewest <= logs.shape[0] <= most:
        raise BadAudio(
            f"the segment's features have the shape {logs.shape}; for its {samples} samples the model "
            f"takes ({fewest}, {config.n_mels}) with a hop of {config.hop_length} samples"
        )


def log_frames(item: EngineItem, config: FeatureConfig) -> Floats:
    """An item's log mel powers `[frames, n_mels]`; beyond them its padding is silent."""
    if item.pcm is not None:
        # One frame beyond the sound may still hold some of it.
        return log_power(np.pad(item.pcm, (0, config.n_fft)), config)
    assert item.logs is not None
    return item.logs.astype(np.float32, copy=False)


def padded_features(item: EngineItem, samples: int, config: FeatureConfig) -> Floats:
    """Scaled features of the sound padded with silence to `samples`, `[n_mels, frames]`.

    The silence itself is not computed: its feature is a constant of the window.
    """
    frames = samples // config.hop_length
    computed = scaled(log_frames(item, config)[:frames]).T
    floor = max(float(computed.max(initial=SILENT_FEATURE)) - SCALED_RANGE, SILENT_FEATURE)
    padded = np.full((config.n_mels, frames), floor, np.float32)
    padded[:, : computed.shape[1]] = computed
    return padded


def on_host(states: ctranslate2.StorageView) -> Floats:
    """Encoder states `[batch, states, d_model]` as float32 on this side of the bus."""
    if states.device != "cpu":
        states = states.to_device(ctranslate2.Device.cpu)
    if states.dtype != ctranslate2.DataType.float32:
        states = states.to(ctranslate2.DataType.float32)
    return np.asarray(states, dtype=np.float32)
