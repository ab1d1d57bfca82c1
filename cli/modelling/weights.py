"""The weights file of a CTranslate2 model (`model.bin`): read, convert between number types, write.

CTranslate2 itself quantises only while converting from another framework; a model directory can be
read back with this. The layout (version 6) and the number conversions are those of
`ctranslate2.specs.model_spec` 4.x: header, variables by name, aliases; int8 by row, int16 by matrix.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray

from asr_worker.engines.model_files import ModelNotUsable

NumberType = Literal["float32", "int16", "int8", "float16", "int8_float16"]

BINARY_VERSION: Final = 6
_INT16_PEAK: Final = np.float32(2**10)
"""int16 weights use 10 bits, so that a product has 20 and its sum has room."""
_INT8_PEAK: Final = np.float32(127)
_STORED: Final = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
"""Number types by their id in the file (include/ctranslate2/types.h)."""
_SCALE: Final = "_scale"

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Weights:
    """Everything in a `model.bin`. `aliases` are further names of variables."""

    spec: str
    revision: int
    variables: dict[str, Array]
    aliases: dict[str, str]

    @property
    def parameters(self) -> int:
        """Numbers in matrices and vectors; scales of quantised ones are not parameters."""
        return sum(
            value.size for name, value in self.variables.items() if value.ndim and not name.endswith(_SCALE)
        )

    @property
    def stored_as(self) -> str:
        """The number type of the largest share of the weights."""
        shares: dict[str, int] = {}
        for value in self.variables.values():
            shares[value.dtype.name] = shares.get(value.dtype.name, 0) + value.size
        return max(shares, key=lambda name: shares[name])

    def as_type(self, wanted: NumberType) -> Weights:
        """The same weights in another number type; integers go through float32."""
        restored = self.as_float32() if self.stored_as != "float32" else self
        if wanted == "float32":
            return restored
        variables: dict[str, Array] = {}
        for name, value in restored.variables.items():
            if _is_matrix(name, value) and wanted != "float16":
                quantised, scale = _int16(value) if wanted == "int16" else _int8(value)
                variables[name], variables[name + _SCALE] = quantised, scale
            elif value.dtype == np.float32 and value.ndim and wanted in ("float16", "int8_float16"):
                variables[name] = value.astype(np.float16)
            else:
                variables[name] = value
        return replace(restored, variables=variables)

    def as_float32(self) -> Weights:
        """All floats in float32, integers divided by their scales."""
        variables: dict[str, Array] = {}
        for name, value in self.variables.items():
            scale = self.variables.get(name + _SCALE)
            if name.endswith(_SCALE) and name.removesuffix(_SCALE) in self.variables:
                continue
            if scale is not None:
                rows = scale.reshape(-1, *[1] * (value.ndim - 1)) if scale.ndim else scale
                variables[name] = (value.astype(np.float32) / rows).astype(np.float32)
            else:
                variables[name] = value.astype(np.float32) if value.dtype == np.float16 else value
        aliases = {name: target for name, target in self.aliases.items() if not name.endswith(_SCALE)}
        return replace(self, variables=variables, aliases=aliases)


def _is_matrix(name: str, value: Array) -> bool:
    """What CTranslate2 quantises: linear layers, convolutions, embeddings; never norms and biases."""
    return name.rpartition("/")[2] == "weight" and value.ndim > 1


def _int16(value: Array) -> tuple[Array, Array]:
    scale = np.array(_INT16_PEAK / max(np.abs(value).max(), np.finfo(np.float32).tiny), np.float32)
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(value * scale), limits.min, limits.max).astype(np.int16), scale


def _int8(value: Array) -> tuple[Array, Array]:
    rows = value.reshape(value.shape[0], -1)
    peaks = np.abs(rows).max(axis=1)
    scale = (_INT8_PEAK / np.where(peaks == 0, _INT8_PEAK, peaks)).astype(np.float32)
    return np.rint(rows * scale[:, None]).astype(np.int8).reshape(value.shape), scale


def read_weights(path: Path) -> Weights:
    """Read a `model.bin`. Raises `ModelNotUsable` when it is none, or of another version."""
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, struct.error, UnicodeDecodeError, ValueError, IndexError) as error:
        raise ModelNotUsable(f"{path} cannot be read as CTranslate2 weights: {error}") from error


def _read(file: BinaryIO) -> Weights:
    (version,) = _unpack(file, "I")
    if version != BINARY_VERSION:
        raise ValueError(f"its version is {version}, not {BINARY_VERSION}; convert the model again")
    spec = _string(file)
    revision, count = _unpack(file, "II")
    variables = dict(_variable(file) for _ in range(count))
    (aliases,) = _unpack(file, "I")
    return Weights(spec, revision, variables, {_string(file): _string(file) for _ in range(aliases)})


def _variable(file: BinaryIO) -> tuple[str, Array]:
    name = _string(file)
    (rank,) = _unpack(file, "B")
    shape = _unpack(file, f"{rank}I")
    kind, size = _unpack(file, "=BI")
    stored = _STORED[kind]
    if stored == "bfloat16":
        raise ValueError("it holds bfloat16 numbers; convert the model again with another --quantization")
    return name, np.frombuffer(file.read(size), dtype=stored).reshape(shape)


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "H")
    return file.read(length)[:-1].decode("utf-8")


def write_weights(weights: Weights, path: Path) -> None:
    """Write a `model.bin` that CTranslate2 loads."""
    with path.open("wb") as file:
        file.write(struct.pack("I", BINARY_VERSION) + _packed(weights.spec))
        file.write(struct.pack("II", weights.revision, len(weights.variables)))
        for name, value in weights.variables.items():
            file.write(_packed(name))
            file.write(struct.pack(f"=B{value.ndim}I", value.ndim, *value.shape))
            file.write(struct.pack("=BI", _STORED.index(value.dtype.name), value.nbytes))
            file.write(np.ascontiguousarray(value).tobytes())
        file.write(struct.pack("I", len(weights.aliases)))
        for name, target in weights.aliases.items():
            file.write(_packed(name) + _packed(target))


def _packed(text: str) -> bytes:
    encoded = text.encode("utf-8")
    return struct.pack("H", len(encoded) + 1) + encoded + b"\0"
