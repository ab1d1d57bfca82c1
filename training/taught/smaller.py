"""The start of a smaller model: some layers of a trained one, with their busiest feed-forward units.

What is kept knows much of what the whole knew, and training repairs the rest in far less time than from
scratch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from training.student import Block, Shape
from training.taught.network import Ears, Sizes


@torch.no_grad()
def importance(ears: Ears, batches: Iterable[Tensor]) -> list[Tensor]:
    """How much each feed-forward unit of each encoder layer adds to its output, ``[ffn]`` a layer: its mean
    size over ``batches`` of features, times the norm of its outgoing weights."""
    blocks = [block for block in ears.encoder.blocks if isinstance(block, Block)]
    totals = [torch.zeros(ears.sizes.encoder.ffn) for _ in blocks]
    handles = [
        block.widen.register_forward_hook(partial(_add, total))
        for block, total in zip(blocks, totals, strict=True)
    ]
    for features in batches:
        ears.encoder(features)
    for handle in handles:
        handle.remove()
    return [total * block.narrow.weight.norm(dim=0) for total, block in zip(totals, blocks, strict=True)]


def _add(total: Tensor, _module: object, _given: object, widened: Tensor) -> None:
    total += functional.gelu(widened).abs().mean((0, 1))


def expect_parts(shape: Shape, layers: Sequence[int], units: int) -> None:
    """Raises ValueError for layers or units that an encoder of this shape does not have."""
    if not layers or any(not 0 <= layer < shape.encoder_layers for layer in layers):
        raise ValueError(f"the encoder has the layers 0 to {shape.encoder_layers - 1}")
    if not 0 < units <= shape.ffn:
        raise ValueError(f"a layer has {shape.ffn} feed-forward units")


def cut(ears: Ears, layers: Sequence[int], units: int, important: Sequence[Tensor]) -> Ears:
    """A network with these ``layers`` of the encoder, each with the ``units`` that are most important.

    Raises ValueError as :func:`expect_parts`.
    """
    shape = ears.sizes.encoder
    expect_parts(shape, layers, units)
    smaller = Ears(Sizes(replace(shape, encoder_layers=len(layers), ffn=units), ears.sizes.text))
    weights = ears.state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith("encoder.blocks.")}
    for place, layer in enumerate(layers):
        chosen = important[layer].topk(units).indices.sort().values
        prefix = f"encoder.blocks.{layer}."
        for name, value in weights.items():
            if name.startswith(prefix):
                part = name.removeprefix(prefix)
                kept[f"encoder.blocks.{place}.{part}"] = _of_units(part, value, chosen)
    smaller.load_state_dict(kept)
    return smaller


def _of_units(part: str, value: Tensor, chosen: Tensor) -> Tensor:
    if part.startswith("widen."):
        return value[chosen]
    return value[:, chosen] if part == "narrow.weight" else value
