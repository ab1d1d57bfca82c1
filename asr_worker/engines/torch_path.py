"""Features and phoneme head on the GPU, with torch, around CTranslate2's model.

Samples go to the device once; features, encoder states and the head's products stay there, shared
between the two libraries without a copy (`__cuda_array_interface__`). Each library has its own
streams, so each waits for the other where work changes hands: torch's stream is synchronised before
CTranslate2 reads a tensor, and CTranslate2 synchronises its own before `encode` returns
(`WhisperReplica::encode` in its source).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ctranslate2
import numpy as np
import torch

from asr_worker.engines.ctc_head import CtcHead
from asr_worker.engines.engine import EngineItem
from asr_worker.engines.signal_path import Features, Floats, on_host
from asr_worker.engines.torch_features import TensorFeatures
from shared.audio.features import FeatureConfig

Tensor = Any

SHARED_TYPES = (ctranslate2.DataType.float32, ctranslate2.DataType.float16)
"""Types of encoder states that torch can look at; bfloat16 has no name in the array interface."""


class TorchPath:
    """`SignalPath` with torch; `device` "cpu" is for tests."""

    def __init__(self, config: FeatureConfig, head: CtcHead | None, device: str) -> None:
        """Raises `RuntimeError` when torch cannot use the device."""
        if device != "cpu" and not torch.cuda.is_available():
            raise RuntimeError(f"torch {torch.__version__} sees no CUDA device")
        self._device = torch.device(device, 0) if device != "cpu" else torch.device("cpu")
        self._front = TensorFeatures(config, self._device)
        self._front_lane = _Lane(self._device)
        self._head_lane = _Lane(self._device)
        if head is not None:
            self._weight = torch.from_numpy(head.weight).to(self._device)
            self._bias = torch.from_numpy(head.bias).to(self._device)

    def features(self, items: Sequence[EngineItem], samples: int) -> list[Features]:
        with self._front_lane.work():
            return list(self._front.batch(items, samples))

    def encoded(self, model: Any, features: Sequence[Features]) -> ctranslate2.StorageView:
        with self._front_lane.work():
            batch = torch.stack(list(features))
        self._front_lane.wait()
        return model.encode(_view(batch))

    def posteriors(self, encoded: ctranslate2.StorageView) -> Floats:
        with self._head_lane.work():
            scores = torch.addmm(self._bias, self._states(encoded).float().flatten(0, 1), self._weight)
            posteriors = scores.log_softmax(dim=-1).view(encoded.shape[0], encoded.shape[1], -1)
            # The copy to the host waits for the stream.
            host: Floats = posteriors.cpu().numpy()
        return host

    def rows(self, encoded: ctranslate2.StorageView, places: Sequence[int]) -> ctranslate2.StorageView:
        with self._head_lane.work():
            chosen = self._states(encoded)[list(places)].contiguous()
        self._head_lane.wait()
        return _view(chosen)

    def _states(self, encoded: ctranslate2.StorageView) -> Tensor:
        if self._device.type == "cpu" or encoded.dtype not in SHARED_TYPES:
            return torch.from_numpy(np.array(on_host(encoded))).to(self._device)
        return torch.as_tensor(encoded, device=self._device)


class _Lane:
    """One stream of the device, never the default one: that one waits for all others. None on the CPU."""

    def __init__(self, device: Any) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    @contextmanager
    def work(self) -> Iterator[None]:
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            yield

    def wait(self) -> None:
        """Return when everything given to the stream so far is done."""
        if self._stream is not None:
            done = torch.cuda.Event()
            done.record(self._stream)
            done.synchronize()


def _view(tensor: Tensor) -> ctranslate2.StorageView:
    """The tensor's memory as CTranslate2 sees it; the view keeps the tensor alive."""
    return ctranslate2.StorageView.from_array(tensor.numpy() if tensor.device.type == "cpu" else tensor)
