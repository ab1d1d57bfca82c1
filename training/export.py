"""Writes the trained student as a model directory that CTranslate2 and faster-whisper load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import nn

from asr_worker.engines.ctc_head import CtcHead
from training.cache import FEATURES
from training.passages import SYMBOLS
from training.student import Attention, Block, Decoder, Encoder, Shape, Student
from training.tokens import PROMPT, SPACE, SPECIALS, TIMESTAMPS, TOKEN_ID, UNKNOWN, VOCABULARY

Floats = NDArray[np.float32]

LONGEST_TEXT = 160
"""Letters the decoder may write for a window of ``MAX_SECONDS``."""
MAX_SECONDS = 10.0
HEAD_FILE = "ctc_head.npz"


def array(values: Any) -> Floats:
    """A copy: quantisation works in place and must not reach the student's own weights."""
    return np.array(values.detach().float().numpy(), dtype=np.float32, order="C", copy=True)


def set_linear(spec: Any, *parts: nn.Linear) -> None:
    """One matrix of several linear layers side by side; a missing bias is zero."""
    spec.weight = np.concatenate([array(part.weight) for part in parts])
    spec.bias = np.concatenate(
        [
            array(part.bias) if part.bias is not None else np.zeros(part.out_features, np.float32)
            for part in parts
        ]
    )


def set_norm(spec: Any, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = array(norm.weight), array(norm.bias)


def set_attention(spec: Any, attention: Attention, norm: nn.LayerNorm, cross: bool) -> None:
    set_norm(spec.layer_norm, norm)
    query, key, value = attention.query, attention.key, attention.value
    if cross:
        set_linear(spec.linear[0], query)
        set_linear(spec.linear[1], key, value)
    else:
        set_linear(spec.linear[0], query, key, value)
    set_linear(spec.linear[-1], attention.out)


def set_block(spec: Any, block: nn.Module) -> None:
    if not isinstance(block, Block):
        raise TypeError(f"expected a transformer block, got {type(block).__name__}")
    set_attention(spec.self_attention, block.attention, block.attention_norm, cross=False)
    if block.cross is not None and block.cross_norm is not None:
        set_attention(spec.attention, block.cross, block.cross_norm, cross=True)
    set_norm(spec.ffn.layer_norm, block.ffn_norm)
    set_linear(spec.ffn.linear_0, block.widen)
    set_linear(spec.ffn.linear_1, block.narrow)


def set_encoder(spec: Any, encoder: Encoder) -> None:
    """Convolutions, positions and layers of an encoder."""
    for name in ("conv1", "conv2"):
        convolution: nn.Conv1d = getattr(encoder, name)
        target = getattr(spec, name)
        target.weight, target.bias = array(convolution.weight), array(convolution.bias)
    spec.position_encodings.encodings = array(encoder.positions)
    set_norm(spec.layer_norm, encoder.norm)
    for layer, block in zip(spec.layer, encoder.blocks, strict=True):
        set_block(layer, block)


def set_decoder(spec: Any, decoder: Decoder) -> None:
    """Letters, positions and layers of a decoder."""
    spec.embeddings.weight = array(decoder.tokens.weight)
    spec.projection.weight = array(decoder.tokens.weight)
    spec.position_encodings.encodings = array(decoder.positions)
    set_norm(spec.layer_norm, decoder.norm)
    for layer, block in zip(spec.layer, decoder.blocks, strict=True):
        set_block(layer, block)


def specification(encoder: Shape, decoder: Shape) -> Any:
    """An empty Whisper of these sizes, with Rattil's vocabulary."""
    untyped: Any = WhisperSpec
    spec = untyped(encoder.encoder_layers, encoder.heads, decoder.decoder_layers, decoder.heads)
    spec.register_vocabulary(list(VOCABULARY))
    spec.config.suppress_ids = [TOKEN_ID[UNKNOWN]] + [TOKEN_ID[name] for name in SPECIALS[1:]]
    spec.config.suppress_ids_begin = [TOKEN_ID[SPACE]]
    spec.config.lang_ids = []
    last = decoder.decoder_layers - 1
    spec.config.alignment_heads = [(last, head) for head in range(decoder.heads)]
    return spec


def tokenizer() -> Tokenizer:
    """Letter by letter. Leading space is dropped, so that faster-whisper's list of tokens to
    suppress (made from strings like ``" -"``) never contains the space itself."""
    made = Tokenizer(models.WordLevel(dict(TOKEN_ID), unk_token=UNKNOWN))
    made.normalizer = normalizers.Sequence(
        [normalizers.Strip(left=True, right=False), normalizers.Replace(" ", SPACE)]
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    made.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace(SPACE, " ")])
    made.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in (*SPECIALS, *TIMESTAMPS)]
    )
    return made


def _preprocessor(hop_length: int) -> dict[str, object]:
    return {
        "feature_size": FEATURES.n_mels,
        "hop_length": hop_length,
        "n_fft": FEATURES.n_fft,
        "sampling_rate": FEATURES.sample_rate,
        "chunk_length": 30,
    }


def _frame_ms(hop_length: int) -> int:
    """What an encoder frame stands for: two feature frames of ``hop_length`` samples."""
    return 2000 * hop_length // FEATURES.sample_rate


def card(
    name: str,
    version: str,
    fingerprint: str,
    results: Mapping[str, object],
    hop_length: int = FEATURES.hop_length,
) -> dict[str, object]:
    """``model.json``: what a worker has to know about the model."""
    return {
        "name": name,
        "version": version,
        "sample_rate": FEATURES.sample_rate,
        "script": "imlai",
        "languages": ["ar"],
        "hop_length": hop_length,
        "n_mels": FEATURES.n_mels,
        "prompt": list(PROMPT),
        "max_new_tokens": LONGEST_TEXT,
        "context": {
            "policy": "auto",
            "bucket_seconds": 0.5,
            "min_seconds": 1.0,
            "max_seconds": MAX_SECONDS,
        },
        "ctc": {"file": HEAD_FILE, "frame_ms": _frame_ms(hop_length)},
        "data_fingerprint": fingerprint,
        "results": dict(results),
    }


def write_json(path: Path, content: object) -> None:
    """Readable JSON, one trailing newline."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def export(
    student: Student, folder: Path, description: Mapping[str, object], quantization: str | None = "int8"
) -> None:
    """Write all files of the model into ``folder``, replacing what is there; float32 without a type."""
    spec = specification(student.shape, student.shape)
    set_encoder(spec.encoder, student.encoder)
    set_decoder(spec.decoder, student.decoder)
    write_model(spec, student.ctc, folder, description, quantization)


def write_model(
    spec: Any,
    ctc: nn.Linear,
    folder: Path,
    description: Mapping[str, object],
    quantization: str | None,
    hop_length: int = FEATURES.hop_length,
) -> None:
    """A filled specification and its phoneme head as a model directory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    tokenizer().save(str(folder / "tokenizer.json"), pretty=False)
    head = CtcHead(array(ctc.weight).T.copy(), array(ctc.bias), SYMBOLS, 0, _frame_ms(hop_length))
    head.save(folder / HEAD_FILE)
    write_json(folder / "preprocessor_config.json", _preprocessor(hop_length))
    write_json(folder / "model.json", dict(description))


def swap(fresh: Path, place: Path) -> None:
    """Put a complete model directory where the old one was."""
    old = place.with_name(place.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)
