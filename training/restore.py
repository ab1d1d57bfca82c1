"""Takes an exported model back into training: to go on from what was shipped, or to make it deeper.

int8 weights are as good a start as the ones they were rounded from. The frame head, which only teaches
and is not exported, starts as a copy of the CTC head.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from asr_worker.engines.ctc_head import CtcHead
from cli.modelling.weights import read_weights
from training.audio import SAMPLE_RATE
from training.export import HEAD_FILE
from training.student import Attention, Block, Decoder, Encoder, Shape, Student

Floats = NDArray[np.float32]
Variables = dict[str, Floats]


def restore(folder: Path) -> Student:
    """The student of an exported model directory. Raises `ModelNotUsable` for another kind of model."""
    variables, head = stored(folder)
    student = Student(shape_of(variables, head))
    fill_encoder(student.encoder, variables)
    fill_decoder(student.decoder, variables)
    for linear in (student.ctc, student.frame):
        fill_head(linear, head)
    return student


def stored(folder: Path) -> tuple[Variables, CtcHead]:
    """All weights of an exported model as float32, and its phoneme head."""
    weights = read_weights(folder / "model.bin").as_float32()
    # Equal arrays are written once, under the name of the first.
    aliases = {name: weights.variables[target] for name, target in weights.aliases.items()}
    return weights.variables | aliases, CtcHead.load(folder / HEAD_FILE)


def shape_of(variables: Variables, head: CtcHead, part: str = "encoder") -> Shape:
    """Sizes of the network; width and heads are those of one part, where the two differ."""
    tokens, decoder_width = variables["decoder/embeddings/weight"].shape
    width = len(variables[f"{part}/layer_norm/gamma"])
    encoder_width = len(variables["encoder/layer_norm/gamma"])
    return Shape(
        symbols=len(head.symbols),
        vocabulary=tokens,
        d_model=width,
        heads=int(variables[f"{part}/num_heads"]),
        ffn=len(variables[f"{part}/layer_0/ffn/linear_0/weight"]),
        encoder_layers=_layers(variables, "encoder"),
        decoder_layers=_layers(variables, "decoder"),
        memory_width=0 if encoder_width == decoder_width else encoder_width,
        hop_length=round(head.frame_ms * SAMPLE_RATE / 2000),
    )


def as_checkpoint(student: Student, file: Path) -> None:
    """Write what :func:`training.workers.load_student` reads, in one move."""
    partial = file.with_suffix(".partial")
    averaged = [weight.detach() for weight in student.parameters()]
    torch.save({"student": student.state_dict(), "averaged": averaged}, partial)
    partial.replace(file)


def deepened(student: Student, layers: int) -> Student:
    """The same function with more encoder layers: copies, spread evenly, that at first add nothing."""
    have = len(student.encoder.blocks)
    if layers <= have:
        return student
    shape = student.shape
    deeper = Student(Shape(**{**_fields(shape), "encoder_layers": layers}))
    sources = [index * have // layers for index in range(layers)]
    weights = dict(student.state_dict())
    filled = {name: value for name, value in weights.items() if not name.startswith("encoder.blocks.")}
    for place, source in enumerate(sources):
        prefix = f"encoder.blocks.{source}."
        added = place > 0 and sources[place - 1] == source
        for name, value in weights.items():
            if name.startswith(prefix):
                silent = added and (".attention.out." in name or ".narrow." in name)
                filled[f"encoder.blocks.{place}.{name.removeprefix(prefix)}"] = (
                    torch.zeros_like(value) if silent else value.clone()
                )
    deeper.load_state_dict(filled)
    return deeper


def _fields(shape: Shape) -> dict[str, int]:
    return {name: getattr(shape, name) for name in Shape.__slots__}


def _layers(variables: Variables, part: str) -> int:
    return len(
        {
            name.split("/")[1]
            for name in variables
            if name.startswith(f"{part}/layer_") and "norm/" not in name
        }
    )


@torch.no_grad()
def fill_encoder(encoder: Encoder, variables: Variables) -> None:
    """Copy the stored encoder, its positions included."""
    fill_convolutions(encoder, variables)
    _copy(encoder.positions, variables["encoder/position_encodings/encodings"])
    _layers_of(encoder, variables, "encoder")


@torch.no_grad()
def fill_decoder(decoder: Decoder, variables: Variables) -> None:
    """Copy the stored decoder."""
    _copy(decoder.tokens.weight, variables["decoder/embeddings/weight"])
    _copy(decoder.positions, variables["decoder/position_encodings/encodings"])
    _layers_of(decoder, variables, "decoder")


@torch.no_grad()
def fill_head(linear: nn.Linear, head: CtcHead) -> None:
    """Copy a stored phoneme head."""
    _copy(linear.weight, np.ascontiguousarray(head.weight.T))
    _copy(linear.bias, head.bias)


@torch.no_grad()
def fill_convolutions(module: nn.Module, variables: Variables) -> None:
    """Copy the two stored convolutions."""
    for name in ("conv1", "conv2"):
        convolution: nn.Conv1d = getattr(module, name)
        assert convolution.bias is not None
        _copy(convolution.weight, variables[f"encoder/{name}/weight"])
        _copy(convolution.bias, variables[f"encoder/{name}/bias"])


def _layers_of(module: Encoder | Decoder, variables: Variables, part: str) -> None:
    fill_norm(module.norm, variables, f"{part}/layer_norm")
    for index, block in enumerate(module.blocks):
        fill_block(block, variables, f"{part}/layer_{index}")


@torch.no_grad()
def fill_block(block: nn.Module, variables: Variables, name: str) -> None:
    """Copy one stored layer."""
    assert isinstance(block, Block)
    _attention(block.attention, variables, f"{name}/self_attention")
    fill_norm(block.attention_norm, variables, f"{name}/self_attention/layer_norm")
    if block.cross is not None and block.cross_norm is not None:
        _attention(block.cross, variables, f"{name}/attention")
        fill_norm(block.cross_norm, variables, f"{name}/attention/layer_norm")
    fill_norm(block.ffn_norm, variables, f"{name}/ffn/layer_norm")
    _linears(variables, f"{name}/ffn/linear_0", block.widen)
    _linears(variables, f"{name}/ffn/linear_1", block.narrow)


def _attention(attention: Attention, variables: Variables, name: str) -> None:
    query, key, value = attention.query, attention.key, attention.value
    if f"{name}/linear_2/weight" in variables:
        _linears(variables, f"{name}/linear_0", query)
        _linears(variables, f"{name}/linear_1", key, value)
        _linears(variables, f"{name}/linear_2", attention.out)
    else:
        _linears(variables, f"{name}/linear_0", query, key, value)
        _linears(variables, f"{name}/linear_1", attention.out)


def _linears(variables: Variables, name: str, *parts: nn.Linear) -> None:
    """One matrix taken apart into the layers that were put side by side in it."""
    weights = np.split(variables[f"{name}/weight"], len(parts))
    biases = np.split(variables[f"{name}/bias"], len(parts))
    for part, weight, bias in zip(parts, weights, biases, strict=True):
        _copy(part.weight, weight)
        if part.bias is not None:
            _copy(part.bias, bias)


@torch.no_grad()
def fill_norm(norm: nn.LayerNorm, variables: Variables, name: str) -> None:
    """Copy a stored layer norm."""
    _copy(norm.weight, variables[f"{name}/gamma"])
    _copy(norm.bias, variables[f"{name}/beta"])


def _copy(target: torch.Tensor, values: Floats) -> None:
    target.copy_(torch.from_numpy(np.array(values, dtype=np.float32)))
