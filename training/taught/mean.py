"""The mean of checkpoints of one training: ``python -m training.taught.mean a.pt=0.3 b.pt=0.7 --out model``.

Checkpoints that went on from one another lie in one valley: their mean often has the best of both. Measure it
(`rattil model evaluate`) before it takes the place of one of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from training import manifest
from training.export import card
from training.taught.export import export
from training.taught.network import Ears, load


def mean(parts: Sequence[tuple[Ears, float]]) -> Ears:
    """The first network with the weighted mean of all weights; the shares are made to add up to 1.

    Raises ValueError for networks of other sizes, or without a positive share.
    """
    total = sum(share for _, share in parts)
    if total <= 0 or any(share < 0 for _, share in parts):
        raise ValueError("shares must not be negative, and one must be positive")
    states = [ears.state_dict() for ears, _ in parts]
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("these networks have other sizes")
    mixed = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in states[0].items()}
    for state, (_, share) in zip(states, parts, strict=True):
        for name, value in state.items():
            mixed[name] += value * (share / total)
    ears = parts[0][0]
    ears.load_state_dict(mixed)
    return ears


def main() -> None:
    """Write the mean as a model folder."""
    parser = argparse.ArgumentParser(prog="python -m training.taught.mean", description=__doc__)
    parser.add_argument("parts", nargs="+", metavar="CHECKPOINT=SHARE")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder; its name is the model's")
    parser.add_argument("--data", type=Path, required=True, help="the recitations that it was trained on")
    parser.add_argument("--version", default="0.1.0", help="of the model (default %(default)s)")
    options = parser.parse_args()
    pairs = [text.rpartition("=") for text in options.parts]
    ears = mean([(load(Path(file), averaged=True), float(share)) for file, _, share in pairs]).eval()
    marks = manifest.fingerprint(clip for clip in manifest.recited(options.data) if not clip.held_out)
    hop_length = ears.sizes.encoder.hop_length
    export(ears, options.out, card(options.out.name, options.version, marks, {}, hop_length))


if __name__ == "__main__":
    main()
