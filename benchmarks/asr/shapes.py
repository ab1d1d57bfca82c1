"""Whisper models of any size with random weights: they hear nothing, but they cost what they cost.

`python -m benchmarks.asr.shapes base DIRECTORY` writes one that a worker can load: for
`rattil bench serve --model DIRECTORY --device cuda`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2 import specs
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, models

Floats = NDArray[np.float32]

TEXT_POSITIONS = 448
AUDIO_POSITIONS = 1500
END, START, NO_TIMES = 0, 1, 2
"""Token ids: end of text, start of transcript, no timestamps."""
SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")
CONTEXT_S = 10.0
TOKENS_PER_CONTEXT = 96
"""Granted to 10 s; a window of 2.5 s gets 32. Random weights hardly ever end a text by themselves."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a published Whisper size."""

    name: str
    encoder_layers: int
    decoder_layers: int
    width: int
    heads: int
    mels: int
    vocabulary: int

    def encoder_flops(self, window_s: float) -> float:
        """Of one window: two per weight and state, and the attention between all states."""
        states = STATES_PER_S * window_s
        weights = 12 * self.width**2  # four square matrices of attention, two of four times the width
        return self.encoder_layers * (2 * weights * states + 4 * self.width * states**2)


STATES_PER_S = 50
"""Whisper's encoder states a second: a hop of 10 ms, halved by the second convolution."""

BASE = Shape("base", 6, 6, 512, 8, 80, 51_865)
TURBO = Shape("large-v3-turbo", 32, 4, 1280, 20, 128, 51_866)
"""Both as published by OpenAI (openai/whisper, `ModelDimensions`)."""
SHAPES = {shape.name: shape for shape in (BASE, TURBO)}


def build(directory: Path, shape: Shape) -> Path:
    """Write a CTranslate2 Whisper of this shape and return its directory. Turbo takes 3.2 GB."""
    directory.mkdir(parents=True, exist_ok=True)
    make: Any = specs.WhisperSpec
    spec = make(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    tokens = [*SPECIAL, *(f"t{number}" for number in range(len(SPECIAL), shape.vocabulary))]
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = []
    spec.config.alignment_heads = [[0, 0]]
    _fill(spec, shape)
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(str(directory))
    settings = {"feature_size": shape.mels, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400}
    (directory / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (directory / "model.json").write_text(json.dumps(_card(shape)), encoding="utf-8")
    _write_tokenizer(directory / "tokenizer.json", tokens)
    return directory


def _card(shape: Shape) -> dict[str, Any]:
    context = {"policy": "auto", "bucket_seconds": 0.5, "min_seconds": 1.0, "max_seconds": CONTEXT_S}
    return {
        "name": f"random-{shape.name}",
        "version": "0",
        "prompt": list(SPECIAL[1:]),
        "max_new_tokens": TOKENS_PER_CONTEXT,
        "context": context,
    }


def _write_tokenizer(path: Path, tokens: list[str]) -> None:
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(tokens)}, tokens[-1]))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.save(str(path))


def _fill(spec: Any, shape: Shape) -> None:
    width = shape.width
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = _noise(width, shape.mels, 3), _zeros(width)
    encoder.conv2.weight, encoder.conv2.bias = _noise(width, width, 3), _zeros(width)
    encoder.position_encodings.encodings = _noise(AUDIO_POSITIONS, width)
    decoder.position_encodings.encodings = _noise(TEXT_POSITIONS, width)
    decoder.embeddings.weight = _noise(shape.vocabulary, width)
    decoder.projection.weight = _noise(shape.vocabulary, width)
    for part in (encoder, decoder):
        _norm(part.layer_norm, width)
        for layer in part.layer:
            _layer(layer, width)


def _layer(layer: Any, width: int) -> None:
    _norm(layer.self_attention.layer_norm, width)
    _linear(layer.self_attention.linear[0], 3 * width, width)
    _linear(layer.self_attention.linear[1], width, width)
    if hasattr(layer, "attention"):
        _norm(layer.attention.layer_norm, width)
        _linear(layer.attention.linear[0], width, width)
        _linear(layer.attention.linear[1], 2 * width, width)
        _linear(layer.attention.linear[2], width, width)
    _norm(layer.ffn.layer_norm, width)
    _linear(layer.ffn.linear_0, 4 * width, width)
    _linear(layer.ffn.linear_1, width, 4 * width)


def _norm(norm: Any, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, np.float32), _zeros(width)


def _linear(linear: Any, rows: int, columns: int) -> None:
    linear.weight, linear.bias = _noise(rows, columns), _zeros(rows)


_SOURCE: Floats = np.random.default_rng(7).standard_normal(1 << 16).astype(np.float32)


def _noise(*shape: int) -> Floats:
    """Random enough for timing, and made in no time: the same numbers over and over."""
    scaled: Floats = np.resize(_SOURCE, shape) / np.float32(np.sqrt(shape[-1]))
    return scaled


def _zeros(size: int) -> Floats:
    return np.zeros(size, np.float32)


def main() -> None:
    """Name of a shape and a directory on the command line."""
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        raise SystemExit(f"usage: python -m benchmarks.asr.shapes {'|'.join(SHAPES)} DIRECTORY")
    print(build(Path(sys.argv[2]), SHAPES[sys.argv[1]]))


if __name__ == "__main__":
    main()
