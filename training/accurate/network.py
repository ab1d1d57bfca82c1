"""The accurate model: a wide encoder with a phoneme head, and the fast model's small decoder.

While a teacher is listened to, the decoder reads the wide states through one matrix (the bridge), which
also learns to give the teacher's own states. Export folds it into the decoder's cross attention; so a
restored model has no bridge, and text costs what it costs in the fast model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from asr_worker.engines.ctc_head import CtcHead
from training.accurate.pretrained import ENCODER, load_encoder
from training.export import HEAD_FILE
from training.restore import (
    Variables,
    fill_decoder,
    fill_encoder,
    fill_head,
    restore,
    shape_of,
    stored,
)
from training.student import Decoder, Encoder, Shape


@dataclass(frozen=True, slots=True)
class Sizes:
    """Encoder layers, and the shape of the decoder that writes the text.

    With a ``memory_width`` the decoder reads the encoder's states itself, without one through a bridge.
    """

    encoder_layers: int
    text: Shape


class Ears(nn.Module):
    """Encoder, phoneme head, bridge, decoder."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = Encoder(replace(ENCODER, encoder_layers=sizes.encoder_layers))
        self.ctc = nn.Linear(ENCODER.d_model, sizes.text.symbols)
        self.bridge = None if sizes.text.memory_width else nn.Linear(ENCODER.d_model, sizes.text.d_model)
        self.decoder = Decoder(sizes.text)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Phoneme scores ``[batch, frames, symbols]`` and the decoder's memory."""
        states = self.encoder(features)
        return self.ctc(states), states if self.bridge is None else self.bridge(states)


def begun(variables: Variables, teacher: Path, layers: int) -> Ears:
    """Whisper's encoder, the teacher's decoder, a new head that knows how frequent each sound is."""
    taught = restore(teacher)
    ears = Ears(Sizes(layers, taught.shape))
    ears.encoder = load_encoder(variables, layers)
    ears.decoder.load_state_dict(taught.decoder.state_dict())
    with torch.no_grad():
        ears.ctc.bias.copy_(torch.from_numpy(CtcHead.load(teacher / HEAD_FILE).bias))
    return ears


def exported(folder: Path) -> Ears:
    """The network of an exported model, to train it on when no checkpoint is left."""
    variables, head = stored(folder)
    text = shape_of(variables, head, "decoder")
    ears = Ears(Sizes(text.encoder_layers, text))
    fill_encoder(ears.encoder, variables)
    fill_decoder(ears.decoder, variables)
    fill_head(ears.ctc, head)
    return ears
