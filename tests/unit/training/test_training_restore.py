"""An exported model can be trained on: what comes back does what went out."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from training.export import export  # noqa: E402
from training.passages import SYMBOLS  # noqa: E402
from training.restore import as_checkpoint, deepened, restore  # noqa: E402
from training.student import Shape, Student  # noqa: E402

SMALL = Shape(
    symbols=len(SYMBOLS), vocabulary=1547, d_model=64, heads=4, ffn=96, encoder_layers=3, decoder_layers=1
)


@pytest.fixture
def student() -> Student:
    torch.manual_seed(3)
    return Student(SMALL).eval()


def heard(student: Student) -> list[object]:
    """Encoder states, sounds and letters for one input."""
    torch.manual_seed(4)
    features, tokens = torch.randn(1, 80, 60), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        states = student.encoder(features)
        return [states, student.ctc(states), student.decoder(tokens, states)]


@pytest.mark.parametrize(("quantization", "tolerance"), [(None, 1e-3), ("int8", 0.15)])
def test_a_model_comes_back_as_it_went(
    student: Student, tmp_path: Path, quantization: str | None, tolerance: float
) -> None:
    export(student, tmp_path / "model", {}, quantization=quantization)
    back = restore(tmp_path / "model").eval()
    assert back.shape == student.shape
    for mine, theirs in zip(heard(student), heard(back), strict=True):
        assert torch.allclose(mine, theirs, atol=tolerance)


def test_more_layers_change_nothing_at_first(student: Student) -> None:
    deeper = deepened(student, 5).eval()
    assert len(deeper.encoder.blocks) == 5
    for mine, theirs in zip(heard(student), heard(deeper), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    assert deepened(student, 2) is student


def test_a_checkpoint_of_it_has_both_sets_of_weights(student: Student, tmp_path: Path) -> None:
    as_checkpoint(student, tmp_path / "first.pt")
    state = torch.load(tmp_path / "first.pt", weights_only=True)
    assert set(state) == {"student", "averaged"}
    assert len(state["averaged"]) == len(list(student.parameters()))
