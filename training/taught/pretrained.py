"""Whisper base's encoder from the package index, as it is or brought to half as many frames.

OpenAI's Whisper base (MIT) comes as CTranslate2's float16 form. Its encoder hears features of 10 ms and
has frames of 20 ms, and nothing has to be changed to train it on so. With features of 20 ms and frames of
40 ms it costs half: layers and positions are kept (every second position); the two convolutions are fitted to
give what the old ones gave.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from asr_worker.engines.packaged_whisper import assembled
from cli.modelling.weights import read_weights
from training.restore import Variables, fill_block, fill_convolutions, fill_norm
from training.student import Encoder, Shape, sinusoids

Floats = NDArray[np.float32]

ENCODER = Shape(d_model=512, heads=8, ffn=2048, encoder_layers=6, hop_length=160)
"""Sizes of Whisper base's encoder."""


def whisper_variables() -> Variables:
    """All weights of Whisper base as float32. Raises `NotPackaged` where its packages are not installed."""
    weights = read_weights(assembled() / "model.bin").as_float32()
    return weights.variables | {name: weights.variables[target] for name, target in weights.aliases.items()}


class Front(nn.Module):
    """Whisper's own two convolutions on features of 10 ms: ``[batch, mels, n]`` to ``[batch, n / 2, d]``."""

    def __init__(self, variables: Variables) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(ENCODER.n_mels, ENCODER.d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(ENCODER.d_model, ENCODER.d_model, 3, stride=2, padding=1)
        fill_convolutions(self, variables)

    def forward(self, features: Tensor) -> Tensor:
        states = functional.gelu(self.conv2(functional.gelu(self.conv1(features))))
        return states.transpose(1, 2)


@torch.no_grad()
def load_encoder(variables: Variables, layers: int, hop_length: int) -> Encoder:
    """The encoder with Whisper's first ``layers`` layers and, for a longer hop, the positions of every
    second frame (the convolutions are then to be fitted)."""
    shape = replace(ENCODER, encoder_layers=layers, hop_length=hop_length)
    every = hop_length // ENCODER.hop_length
    encoder = Encoder(shape)
    fill_convolutions(encoder, variables)
    encoder.positions.copy_(sinusoids(every * shape.source_positions, shape.d_model)[::every])
    for index, block in enumerate(encoder.blocks):
        fill_block(block, variables, f"encoder/layer_{index}")
    fill_norm(encoder.norm, variables, "encoder/layer_norm")
    return encoder


def fit_front(encoder: Encoder, front: Front, pairs: list[tuple[Floats, Floats]], steps: int) -> float:
    """Teach the encoder's convolutions to give, every 40 ms, the mean of the old ones' two frames.

    ``pairs`` are features of the same windows at 20 and at 10 ms, ``[batch, mels, frames]``. Returns
    the last mean squared error, relative to the variance of what was wanted.
    """
    weights = [*encoder.conv1.parameters(), *encoder.conv2.parameters()]
    optimiser = torch.optim.Adam(weights, lr=1e-3)
    relative = 1.0
    for step in range(steps):
        coarse, fine = pairs[step % len(pairs)]
        with torch.no_grad():
            wanted = front(torch.from_numpy(fine))
            wanted = 0.5 * (wanted[:, 0::2] + wanted[:, 1::2])
        first = functional.gelu(encoder.conv1(torch.from_numpy(coarse)))
        made = functional.gelu(encoder.conv2(first)).transpose(1, 2)[:, : wanted.shape[1]]
        loss = functional.mse_loss(made, wanted)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        share = float(loss.detach() / wanted.var())
        relative = share if step == 0 else 0.95 * relative + 0.05 * share
    return relative
