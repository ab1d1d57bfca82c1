"""What a model directory is: shape, sizes, vocabulary, prompt, context policy, measured results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from asr_worker.engines.model_files import ModelCard, checked, read_card
from asr_worker.engines.model_parts import feature_config, load_head
from cli.modelling.weights import Weights, read_weights


class HeadFacts(msgspec.Struct, frozen=True):
    """The phoneme head: how many symbols (blank included), and ms per frame."""

    symbols: int
    frame_ms: float


class ModelFacts(msgspec.Struct, frozen=True):
    """`files` in bytes; `parameters` of encoder and decoder; `results` as the model's maker wrote them."""

    path: str
    name: str
    version: str
    stock: bool
    parameters: int
    stored_as: str
    encoder_layers: int
    decoder_layers: int
    width: int
    decoder_width: int
    vocabulary: int
    mels: int
    hop_ms: float
    script: str
    languages: tuple[str, ...]
    prompt: tuple[str, ...]
    context: str
    head: HeadFacts | None
    files: dict[str, int]
    results: dict[str, Any]


def facts(directory: Path) -> ModelFacts:
    """Read a model directory. Raises `ModelNotUsable` when it is none."""
    card = read_card(checked(directory))
    weights = read_weights(directory / "model.bin")
    vocabulary, decoder_width = weights.variables["decoder/embeddings/weight"].shape
    width, mels = weights.variables["encoder/conv1/weight"].shape[:2]
    features = feature_config(directory, int(mels))
    head = load_head(directory, card)
    return ModelFacts(
        path=str(directory),
        name=card.name,
        version=card.version,
        stock=card.stock,
        parameters=weights.parameters,
        stored_as=weights.stored_as,
        encoder_layers=_layers(weights, "encoder"),
        decoder_layers=_layers(weights, "decoder"),
        width=int(width),
        decoder_width=int(decoder_width),
        vocabulary=int(vocabulary),
        mels=int(mels),
        hop_ms=features.hop_length * 1000 / features.sample_rate,
        script=card.script,
        languages=card.languages,
        prompt=card.prompt,
        context=_context(card),
        head=None if head is None else HeadFacts(len(head.symbols), head.frame_ms),
        files={file.name: file.stat().st_size for file in sorted(directory.iterdir()) if file.is_file()},
        results=_results(directory),
    )


def _layers(weights: Weights, part: str) -> int:
    places = {name.split("/")[1] for name in weights.variables if name.startswith(f"{part}/layer_")}
    return len(places - {"layer_norm"})


def _context(card: ModelCard) -> str:
    policy = card.context
    if policy.policy == "full":
        return f"every window padded to {policy.max_seconds:g} s"
    return (
        f"windows of up to {policy.max_seconds:g} s, padded to the next {policy.bucket_seconds:g} s, "
        f"at least {policy.min_seconds:g} s"
    )


def _results(directory: Path) -> dict[str, Any]:
    path = directory / "model.json"
    if not path.is_file():
        return {}
    results = json.loads(path.read_text(encoding="utf-8")).get("results", {})
    return results if isinstance(results, dict) else {}
