"""The mean of checkpoints: weighted, of equal networks only."""

from __future__ import annotations

import pytest
import torch

from tests.unit.training.test_training_taught_export import TEXT, WIDE
from training.taught.mean import mean
from training.taught.network import Ears, Sizes


def _ears(value: float, sizes: Sizes) -> Ears:
    ears = Ears(sizes)
    with torch.no_grad():
        for weight in ears.parameters():
            weight.fill_(value)
    return ears


def test_weights_are_the_mean_by_share() -> None:
    mixed = mean([(_ears(1.0, Sizes(WIDE, TEXT)), 3), (_ears(5.0, Sizes(WIDE, TEXT)), 1)])
    assert {round(float(weight.detach().mean()), 5) for weight in mixed.parameters()} == {2.0}


def test_other_sizes_and_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="other sizes"):
        mean([(_ears(1.0, Sizes(WIDE, TEXT)), 1), (_ears(1.0, Sizes(TEXT, TEXT)), 1)])
    for shares in ((0.0, 0.0), (-1.0, 2.0)):
        with pytest.raises(ValueError, match="share"):
            mean([(_ears(1.0, Sizes(WIDE, TEXT)), share) for share in shares])
