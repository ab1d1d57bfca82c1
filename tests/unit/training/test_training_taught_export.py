"""A taught model as CTranslate2 runs it, and taken back into training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ctranslate2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from asr_worker.engines.ctc_head import CtcHead  # noqa: E402
from shared.audio.features import FeatureConfig  # noqa: E402
from training.export import HEAD_FILE  # noqa: E402
from training.passages import SYMBOLS  # noqa: E402
from training.student import Shape  # noqa: E402
from training.taught.export import export  # noqa: E402
from training.taught.network import Ears, Sizes, exported, load, save  # noqa: E402
from training.tokens import TOKEN_ID, VOCABULARY  # noqa: E402

TEXT = Shape(symbols=len(SYMBOLS), vocabulary=len(VOCABULARY), d_model=64, heads=4, ffn=96, decoder_layers=1)

WIDE = Shape(symbols=len(SYMBOLS), d_model=96, heads=6, ffn=128, encoder_layers=2)


@pytest.fixture(scope="module")
def ears() -> Ears:
    torch.manual_seed(3)
    return Ears(Sizes(WIDE, TEXT)).eval()


def heard(ears: Ears) -> list[object]:
    """Sounds and letters for one input."""
    torch.manual_seed(4)
    features, tokens = torch.randn(1, 80, 60), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        scores, memory = ears(features)
        return [scores, ears.decoder(tokens, memory)]


def test_without_its_bridge_a_restored_model_hears_and_writes_the_same(ears: Ears, tmp_path: Path) -> None:
    export(ears, tmp_path / "model", {}, quantization=None)

    back = exported(tmp_path / "model").eval()

    assert back.bridge is None
    assert back.sizes.encoder.encoder_layers == 2
    for mine, theirs in zip(heard(ears), heard(back), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-3)


def test_an_encoder_with_shorter_frames_reads_through_a_bridge_and_keeps_its_frames(tmp_path: Path) -> None:
    """Whisper's own frames of 20 ms under a decoder that was made for frames of 40 ms, of the same width."""
    ears = Ears(Sizes(replace(TEXT, hop_length=160), TEXT)).eval()
    assert ears.bridge is not None

    export(ears, tmp_path / "model", {}, quantization=None)
    back = exported(tmp_path / "model").eval()

    assert back.bridge is None
    assert back.sizes.encoder.hop_length == back.sizes.text.hop_length == 160
    assert CtcHead.load(tmp_path / "model" / HEAD_FILE).frame_ms == 20
    assert FeatureConfig.load(tmp_path / "model").hop_length == 160
    for mine, theirs in zip(heard(ears), heard(back), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-3)


def test_a_restored_model_is_exported_as_it_came(ears: Ears, tmp_path: Path) -> None:
    export(ears, tmp_path / "first", {}, quantization=None)
    export(exported(tmp_path / "first"), tmp_path / "second", {}, quantization=None)

    for mine, theirs in zip(
        heard(exported(tmp_path / "first").eval()), heard(exported(tmp_path / "second").eval()), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_ctranslate2_computes_what_was_trained(ears: Ears, tmp_path: Path) -> None:
    export(ears, tmp_path / "model", {}, quantization=None)
    model = ctranslate2.models.Whisper(str(tmp_path / "model"), device="cpu", compute_type="float32")
    features = torch.randn(1, 80, 60)
    with torch.no_grad():
        wanted, memory = ears(features)

    encoded = model.encode(ctranslate2.StorageView.from_array(features.numpy()))
    found = CtcHead.load(tmp_path / "model" / HEAD_FILE).logits(np.array(encoded))

    assert found == pytest.approx(wanted.numpy(), abs=0.02)  # the head is stored in half precision

    prompt = [TOKEN_ID["<|startoftranscript|>"], TOKEN_ID["<|notimestamps|>"]]
    written = model.generate(encoded, [prompt], beam_size=1, max_length=4, suppress_blank=False)[0]
    with torch.no_grad():
        likely = ears.decoder(torch.tensor([prompt]), memory)[0, -1].topk(10).indices.tolist()
    assert written.sequences_ids[0][0] in likely


def test_a_checkpoint_knows_its_sizes_and_gives_live_or_averaged_weights(ears: Ears, tmp_path: Path) -> None:
    zeros = [torch.zeros_like(weight) for weight in ears.parameters()]
    save(ears, tmp_path / "learn.pt", averaged=zeros)

    live, averaged = load(tmp_path / "learn.pt").eval(), load(tmp_path / "learn.pt", averaged=True)

    assert live.sizes == ears.sizes
    for mine, theirs in zip(heard(ears), heard(live), strict=True):
        assert torch.equal(mine, theirs)
    assert not any(weight.any() for weight in averaged.parameters())


def test_a_model_whose_decoder_is_as_wide_as_its_encoder_needs_no_bridge(tmp_path: Path) -> None:
    same = Ears(Sizes(TEXT, TEXT)).eval()
    assert same.bridge is None

    export(same, tmp_path / "model", {}, quantization=None)

    for mine, theirs in zip(heard(same), heard(exported(tmp_path / "model").eval()), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-3)
