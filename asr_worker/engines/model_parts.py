"""The parts of a CTranslate2 Whisper model, loaded from its directory, each with a clear refusal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2

from asr_worker.engines.ctc_head import CtcHead
from asr_worker.engines.model_files import ModelCard, ModelNotUsable
from asr_worker.engines.signal_path import HostPath, SignalPath
from shared.audio.features import FeatureConfig
from shared.extras import how_to_install
from shared.service.logging import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """Where and how to compute. `threads` 0 leaves it to CTranslate2."""

    device: str = "auto"
    compute_type: str = "auto"
    threads: int = 0


def choose_device(wanted: str) -> str:
    """`auto` takes a CUDA device if there is one."""
    if wanted != "auto":
        return wanted
    return "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"


def load_whisper(directory: Path, device: str, compute: ComputeOptions) -> Any:
    """CTranslate2's model. Raises `ModelNotUsable` for broken files and impossible combinations."""
    compute_type = compute.compute_type
    if compute_type == "auto":
        compute_type = "int8" if device == "cpu" else "float16"
    try:
        return ctranslate2.models.Whisper(
            str(directory), device=device, compute_type=compute_type, intra_threads=compute.threads
        )
    except (RuntimeError, ValueError) as error:
        raise ModelNotUsable(
            f"CTranslate2 cannot load {directory} on {device} as {compute_type}: {error}; "
            "check ASR_DEVICE and ASR_COMPUTE_TYPE"
        ) from error


def feature_config(directory: Path, n_mels: int) -> FeatureConfig:
    """The model's front end; stock conversions without the file use Whisper's 10 ms hop."""
    if (directory / "preprocessor_config.json").is_file():
        return FeatureConfig.load(directory)
    return FeatureConfig(n_mels=n_mels, hop_length=160)


def load_head(directory: Path, card: ModelCard) -> CtcHead | None:
    """The phoneme head that the card names. Raises `ModelNotUsable` when it is not there or broken."""
    if card.ctc is None:
        return None
    path = directory / card.ctc.file
    if not path.is_file():
        raise ModelNotUsable(f"the model's card names {card.ctc.file}, but {path} is missing")
    try:
        return CtcHead.load(path)
    except (ValueError, KeyError, OSError) as error:
        raise ModelNotUsable(f"{path} is not a phoneme head: {error}") from error


def choose_path(device: str, config: FeatureConfig, head: CtcHead | None) -> SignalPath:
    """On a GPU features and phoneme head run there, too, if torch is installed and sees it."""
    if device == "cpu":
        return HostPath(config, head)
    try:
        # Torch takes seconds to import and is not there on most machines.
        from asr_worker.engines.torch_path import TorchPath

        return TorchPath(config, head, device)
    except (ImportError, RuntimeError) as error:
        _log.warning(
            "torch_not_usable",
            error=str(error),
            effect="features and phoneme head are computed on the CPU",
            fix=how_to_install("cuda"),
        )
        return HostPath(config, head, at_once=sys.maxsize)
