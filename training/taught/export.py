"""Writes a taught model as a directory that CTranslate2 loads; a bridge goes into the decoder."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch

from training.export import set_decoder, set_encoder, specification, write_model
from training.student import Block, Decoder
from training.taught.network import Ears


@torch.no_grad()
def folded(ears: Ears) -> Decoder:
    """The decoder with cross attention that reads the encoder's own states.

    Keys have no bias: the bridge's would add the same to all scores of a query, which changes nothing.
    """
    decoder = copy.deepcopy(ears.decoder)
    for block in decoder.blocks if ears.bridge is not None else ():
        assert isinstance(block, Block)
        assert block.cross is not None
        assert ears.bridge is not None
        cross = block.cross
        cross.value.bias.copy_(cross.value.bias + cross.value.weight @ ears.bridge.bias)
        for layer in (cross.key, cross.value):
            layer.weight = torch.nn.Parameter(layer.weight @ ears.bridge.weight)
    return decoder


def export(
    ears: Ears, folder: Path, description: Mapping[str, object], quantization: str | None = "int8"
) -> None:
    """Write all files of the model into ``folder``, replacing what is there; float32 without a type."""
    spec = specification(ears.sizes.encoder, ears.sizes.text)
    set_encoder(spec.encoder, ears.encoder)
    set_decoder(spec.decoder, folded(ears))
    write_model(spec, ears.ctc, folder, description, quantization, ears.sizes.encoder.hop_length)
