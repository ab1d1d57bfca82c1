"""Builds a Whisper-shaped CTranslate2 model with random weights: hears nonsense, but always the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2 import specs
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

D_MODEL = 32
HEADS = 2
N_MELS = 80
MAX_POSITIONS = 750
LETTERS = list("ابتثجحخدذرزسشصضطظعغفقكلمنهوي")
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|ar|>",
    "<|en|>",
    "<|transcribe|>",
    "<|translate|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
SYMBOLS = ("<blank>", "a", "b", "t", "m", "l")

Floats = NDArray[np.float32]


def build(directory: Path, *, seed: int = 7, model_json: bool = True, ctc: bool = True) -> Path:
    """Write a complete model directory and return it. Without `model_json` it looks like a stock one."""
    directory.mkdir(parents=True, exist_ok=True)
    tokens = [*LETTERS, "▁", *SPECIAL]
    rng = np.random.default_rng(seed)
    spec = _spec(rng, len(tokens))
    spec.register_vocabulary(tokens)
    ids = {token: index for index, token in enumerate(tokens)}
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [ids["<|ar|>"], ids["<|en|>"]]
    spec.config.alignment_heads = [[0, 0]]
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(str(directory))
    _write_tokenizer(directory, tokens)
    _write_json(directory / "preprocessor_config.json", _preprocessor())
    if model_json:
        _write_json(directory / "model.json", _card(ctc))
    if ctc:
        _write_ctc(directory / "ctc_head.npz", rng)
    return directory


def _preprocessor() -> dict[str, Any]:
    return {
        "feature_size": N_MELS,
        "sampling_rate": 16000,
        "hop_length": 320,
        "n_fft": 400,
        "chunk_length": 30,
    }


def _card(ctc: bool) -> dict[str, Any]:
    card: dict[str, Any] = {
        "name": "random-tiny",
        "version": "0",
        "script": "imlai",
        "hop_length": 320,
        "n_mels": N_MELS,
        "prompt": ["<|startoftranscript|>", "<|notimestamps|>"],
        "max_new_tokens": 24,
        "context": {"policy": "auto", "bucket_seconds": 0.5, "min_seconds": 1.0, "max_seconds": 10.0},
    }
    if ctc:
        card["ctc"] = {"file": "ctc_head.npz", "frame_ms": 40}
    return card


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_ctc(path: Path, rng: np.random.Generator) -> None:
    weight = rng.normal(size=(D_MODEL, len(SYMBOLS))).astype(np.float32)
    np.savez(
        path,
        weight=weight,
        bias=np.zeros(len(SYMBOLS), np.float32),
        symbols=np.array(SYMBOLS),
        blank=np.array(0),
        frame_ms=np.array(40),
    )


def _write_tokenizer(directory: Path, tokens: list[str]) -> None:
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="▁"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.save(str(directory / "tokenizer.json"))


def _spec(rng: np.random.Generator, vocabulary: int) -> Any:
    make: Any = specs.WhisperSpec
    spec = make(2, HEADS, 1, HEADS)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight = _random(rng, D_MODEL, N_MELS, 3)
    encoder.conv1.bias = _zeros(D_MODEL)
    encoder.conv2.weight = _random(rng, D_MODEL, D_MODEL, 3)
    encoder.conv2.bias = _zeros(D_MODEL)
    encoder.position_encodings.encodings = _random(rng, MAX_POSITIONS, D_MODEL)
    decoder.position_encodings.encodings = _random(rng, 448, D_MODEL)
    decoder.embeddings.weight = _random(rng, vocabulary, D_MODEL)
    decoder.projection.weight = _random(rng, vocabulary, D_MODEL)
    for room in (encoder, decoder):
        _fill_norm(room.layer_norm)
        for layer in room.layer:
            _fill_layer(rng, layer)
    return spec


def _fill_layer(rng: np.random.Generator, layer: Any) -> None:
    _fill_norm(layer.self_attention.layer_norm)
    _fill_linear(rng, layer.self_attention.linear[0], 3 * D_MODEL, D_MODEL)
    _fill_linear(rng, layer.self_attention.linear[1], D_MODEL, D_MODEL)
    if hasattr(layer, "attention"):
        _fill_norm(layer.attention.layer_norm)
        _fill_linear(rng, layer.attention.linear[0], D_MODEL, D_MODEL)
        _fill_linear(rng, layer.attention.linear[1], 2 * D_MODEL, D_MODEL)
        _fill_linear(rng, layer.attention.linear[2], D_MODEL, D_MODEL)
    _fill_norm(layer.ffn.layer_norm)
    _fill_linear(rng, layer.ffn.linear_0, 2 * D_MODEL, D_MODEL)
    _fill_linear(rng, layer.ffn.linear_1, D_MODEL, 2 * D_MODEL)


def _fill_norm(norm: Any) -> None:
    norm.gamma = np.ones(D_MODEL, np.float32)
    norm.beta = _zeros(D_MODEL)


def _fill_linear(rng: np.random.Generator, linear: Any, rows: int, columns: int) -> None:
    linear.weight = _random(rng, rows, columns)
    linear.bias = _zeros(rows)


def _random(rng: np.random.Generator, *shape: int) -> Floats:
    scaled: Floats = (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
    return scaled


def _zeros(size: int) -> Floats:
    return np.zeros(size, np.float32)
