"""Log-mel features as tensors, on whatever device they are: the same numbers as `shared.audio.features`.

Needs torch (the extra `cuda`). Nothing here touches CTranslate2, so it is tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from asr_worker.engines.engine import EngineItem
from shared.audio.features import DYNAMIC_RANGE, POWER_FLOOR, FeatureConfig, mel_bank

Tensor = Any

CHUNK_FRAMES = 65_536
"""Frames transformed at once: 105 MB of windowed samples, whatever the batch."""


class TensorFeatures:
    """The front end of one model on one device."""

    def __init__(self, config: FeatureConfig, device: Any) -> None:
        self._config = config
        self._device = torch.device(device)
        self._window = torch.hann_window(config.n_fft, periodic=True, device=self._device)
        self._bank = torch.from_numpy(mel_bank(config)).to(self._device)

    def batch(self, items: Sequence[EngineItem], samples: int) -> Tensor:
        """Scaled features `[items, n_mels, frames]`, each item padded with silence to `samples`."""
        frames = samples // self._config.hop_length
        logs = torch.full(
            (len(items), frames, self._config.n_mels), float(np.log10(POWER_FLOOR)), device=self._device
        )
        sounds = [place for place, item in enumerate(items) if item.pcm is not None]
        if sounds:
            pcm = self._uploaded([items[place].pcm for place in sounds], samples)
            logs[sounds] = self.log_power(pcm, frames)
        for place, item in enumerate(items):
            if item.pcm is None and item.logs is not None:
                given = torch.from_numpy(np.ascontiguousarray(item.logs[:frames], dtype=np.float32))
                logs[place, : len(given)] = given.to(self._device)
        return scaled(logs)

    def log_power(self, pcm: Tensor, frames: int) -> Tensor:
        """log10 of the mel powers before clamp and scaling, `[items, samples]` to `[items, frames, n_mels]`.

        The left edge is reflected as the NumPy front end does it, the right one is silence.
        """
        half = self._config.n_fft // 2
        sound = torch.nn.functional.pad(pcm, (0, 2 * self._config.n_fft))
        edged = torch.cat((sound[:, 1 : half + 1].flip(-1), sound), dim=-1)
        views = edged.unfold(-1, self._config.n_fft, self._config.hop_length)[:, :frames]
        rows = max(1, CHUNK_FRAMES // max(1, frames))
        return torch.cat([self._mel(views[start : start + rows]) for start in range(0, len(pcm), rows)])

    def _mel(self, views: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(views * self._window)
        power = spectrum.real**2 + spectrum.imag**2
        return (power @ self._bank).clamp_min(POWER_FLOOR).log10()

    def _uploaded(self, sounds: Sequence[Any], samples: int) -> Tensor:
        """Samples of several items as one padded tensor on the device, in one copy."""
        pinned = self._device.type == "cuda"
        here = torch.zeros((len(sounds), samples), pin_memory=pinned)
        for row, pcm in zip(here.numpy(), sounds, strict=True):
            row[: pcm.size] = pcm
        return here.to(self._device, non_blocking=True)


def scaled(logs: Tensor) -> Tensor:
    """Clamp each item to the 8 decades below its loudest cell and scale: `[items, n_mels, frames]`."""
    peak = logs.amax(dim=(1, 2), keepdim=True)
    return ((torch.maximum(logs, peak - DYNAMIC_RANGE) + 4.0) / 4.0).transpose(1, 2).contiguous()
