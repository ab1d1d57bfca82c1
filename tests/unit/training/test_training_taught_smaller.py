"""A smaller network out of a trained one: what is kept computes what it computed."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from training.passages import SYMBOLS  # noqa: E402
from training.student import Shape  # noqa: E402
from training.taught.network import Ears, Sizes  # noqa: E402
from training.taught.smaller import cut, importance  # noqa: E402
from training.tokens import VOCABULARY  # noqa: E402

TEXT = Shape(symbols=len(SYMBOLS), vocabulary=len(VOCABULARY), d_model=64, heads=4, ffn=96, decoder_layers=1)
WIDE = Shape(symbols=len(SYMBOLS), d_model=64, heads=4, ffn=128, encoder_layers=3)


@pytest.fixture(scope="module")
def ears() -> Ears:
    torch.manual_seed(3)
    return Ears(Sizes(WIDE, TEXT)).eval()


def scores(ears: Ears) -> object:
    torch.manual_seed(4)
    with torch.no_grad():
        return ears(torch.randn(2, 80, 60))[0]


def test_units_that_add_nothing_may_go(ears: Ears) -> None:
    silent = Ears(ears.sizes).eval()
    silent.load_state_dict(ears.state_dict())
    with torch.no_grad():
        for block in silent.encoder.blocks:
            block.narrow.weight[:, ::2] = 0.0
    important = importance(silent, [torch.randn(2, 80, 60)])

    smaller = cut(silent, (0, 1, 2), 64, important).eval()

    assert smaller.sizes.encoder == replace(WIDE, ffn=64)
    assert torch.allclose(scores(smaller), scores(silent), atol=1e-5)


def test_layers_that_add_nothing_may_go(ears: Ears) -> None:
    silent = Ears(ears.sizes).eval()
    silent.load_state_dict(ears.state_dict())
    with torch.no_grad():
        for linear in (silent.encoder.blocks[1].attention.out, silent.encoder.blocks[1].narrow):
            linear.weight.zero_()
            linear.bias.zero_()

    smaller = cut(silent, (0, 2), 128, importance(silent, [torch.randn(2, 80, 60)])).eval()

    assert smaller.sizes.encoder.encoder_layers == 2
    assert torch.allclose(scores(smaller), scores(silent), atol=1e-5)


def test_measuring_leaves_the_network_as_it_is(ears: Ears) -> None:
    before = scores(ears)
    importance(ears, [torch.randn(1, 80, 20)])
    assert torch.equal(scores(ears), before)
    assert not any(block.widen._forward_hooks for block in ears.encoder.blocks)


@pytest.mark.parametrize(("layers", "units"), [((), 64), ((3,), 64), ((-1,), 64), ((0,), 0), ((0,), 129)])
def test_what_is_not_there_cannot_be_kept(ears: Ears, layers: tuple[int, ...], units: int) -> None:
    with pytest.raises(ValueError, match=r"the encoder has|a layer has"):
        cut(ears, layers, units, importance(ears, [torch.randn(1, 80, 20)]))
