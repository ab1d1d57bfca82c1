"""The bundled voice encoder out of Resemblyzer's package (Apache-2.0), as ONNX with half-size weights.

    pip download --no-deps resemblyzer==0.1.4
    python -m training.voice_encoder Resemblyzer-0.1.4-py3-none-any.whl models/voices

The package itself is not installed: of it only the trained weights are taken. The model is the speaker
encoder of GE2E (Wan et al., 2018): three LSTM layers and a projection, trained on LibriSpeech and VoxCeleb 1
and 2. Needs the extra `training`.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = "resemblyzer/pretrained.pt"
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of the weights in the package."""
LAYERS, UNITS, BANDS = 3, 256, 40

Array = NDArray[np.float32]


def weights_of(wheel: Path) -> Mapping[str, Array]:
    """Raises ValueError if the package holds other weights than those that were measured."""
    data = zipfile.ZipFile(wheel).read(WEIGHTS)
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError(f"{wheel} holds other weights than Resemblyzer 0.1.4")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)["model_state"]
    return {name: tensor.numpy() for name, tensor in state.items()}


def network(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """`mel` [windows, frames, bands] to `voice` [windows, units], each of length 1."""
    nodes = [helper.make_node("Transpose", ["mel"], ["x0"], perm=[1, 0, 2])]
    stored = []
    for layer in range(LAYERS):
        for name, value in _lstm_weights(weights, layer).items():
            stored.append(numpy_helper.from_array(value.astype(np.float16), f"{name}{layer}_half"))
            nodes.append(
                helper.make_node("Cast", [f"{name}{layer}_half"], [f"{name}{layer}"], to=TensorProto.FLOAT)
            )
        given = [f"x{layer}", f"w{layer}", f"r{layer}", f"b{layer}"]
        nodes.append(helper.make_node("LSTM", given, [f"y{layer}", f"h{layer}"], hidden_size=UNITS))
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "direction"], [f"x{layer + 1}"]))
    stored.append(numpy_helper.from_array(np.array([1], np.int64), "direction"))
    stored.append(numpy_helper.from_array(np.array([0], np.int64), "first"))
    for name in ("weight", "bias"):
        half = weights[f"linear.{name}"].astype(np.float16)
        stored.append(numpy_helper.from_array(half, f"{name}_half"))
        nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes += [
        helper.make_node("Squeeze", [f"h{LAYERS - 1}", "first"], ["last"]),
        helper.make_node("Gemm", ["last", "weight", "bias"], ["projected"], transB=1),
        helper.make_node("Relu", ["projected"], ["positive"]),
        helper.make_node("LpNormalization", ["positive"], ["voice"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "voice encoder",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["windows", "frames", BANDS])],
        [helper.make_tensor_value_info("voice", TensorProto.FLOAT, ["windows", UNITS])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _lstm_weights(weights: Mapping[str, Array], layer: int) -> dict[str, Array]:
    """ONNX has the gates in the order input, output, forget, cell; torch: input, forget, cell, output."""

    def reordered(name: str) -> Array:
        gates = np.split(weights[f"lstm.{name}_l{layer}"], 4)
        return np.concatenate([gates[0], gates[3], gates[1], gates[2]])[None]

    biases = np.concatenate([reordered("bias_ih"), reordered("bias_hh")], axis=1)
    return {"w": reordered("weight_ih"), "r": reordered("weight_hh"), "b": biases}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    made = network(weights_of(wanted.wheel)).SerializeToString()
    (wanted.out / "encoder.onnx").write_bytes(made)
    print(f"wrote {wanted.out / 'encoder.onnx'}: {len(made)} bytes")


if __name__ == "__main__":
    main()
