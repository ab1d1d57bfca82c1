"""The model: a Whisper-shaped encoder with a CTC head, and a small attention decoder.

Layer for layer what CTranslate2's Whisper runs (pre-norm, GELU, keys without bias, sinusoidal
encoder positions, learned decoder positions, tied output), so export is a renaming.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network."""

    n_mels: int = 80
    symbols: int = 69
    vocabulary: int = 1600
    d_model: int = 256
    heads: int = 4
    ffn: int = 1024
    encoder_layers: int = 8
    decoder_layers: int = 2
    source_positions: int = 1500
    """Encoder frames: 60 s of 40 ms, since stock callers always pad to 3,000 feature frames."""
    target_positions: int = 448
    memory_width: int = 0
    """Width of the encoder that the decoder listens to; 0: its own."""
    hop_length: int = 320
    """Samples from one feature frame to the next; an encoder frame stands for two of them."""


def sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's position table: sines, then cosines, periods from 1 to 10,000 frames."""
    steps = torch.log(torch.tensor(10_000.0)) / (channels // 2 - 1)
    inverse = torch.exp(-steps * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * inverse[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    """Multi-head attention; with ``memory`` it looks there instead of at its own input.

    Written out, with the projections of one input fused: on short windows this is up to twice as
    fast on a CPU as ``scaled_dot_product_attention`` with its backward pass.
    """

    def __init__(self, shape: Shape, memory_width: int = 0) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.d_model, shape.d_model)
        self.key = nn.Linear(memory_width or shape.d_model, shape.d_model, bias=False)
        self.value = nn.Linear(memory_width or shape.d_model, shape.d_model)
        self.out = nn.Linear(shape.d_model, shape.d_model)

    def _projected(self, states: Tensor, *layers: nn.Linear) -> tuple[Tensor, ...]:
        """Several projections of one input, each ``[batch, heads, frames, d_head]``."""
        weight = torch.cat([layer.weight for layer in layers])
        absent = torch.zeros_like(self.value.bias)
        bias = torch.cat([absent if layer.bias is None else layer.bias for layer in layers])
        fused = functional.linear(states, weight, bias)
        apart = fused.view(*fused.shape[:-1], len(layers), self.heads, -1).permute(2, 0, 3, 1, 4)
        return apart.unbind(0)

    def forward(self, states: Tensor, memory: Tensor | None = None, causal: bool = False) -> Tensor:
        if memory is None:
            query, key, value = self._projected(states, self.query, self.key, self.value)
        else:
            (query,) = self._projected(states, self.query)
            key, value = self._projected(memory, self.key, self.value)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if causal:
            future = torch.full(scores.shape[-2:], -torch.inf, dtype=scores.dtype).triu(1)
            scores = scores + future
        weights = scores.softmax(-1, dtype=scores.dtype)
        attended: Tensor = self.out((weights @ value).transpose(1, 2).flatten(2))
        return attended


class Block(nn.Module):
    """Pre-norm transformer layer, with cross attention where it decodes."""

    def __init__(self, shape: Shape, decodes: bool) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.attention_norm = nn.LayerNorm(shape.d_model)
        self.cross = Attention(shape, shape.memory_width) if decodes else None
        self.cross_norm = nn.LayerNorm(shape.d_model) if decodes else None
        self.widen = nn.Linear(shape.d_model, shape.ffn)
        self.narrow = nn.Linear(shape.ffn, shape.d_model)
        self.ffn_norm = nn.LayerNorm(shape.d_model)

    def forward(self, states: Tensor, memory: Tensor | None = None) -> Tensor:
        attended = self.attention(self.attention_norm(states), causal=memory is not None)
        states = states + attended
        if self.cross is not None and self.cross_norm is not None:
            states = states + self.cross(self.cross_norm(states), memory)
        fed: Tensor = self.narrow(functional.gelu(self.widen(self.ffn_norm(states))))
        return states + fed


class Encoder(nn.Module):
    """``[batch, n_mels, frames]`` to ``[batch, frames / 2, d_model]``."""

    positions: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(shape.n_mels, shape.d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(shape.d_model, shape.d_model, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(shape.source_positions, shape.d_model))
        self.blocks = nn.ModuleList(Block(shape, False) for _ in range(shape.encoder_layers))
        self.norm = nn.LayerNorm(shape.d_model)

    def forward(self, features: Tensor) -> Tensor:
        states = functional.gelu(self.conv2(functional.gelu(self.conv1(features))))
        states = states.transpose(1, 2)
        states = states + self.positions[: states.shape[1]]
        for block in self.blocks:
            states = block(states)
        normed: Tensor = self.norm(states)
        return normed


class Decoder(nn.Module):
    """Letters, one at a time: ``tokens [batch, n]`` to logits ``[batch, n, vocabulary]``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.vocabulary, shape.d_model)
        self.positions = nn.Parameter(torch.zeros(shape.target_positions, shape.d_model))
        self.blocks = nn.ModuleList(Block(shape, True) for _ in range(shape.decoder_layers))
        self.norm = nn.LayerNorm(shape.d_model)
        nn.init.normal_(self.tokens.weight, std=shape.d_model**-0.5)
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        states = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            states = block(states, memory)
        return functional.linear(self.norm(states), self.tokens.weight)


class Student(nn.Module):
    """Encoder, decoder, the CTC head that ships and the frame head that only teaches."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape)
        self.ctc = nn.Linear(shape.d_model, shape.symbols)
        self.frame = nn.Linear(shape.d_model, shape.symbols)
