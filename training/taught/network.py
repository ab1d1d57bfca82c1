"""A model that is taught: an encoder with a phoneme head, and a small decoder.

A new encoder with the teacher's decoder: while a teacher is listened to, the decoder reads the new
states through one matrix (the bridge), which also learns to give the teacher's own states. Export folds it
into the decoder's cross attention; so a restored model has no bridge, and text costs what it costs in the
teacher.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from asr_worker.engines.ctc_head import CtcHead
from training.export import HEAD_FILE
from training.restore import (
    Variables,
    fill_decoder,
    fill_encoder,
    fill_head,
    shape_of,
    stored,
)
from training.student import Decoder, Encoder, Shape
from training.taught.pretrained import ENCODER, load_encoder


@dataclass(frozen=True, slots=True)
class Sizes:
    """The encoder's shape, and that of the decoder that writes the text.

    A decoder that was made for another encoder (of another width, or with other frames) reads the states
    through a bridge.
    """

    encoder: Shape
    text: Shape

    @property
    def bridged(self) -> bool:
        """Whether there is a matrix between the two."""
        fitting = self.encoder.hop_length == self.text.hop_length
        return not fitting or self.encoder.d_model != self.memory_width

    @property
    def memory_width(self) -> int:
        """The width of the states that the decoder reads."""
        return self.text.memory_width or self.text.d_model


class Ears(nn.Module):
    """Encoder, phoneme head, bridge, decoder."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.encoder.d_model
        self.encoder = Encoder(sizes.encoder)
        self.ctc = nn.Linear(width, sizes.text.symbols)
        self.bridge = nn.Linear(width, sizes.memory_width) if sizes.bridged else None
        self.decoder = Decoder(sizes.text)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Phoneme scores ``[batch, frames, symbols]`` and the decoder's memory."""
        states = self.encoder(features)
        return self.ctc(states), states if self.bridge is None else self.bridge(states)


def begun(variables: Variables, teacher: Path, layers: int, hop_length: int) -> Ears:
    """Whisper's encoder, the teacher's decoder, a new head that knows how frequent each sound is."""
    taught = exported(teacher)
    encoder = load_encoder(variables, layers, hop_length)
    shape = replace(ENCODER, encoder_layers=layers, hop_length=hop_length)
    ears = Ears(Sizes(shape, taught.sizes.text))
    ears.encoder = encoder
    ears.decoder.load_state_dict(taught.decoder.state_dict())
    with torch.no_grad():
        ears.ctc.bias.copy_(torch.from_numpy(CtcHead.load(teacher / HEAD_FILE).bias))
    return ears


def exported(folder: Path) -> Ears:
    """The network of an exported model, to train it on when no checkpoint is left."""
    variables, head = stored(folder)
    ears = Ears(Sizes(shape_of(variables, head), shape_of(variables, head, "decoder")))
    fill_encoder(ears.encoder, variables)
    fill_decoder(ears.decoder, variables)
    fill_head(ears.ctc, head)
    return ears


def save(ears: Ears, file: Path, **more: object) -> None:
    """Write the network and its sizes, and what else belongs to a checkpoint, in one move."""
    partial = file.with_suffix(".partial")
    sizes = {"encoder": asdict(ears.sizes.encoder), "text": asdict(ears.sizes.text)}
    torch.save({"ears": ears.state_dict(), "sizes": sizes, **more}, partial)
    partial.replace(file)


def load(file: Path, averaged: bool = False) -> Ears:
    """The network of a checkpoint or of a start; ``averaged`` weights where there are some."""
    state = torch.load(file, weights_only=True)
    sizes = {part: Shape(**fields) for part, fields in state["sizes"].items()}
    ears = Ears(Sizes(**sizes))
    ears.load_state_dict(state["ears"])
    if averaged and "averaged" in state:
        for weight, mean in zip(ears.parameters(), state["averaged"], strict=True):
            weight.data.copy_(mean)
    return ears
